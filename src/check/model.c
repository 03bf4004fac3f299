/* model.c: a file's text again, with each making and releasing spelled for an analyzer.
 *
 * An analyzer follows memory, or a handle that it has a checker for, along every path. So each call
 * in a function of the project is written as what it means to it (makers.c, calls.c);
 * everything else is copied. */
#include "check/model.h"

#include <stdlib.h>
#include <string.h>

/* A stream that was opened is none of the three that are there; to know it, an analyzer must see
 * where those are. */
static void write_word(struct writer *writer, size_t at)
{
    static const char *const streams[] = { "stdin", "stdout", "stderr" };
    const struct token *token = &writer->tokens[at];
    for (size_t i = 0; i < 3 && token->kind == TOKEN_WORD; i++)
        if (token_is(token, streams[i]) && !writer_is(writer, at - 1, ".") &&
            !writer_is(writer, at - 1, "->")) {
            model_print(writer->model, "((__typeof__(%s))&__snag_%s)", streams[i], streams[i]);
            return;
        }
    model_add(writer->model, token->at, token->length);
}

/* Within a function. */
void writer_tokens(struct writer *writer, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        if (writer_is(writer, i, "sizeof") || writer_is(writer, i, "__typeof__") ||
            writer_is(writer, i, "typeof") ||
            writer_is(writer, i, "__attribute__")) { /* nothing is called in there */
            size_t last = writer->tokens[i + 1].mate > i ? writer->tokens[i + 1].mate : i;
            for (; i < last && i < end; i++) {
                writer_gap(writer, i);
                model_add(writer->model, writer->tokens[i].at, writer->tokens[i].length);
            }
        }
        if (writer_is_call(writer, i, end)) {
            writer_call(writer, i);
            i = writer->tokens[i + 1].mate;
            continue;
        }
        writer_gap(writer, i);
        write_word(writer, i);
    }
}

static void write_function(struct writer *writer, const struct function *function)
{
    scope_find(writer, function);
    writer_gap(writer, function->body);
    model_print(writer->model, "{");
    for (size_t i = 0; i < writer->scope.objects.count; i++)
        model_print(writer->model, " void *__snag_object_%s = 0;",
                    (char *)writer->scope.objects.items[i]);
    writer_tokens(writer, function->body + 1, function->last + 1);
}

/* A declaration of the project's own, of a function that only uses what it is given, is read as
 * one of a system's header: an analyzer then believes that nothing is kept. */
static size_t write_borrower(struct writer *writer, size_t at)
{
    const struct unit *unit = writer->unit;
    size_t end = at, name = 0;
    while (end < unit->count && !writer_is(writer, end, ";") && !writer_is(writer, end, "{") &&
           !writer_is(writer, end, "=")) {
        if (!name && writer_is(writer, end, "(") && writer->tokens[end - 1].kind == TOKEN_WORD)
            name = end - 1;
        end = writer->tokens[end].mate > end ? writer->tokens[end].mate + 1 : end + 1;
    }
    if (!name || end >= unit->count || !writer_is(writer, end, ";"))
        return at;
    char *function = writer_word(writer, name);
    bool borrows = table_borrows(writer->model->table, function) && !unit_function(unit, function);
    free(function);
    if (!borrows)
        return at;
    const struct token *first = &writer->tokens[at], *last = &writer->tokens[end];
    const char *file = unit->files.items[first->file];
    writer_gap(writer, at);
    model_print(writer->model, "\n# %u \"%s\" 3\n", first->line, file);
    model_add(writer->model, first->at, (size_t)(last->at + 1 - first->at));
    model_print(writer->model, "\n# %u \"%s\"\n", last->line,
                (char *)unit->files.items[last->file]);
    return end + 1;
}

void model_make(struct model *model, const struct table *table, const struct unit *unit,
                enum dialect dialect)
{
    struct writer writer = { .model = model, .unit = unit, .tokens = unit->tokens };
    size_t next = 0;
    *model = (struct model){ .dialect = dialect, .table = table, .unit = unit };
    for (size_t i = 1; i < unit->count; i++) {
        bool starts = i == 1 || writer_is(&writer, i - 1, ";") || writer_is(&writer, i - 1, "}");
        if (next < unit->function_count && i == unit->functions[next].body) {
            write_function(&writer, &unit->functions[next]);
            i = unit->functions[next++].last;
            continue;
        }
        if (starts && !writer.tokens[i].in_system && dialect == FOR_CLANG) {
            size_t after = write_borrower(&writer, i);
            if (after > i) {
                i = after - 1;
                continue;
            }
        }
        writer_gap(&writer, i);
        model_add(model, writer.tokens[i].at, writer.tokens[i].length);
    }
    model_add(model, "\n", 1);
}
