/* scope.c: what must be known of a function before it is written.
 *
 * Objects (a regex_t, a z_stream) are followed by a variable of ours beside each, so only those are
 * that the function keeps to itself. Holders are variables that get a pointer from a maker. */
#include "check/model.h"

#include <stdlib.h>
#include <string.h>

/* Whether the mention of an object at AT lets it out of the function. */
static bool object_escapes(const struct writer *writer, size_t at)
{
    bool is_address = writer_is(writer, at - 1, "&");
    if (writer_is(writer, at + 1, ".") || writer_is(writer, at + 1, "["))
        return false;
    if (!is_address)
        return writer_is(writer, at - 1, "=") || writer_is(writer, at - 1, "return");
    size_t open = at;
    while (open > writer->scope.function->body &&
           !(writer_is(writer, open, "(") && writer->tokens[open].mate > at &&
             writer->tokens[open - 1].kind == TOKEN_WORD))
        open--;
    if (writer_is(writer, at - 2, "=") || open == writer->scope.function->body)
        return true;
    int argument;
    char *function = writer_word(writer, open - 1);
    const struct table *table = writer->model->table;
    bool keeps = table_maker(table, function) || table_releaser(table, function, &argument) ||
                 table_borrows(table, function) || unit_is_system(writer->unit, function);
    free(function);
    return !keeps;
}

static bool is_local_object(const struct writer *writer, const char *name)
{
    const struct function *function = writer->scope.function;
    bool is_declared = false;
    for (size_t i = function->body; i < function->last; i++) {
        const struct token *token = &writer->tokens[i];
        if (token->kind != TOKEN_WORD || !token_is(token, name) || writer_is(writer, i - 1, ".") ||
            writer_is(writer, i - 1, "->"))
            continue;
        if (!is_declared) { /* its first mention: `z_stream stream`, not static */
            if (writer->tokens[i - 1].kind != TOKEN_WORD || writer_is(writer, i - 1, "return"))
                return false;
            for (size_t j = i; !writer_is(writer, j, ";") && !writer_is(writer, j, "{") &&
                               !writer_is(writer, j, "}");
                 j--)
                if (writer_is(writer, j, "static") || writer_is(writer, j, "extern"))
                    return false;
            is_declared = true;
        } else if (object_escapes(writer, i)) {
            return false;
        }
    }
    return is_declared && !list_has_text(&function->scoped, name);
}

static void find_holders(struct writer *writer)
{
    const struct function *function = writer->scope.function;
    for (size_t i = function->body; i < function->last; i++) {
        if (!writer_is_call(writer, i, function->last))
            continue;
        char *maker = writer_word(writer, i);
        const struct resource *row = table_maker(writer->model->table, maker);
        struct site site = { .variable = NULL };
        free(maker);
        if (!row || row->is_number || row->where != BY_RETURN)
            continue;
        writer_use(writer, i, &site);
        if (site.variable && !list_has_text(&writer->scope.holders, site.variable))
            list_add(&writer->scope.holders, text_copy(site.variable, strlen(site.variable)));
    }
}

static void find_streams(struct writer *writer)
{
    const struct function *function = writer->scope.function;
    for (size_t i = function->body; i < function->last; i++)
        if (writer_is(writer, i, "stdin") || writer_is(writer, i, "stdout") ||
            writer_is(writer, i, "stderr"))
            writer->scope.has_streams |=
                writer_is(writer, i - 1, "==") || writer_is(writer, i - 1, "!=") ||
                writer_is(writer, i + 1, "==") || writer_is(writer, i + 1, "!=");
}

static void find_objects(struct writer *writer)
{
    const struct function *function = writer->scope.function;
    for (size_t i = function->body; i < function->last; i++) {
        struct arguments arguments;
        if (!writer_is_call(writer, i, function->last) ||
            !writer_arguments(writer, i + 1, &arguments))
            continue;
        char *maker = writer_word(writer, i);
        const struct resource *row = table_maker(writer->model->table, maker);
        free(maker);
        if (!row || row->where != BY_OBJECT || (int)arguments.count < row->argument)
            continue;
        size_t at = writer_object(writer, &arguments, row->argument);
        if (!at)
            continue;
        char *name = writer_word(writer, at);
        if (!list_has_text(&writer->scope.objects, name) && is_local_object(writer, name))
            list_add(&writer->scope.objects, name);
        else
            free(name);
    }
}

void scope_find(struct writer *writer, const struct function *function)
{
    writer->scope = (struct scope){ .function = function };
    find_objects(writer);
    find_holders(writer);
    find_streams(writer);
}
