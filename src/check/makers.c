/* makers.c: calls that make and calls that release, as the analyzer is to read them.
 *
 *     f = fopen(path, "r")    f = ((__typeof__(fopen(path, "r")))((void)(path), (void)("r"),
 * __snag_made_7())) pipe(fds)               ({ ... fds[0] and fds[1] get __snag_fd_8() and 9, or
 * none does ... }) fclose(f)               ((__typeof__(fclose(f)))(__snag_put_2(f)))
 *
 * The numbers are those of the sites and releasers; prologue.c says what the names mean. */
#include "check/model.h"

#include <stdlib.h>
#include <string.h>

static struct site *new_site(struct writer *writer, const struct resource *resource, size_t name,
                             size_t *number)
{
    const struct token *token = &writer->tokens[name];
    struct site *site = checked_alloc(sizeof *site);
    site->resource = resource;
    site->file = writer->unit->files.items[token->file];
    site->line = token->line;
    site->function = writer->scope.function->name;
    *number = writer->model->sites.count;
    list_add(&writer->model->sites, site);
    return site;
}

static size_t releaser_number(struct model *model, const char *name)
{
    for (size_t i = 0; i < model->releasers.count; i++)
        if (strcmp(model->releasers.items[i], name) == 0)
            return i;
    list_add(&model->releasers, text_copy(name, strlen(name)));
    return model->releasers.count - 1;
}

/* Behind the casts of `(void *)(long)fd`, whose white space is written: a number that becomes a
 * pointer is lost to an analyzer. */
static size_t skip_casts(struct writer *writer, size_t first, size_t end)
{
    size_t from = writer_postfix(writer, end);
    if (from == end || from <= first || !writer_is(writer, from - 1, ")"))
        return first;
    for (size_t i = first; i < from; i++)
        writer_gap(writer, i);
    return from;
}

/* All arguments but KEPT (from 1; 0: none) for their effects, each followed by a comma. */
static void write_effects(struct writer *writer, const struct arguments *arguments, size_t kept)
{
    for (size_t i = 0; i < arguments->count; i++) {
        if (i + 1 == kept)
            continue;
        model_print(writer->model, "(void)(");
        writer_tokens(writer, skip_casts(writer, arguments->first[i], arguments->end[i]),
                      arguments->end[i]);
        writer_gap(writer, arguments->end[i]);
        model_print(writer->model, "), ");
    }
}

void writer_argument(struct writer *writer, const struct arguments *arguments, int number)
{
    size_t i = (size_t)number - 1;
    writer_tokens(writer, arguments->first[i], arguments->end[i]);
    writer_gap(writer, arguments->end[i]);
}

static void write_type(struct writer *writer, size_t name)
{
    model_print(writer->model, "((__typeof__(");
    writer_raw(writer, name, writer->tokens[name + 1].mate + 1);
    model_print(writer->model, "))(");
}

void writer_plain_call(struct writer *writer, size_t name)
{
    size_t close = writer->tokens[name + 1].mate;
    model_add(writer->model, writer->tokens[name].at, writer->tokens[name].length);
    writer_tokens(writer, name + 1, close + 1);
}

/* A number in an argument, as `fd`, `s->fd` or `(void *)(long)fd`, is no longer ours to release. */
void writer_given(struct writer *writer, const struct arguments *arguments, size_t number,
                  bool is_taken)
{
    size_t first = arguments->first[number], end = arguments->end[number];
    size_t from = writer_postfix(writer, end);
    if (from == end || from < first || (from > first && !writer_is(writer, from - 1, ")")))
        return;
    char *text = writer_text(writer, from, end);
    model_print(writer->model,
                "__snag_give(_Generic((%s), int: (%s), unsigned: (%s), long: (%s), unsigned long: "
                "(%s), "
                "default: 0)), ",
                text, text, text, text, text);
    if (is_taken)
        model_print(writer->model, "__snag_keep((const void *)(%s)), ", text);
    free(text);
}

/* A maker by what it returns. */
static void write_returned(struct writer *writer, size_t name, const struct arguments *arguments,
                           const struct resource *resource)
{
    size_t number;
    struct site *site = new_site(writer, resource, name, &number);
    writer_use(writer, name, site);
    site->scoped = site->variable && list_has_text(&writer->scope.function->scoped, site->variable);
    write_type(writer, name);
    write_effects(writer, arguments, (size_t)resource->takes);
    const char *kind = resource->is_number ? "fd" : "made";
    bool is_gcc = writer->model->dialect == FOR_GCC;
    /* gcc knows cleanup, and does not know that a new stream is none of the three. */
    bool is_followed_here = is_gcc ? !writer->scope.has_streams : !site->scoped;
    if (is_followed_here)
        model_print(writer->model, "__snag_%s_%zu(", kind, number);
    else
        model_print(writer->model, "__snag_any_%s(", kind);
    if (is_followed_here && resource->takes)
        writer_argument(writer, arguments, resource->takes);
    model_print(writer->model, ")))");
}

