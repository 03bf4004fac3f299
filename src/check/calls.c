/* calls.c: calls of everything else: who keeps what it is given?
 *
 * A function of this file is followed. One of a system's header, or that the table says to borrow,
 * keeps nothing. One that the table says to take, or that nobody knows, owns it from then on. */
#include "check/model.h"

#include <stdlib.h>
#include <string.h>

#define FOLLOWED_MAX 1000 /* tokens: about the hundred basic blocks that clang inlines */

/* Whether argument NUMBER is a variable that holds what a maker returned. */
static bool is_holder(const struct writer *writer, const struct arguments *arguments, size_t number)
{
    size_t first = arguments->first[number];
    if (arguments->end[number] != first + 1 || writer->tokens[first].kind != TOKEN_WORD)
        return false;
    char *name = writer_word(writer, first);
    bool holds = list_has_text(&writer->scope.holders, name);
    free(name);
    return holds;
}

/* A call that keeps nothing: it gets other pointers, so that no analyzer doubts it. */
static void write_lending_call(struct writer *writer, size_t name,
                               const struct arguments *arguments)
{
    model_add(writer->model, writer->tokens[name].at, writer->tokens[name].length);
    writer_gap(writer, name + 1);
    model_print(writer->model, "(");
    for (size_t i = 0; i < arguments->count; i++) {
        bool lends = is_holder(writer, arguments, i);
        size_t first = arguments->first[i];
        if (lends) {
            char *holder = writer_word(writer, first);
            model_print(writer->model, "((__typeof__(%s))__snag_lend((char *)", holder);
            free(holder);
        }
        writer_tokens(writer, first, arguments->end[i]);
        model_print(writer->model, lends ? "))" : "");
        writer_gap(writer, arguments->end[i]);
        model_print(writer->model, i + 1 < arguments->count ? "," : "");
    }
    if (arguments->count == 0)
        writer_gap(writer, writer->tokens[name + 1].mate);
    model_print(writer->model, ")");
}

/* Whether a function of this file is among the arguments: it may be called back with the rest. */
static bool has_callback(const struct writer *writer, const struct arguments *arguments)
{
    bool found = false;
    for (size_t i = 0; i < arguments->count && !found; i++) {
        char *name = writer_word(writer, arguments->first[i]);
        found = arguments->end[i] == arguments->first[i] + 1 && unit_function(writer->unit, name);
        free(name);
    }
    return found;
}

/* A call that owns an argument when it returns 0, and only then. What it is told beside that (as
 * epoll_ctl by a structure that names the descriptor again) is hidden: it would count as given away
 * at once. */
static bool write_keeper(struct writer *writer, size_t name, const struct arguments *arguments)
{
    char *function = writer_word(writer, name);
    size_t kept = (size_t)table_kept(writer->model->table, function);
    free(function);
    if (!kept || kept > arguments->count || writer->model->dialect != FOR_CLANG)
        return false;
    model_print(writer->model, "({ __auto_type __snag_result = ");
    model_add(writer->model, writer->tokens[name].at, writer->tokens[name].length);
    model_print(writer->model, "(");
    for (size_t i = 0; i < arguments->count; i++) {
        size_t first = arguments->first[i], end = arguments->end[i];
        bool is_hidden = writer_is(writer, first, "&");
        if (is_hidden) {
            model_print(writer->model, "((__typeof__(");
            writer_raw(writer, first, end);
            model_print(writer->model, "))__snag_lend((char *)0))");
        } else {
            writer_tokens(writer, first, end);
        }
        writer_gap(writer, end);
        model_print(writer->model, i + 1 < arguments->count ? "," : ");");
    }
    model_print(writer->model, " if (__snag_result > 0) __snag_end(); if (__snag_result == 0) { ");
    writer_given(writer, arguments, kept - 1, true);
    model_print(writer->model, "0; } __snag_result; })");
    return true;
}

/* Whether an analyzer follows a call of it: it is of this file, not too large and not the caller.
 */
static bool is_gone_into(const struct writer *writer, const char *name)
{
    const struct function *function = unit_function(writer->unit, name);
    return function && function != writer->scope.function &&
           function->last - function->body < FOLLOWED_MAX;
}

/* A call of something that the table does not know, or knows to take what it is given. */
static void write_other(struct writer *writer, size_t name, const struct arguments *arguments)
{
    char *function = writer_word(writer, name);
    const struct model *model = writer->model;
    bool is_member = writer_is(writer, name - 1, ".") || writer_is(writer, name - 1, "->");
    bool is_ours = !is_member && is_gone_into(writer, function);
    bool is_known = !is_member && (unit_is_system(writer->unit, function) ||
                                   table_borrows(model->table, function));
    bool ends = !is_member && !is_ours && !unit_is_system(writer->unit, function) &&
                table_ends(model->table, function);
    bool gives = false;
    for (size_t i = 0; i < arguments->count && model->dialect == FOR_CLANG && !is_member; i++)
        gives |= !is_ours && (!is_known || table_taken(model->table, function, (int)i + 1));
    if (gives || ends)
        model_print(writer->model, "(");
    for (size_t i = 0; i < arguments->count && gives; i++) {
        bool is_taken = table_taken(model->table, function, (int)i + 1);
        if (!is_known || is_taken)
            writer_given(writer, arguments, i, is_taken);
    }
    if (is_known && !is_ours && !gives && !has_callback(writer, arguments) &&
        model->dialect == FOR_CLANG)
        write_lending_call(writer, name, arguments);
    else
        writer_plain_call(writer, name);
    if (gives || ends)
        model_print(writer->model, ends ? ", __snag_end())" : ")");
    free(function);
}

/* free(p) lets go of the memory, not of what is stored in it: to a call that only reads what p
 * points to, that is plain. */
static bool write_free(struct writer *writer, size_t name, const struct arguments *arguments)
{
    if (writer->model->dialect != FOR_CLANG || !writer_is(writer, name, "free") ||
        arguments->count != 1)
        return false;
    model_print(writer->model, "__snag_free((const char *)(");
    writer_argument(writer, arguments, 1);
    model_print(writer->model, "))");
    return true;
}

void writer_call(struct writer *writer, size_t name)
{
    struct arguments arguments;
    int argument;
    writer_gap(writer, name);
    bool is_member = writer_is(writer, name - 1, ".") || writer_is(writer, name - 1, "->");
    if (!writer_arguments(writer, name + 1, &arguments)) {
        writer_plain_call(writer, name);
        return;
    }
    char *function = writer_word(writer, name);
    const struct resource *made = is_member ? NULL : table_maker(writer->model->table, function);
    const struct resource *released =
        is_member ? NULL : table_releaser(writer->model->table, function, &argument);
    free(function);
    if (made && writer_maker(writer, name, &arguments, made))
        return;
    if (released && writer_releaser(writer, name, &arguments, released, argument))
        return;
    if (made || released)
        writer_plain_call(writer, name);
    else if (is_member ||
             (!write_free(writer, name, &arguments) && !write_keeper(writer, name, &arguments)))
        write_other(writer, name, &arguments);
}