/* A maker by what it stores: the function itself decides nothing. */
static void write_stored(struct writer *writer, size_t name, const struct arguments *arguments,
                         const struct resource *resource)
{
    size_t number, second = 0, at = (size_t)resource->argument - 1;
    size_t first = arguments->first[at], end = arguments->end[at];
    struct site *site = new_site(writer, resource, name, &number);
    bool is_address = writer_is(writer, first, "&");
    site->variable = writer_text(writer, first + is_address, end);
    if (resource->count == 2) {
        struct site *other = new_site(writer, resource, name, &second);
        other->must = true;
        other->variable = text_format("%s[1]", site->variable);
        site->variable = text_format("%s[0]", site->variable);
    }
    const char *kind = resource->is_number ? "fd" : "made";
    const char *good = resource->is_number ? ">= 0" : "!= 0";
    model_print(writer->model, "({ ");
    write_effects(writer, arguments, (size_t)resource->argument);
    model_print(writer->model, "0; __typeof__(&*(");
    writer_raw(writer, first, end);
    model_print(writer->model, ")) __snag_to = (");
    writer_argument(writer, arguments, resource->argument);
    model_print(writer->model,
                "); __auto_type __snag_new = __snag_%s_%zu(); if (__snag_new %s) { "
                "__snag_to[0] = (__typeof__(*__snag_to))__snag_new; ",
                kind, number, good);
    if (resource->count == 2)
        model_print(writer->model, "__snag_to[1] = __snag_fd_%zu(); ", second);
    char *maker = writer_word(writer, name);
    for (size_t i = 0; i < arguments->count; i++)
        if (writer->model->dialect == FOR_CLANG &&
            table_taken(writer->model->table, maker, (int)i + 1)) {
            writer_given(writer, arguments, i, true);
            model_print(writer->model, "0; ");
        }
    free(maker);
    model_print(writer->model, "} (__snag_new %s) ? __snag_done_%d() : __snag_failed_%d(); })",
                good, resource->fails, resource->fails);
}

static bool is_followed(const struct writer *writer, const struct arguments *arguments,
                        int argument)
{
    size_t at = writer_object(writer, arguments, argument);
    if (!at)
        return false;
    char *name = writer_word(writer, at);
    bool followed = list_has_text(&writer->scope.objects, name);
    free(name);
    return followed;
}

/* An object is followed by a variable of ours beside it. */
static void write_object(struct writer *writer, size_t name, const struct arguments *arguments,
                         const struct resource *resource)
{
    size_t number;
    struct site *site = new_site(writer, resource, name, &number);
    site->variable = writer_word(writer, writer_object(writer, arguments, resource->argument));
    model_print(writer->model, "({ (void)");
    writer_plain_call(writer, name);
    model_print(writer->model,
                "; __snag_object_%s = __snag_made_%zu(); __snag_object_%s ? __snag_done_%d() : "
                "__snag_failed_%d(); })",
                site->variable, number, site->variable, resource->fails, resource->fails);
}

bool writer_maker(struct writer *writer, size_t name, const struct arguments *arguments,
                  const struct resource *resource)
{
    size_t most = (size_t)resource->argument;
    if ((size_t)resource->takes > most)
        most = (size_t)resource->takes;
    if ((size_t)resource->when_argument > most)
        most = (size_t)resource->when_argument;
    if (arguments->count < most)
        return false;
    if (writer->model->dialect == FOR_GCC && resource->is_number)
        return false; /* it knows descriptors by itself, or not at all */
    if (resource->when_argument) {
        size_t at = (size_t)resource->when_argument - 1;
        char *value = writer_text(writer, arguments->first[at], arguments->end[at]);
        bool null = strcmp(resource->when_value, "NULL") == 0 &&
                    (strcmp(value, "((void*)0)") == 0 || strcmp(value, "0") == 0);
        bool is_so = null || strcmp(value, resource->when_value) == 0;
        free(value);
        if (!is_so)
            return false;
    }
    if (resource->where == BY_RETURN)
        write_returned(writer, name, arguments, resource);
    else if (resource->where == BY_ARGUMENT)
        write_stored(writer, name, arguments, resource);
    else if (is_followed(writer, arguments, resource->argument))
        write_object(writer, name, arguments, resource);
    else
        return false;
    return true;
}

bool writer_releaser(struct writer *writer, size_t name, const struct arguments *arguments,
                     const struct resource *resource, int argument)
{
    char *releaser = writer_word(writer, name);
    size_t number = releaser_number(writer->model, releaser);
    bool is_object = resource->where == BY_OBJECT;
    free(releaser);
    if ((int)arguments->count < argument ||
        (writer->model->dialect == FOR_GCC && resource->is_number))
        return false;
    if (is_object && !is_followed(writer, arguments, argument))
        return false;
    write_type(writer, name);
    if (is_object) {
        char *object = writer_word(writer, writer_object(writer, arguments, argument));
        model_print(writer->model, "(void)");
        writer_plain_call(writer, name);
        model_print(writer->model, ", __snag_put_%zu(__snag_object_%s)))", number, object);
        free(object);
        return true;
    }
    write_effects(writer, arguments, (size_t)argument);
    model_print(writer->model, "__snag_%s_%zu(", resource->is_number ? "close" : "put", number);
    writer_argument(writer, arguments, argument);
    model_print(writer->model, ")))");
    return true;
}
