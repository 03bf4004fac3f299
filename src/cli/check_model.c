/* check_model.c: a file's text again, with each making and releasing spelled for an analyzer.
 *
 * An analyzer follows memory, or a handle that it has a checker for, along every path. So each call
 * of the table's functions is written as what it means to it:
 *
 *     f = fopen(path, "r")    f = ((__typeof__(fopen(path, "r")))((void)(path), (void)("r"),
 * __snag_made_7())) pipe(fds)               ({ ... fds[0] and fds[1] get __snag_fd_8() and 9, or
 * none does ... }) fclose(f)               ((__typeof__(fclose(f)))(__snag_put_2(f))) serve(fd)
 * (__snag_give(fd), serve(fd))      where serve is not in this file
 *
 * The numbers are those of the sites and releasers; check_prologue.c says what the names mean.
 * Lines stay what they are: newlines and line markers are copied, each once. */
#include "cli/check.h"

#include <stdlib.h>
#include <string.h>

struct arguments {
    size_t count;
    size_t first[32], end[32]; /* tokens; END is the comma or parenthesis behind it */
};

/* In the function that is being written. */
struct scope {
    const struct function *function;
    struct list objects; /* names of its variables that are followed as objects */
    bool has_streams;    /* it compares with stdin or one of its kind */
    struct list holders; /* and of those that get a pointer from a maker */
};

struct writer {
    struct model *model;
    const struct unit *unit;
    const struct token *tokens;
    struct scope scope;
};

void model_add(struct model *model, const char *text, size_t length)
{
    if (model->length + length + 1 > model->room) {
        model->room = 2 * model->room + length + 65536;
        model->text = checked_grow(model->text, model->room);
    }
    memcpy(model->text + model->length, text, length);
    model->length += length;
    model->text[model->length] = 0;
}

void model_print(struct model *model, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    model_add(model, text, (size_t)length);
    free(text);
}

static bool is(const struct writer *writer, size_t token, const char *text)
{
    return token_is(&writer->tokens[token], text);
}

static char *word_of(const struct writer *writer, size_t token)
{
    return text_copy(writer->tokens[token].at, writer->tokens[token].length);
}

/* What stands before a token: white space, newlines, line markers. */
static void write_gap(struct writer *writer, size_t token)
{
    const struct token *before = &writer->tokens[token - 1];
    const char *from = before->at + before->length;
    model_add(writer->model, from, (size_t)(writer->tokens[token].at - from));
}

/* The tokens again in one line, as they were. */
static void write_raw(struct writer *writer, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        model_add(writer->model, " ", 1);
        model_add(writer->model, writer->tokens[i].at, writer->tokens[i].length);
    }
}

static char *raw_text(const struct writer *writer, size_t from, size_t end)
{
    size_t length = 0;
    for (size_t i = from; i < end; i++)
        length += writer->tokens[i].length + 1;
    char *text = checked_alloc(length + 1), *to = text;
    for (size_t i = from; i < end; i++) {
        bool apart =
            i > from && is_word_character(to[-1]) && is_word_character(*writer->tokens[i].at);
        if (apart)
            *to++ = ' ';
        memcpy(to, writer->tokens[i].at, writer->tokens[i].length);
        to += writer->tokens[i].length;
    }
    return text;
}

static void write_tokens(struct writer *writer, size_t from, size_t end);
static size_t postfix_start(const struct writer *writer, size_t end);
static void write_given(struct writer *writer, const struct arguments *arguments, size_t number,
                        bool is_taken);

static bool read_arguments(const struct writer *writer, size_t open, struct arguments *arguments)
{
    size_t close = writer->tokens[open].mate;
    arguments->count = 0;
    if (close == open + 1)
        return true;
    size_t first = open + 1;
    for (size_t i = first; i <= close; i++) {
        if (writer->tokens[i].mate > i)
            i = writer->tokens[i].mate;
        else if (i == close || is(writer, i, ",")) {
            if (arguments->count == 32)
                return false;
            arguments->first[arguments->count] = first;
            arguments->end[arguments->count++] = i;
            first = i + 1;
        }
    }
    return true;
}

/* Behind the casts of `(void *)(long)fd`, whose white space is written: a number that becomes a
 * pointer is lost to an analyzer. */
static size_t skip_casts(struct writer *writer, size_t first, size_t end)
{
    size_t from = postfix_start(writer, end);
    if (from == end || from <= first || !is(writer, from - 1, ")"))
        return first;
    for (size_t i = first; i < from; i++)
        write_gap(writer, i);
    return from;
}

/* All arguments but KEPT (from 1; 0: none) for their effects, each followed by a comma. */
static void write_effects(struct writer *writer, const struct arguments *arguments, size_t kept)
{
    for (size_t i = 0; i < arguments->count; i++) {
        if (i + 1 == kept)
            continue;
        model_print(writer->model, "(void)(");
        write_tokens(writer, skip_casts(writer, arguments->first[i], arguments->end[i]),
                     arguments->end[i]);
        write_gap(writer, arguments->end[i]);
        model_print(writer->model, "), ");
    }
}

static void write_argument(struct writer *writer, const struct arguments *arguments, int number)
{
    size_t i = (size_t)number - 1;
    write_tokens(writer, arguments->first[i], arguments->end[i]);
    write_gap(writer, arguments->end[i]);
}

/* The first token of the postfix expression that ends before END, as `s->fds[0]`. */
static size_t postfix_start(const struct writer *writer, size_t end)
{
    size_t i = end - 1;
    for (;;) {
        while (is(writer, i, "]") && writer->tokens[i].mate)
            i = writer->tokens[i].mate - 1;
        if (writer->tokens[i].kind != TOKEN_WORD)
            return end;
        if (!is(writer, i - 1, ".") && !is(writer, i - 1, "->"))
            return i;
        i -= 2;
    }
}

static bool ends_head(const struct writer *writer, size_t close)
{
    static const char *const heads[] = { "if", "while", "for", "switch" };
    size_t open = writer->tokens[close].mate;
    for (size_t i = 0; open && i < sizeof heads / sizeof *heads; i++)
        if (is(writer, open - 1, heads[i]))
            return true;
    return false;
}

/* Whether a statement may begin behind the token. */
static bool starts_statement(const struct writer *writer, size_t before)
{
    static const char *const signs[] = { ";", "{", "}", ":", "else", "do" };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (is(writer, before, signs[i]))
            return true;
    return is(writer, before, ")") && ends_head(writer, before);
}

/* What becomes of the result of the call that begins at NAME. */
static void read_use(struct writer *writer, size_t name, struct site *site)
{
    size_t before = name - 1, after = writer->tokens[name + 1].mate + 1;
    while (is(writer, before, ")") && writer->tokens[before].mate && !ends_head(writer, before))
        before = writer->tokens[before].mate - 1; /* a cast */
    if (is(writer, before, "=")) {
        size_t end = before; /* `file __attribute__((cleanup(f))) =` */
        while (is(writer, end - 1, ")") &&
               is(writer, writer->tokens[end - 1].mate - 1, "__attribute__"))
            end = writer->tokens[end - 1].mate - 1;
        size_t from = postfix_start(writer, end);
        if (from < end)
            site->variable = raw_text(writer, from, end);
    }
    static const char *const tests[] = { "==", "!=", "<", ">=", "?", "&&", "||" };
    bool is_tested =
        is(writer, before, "!") ||
        (is(writer, after, ")") && is(writer, before, "(") && ends_head(writer, after));
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        is_tested |= is(writer, after, tests[i]);
    bool is_statement = is(writer, after, ";") && starts_statement(writer, before);
    site->lost = !is(writer, before, "=") && (is_statement || is_tested);
}

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

static void write_type(struct writer *writer, size_t name)
{
    model_print(writer->model, "((__typeof__(");
    write_raw(writer, name, writer->tokens[name + 1].mate + 1);
    model_print(writer->model, "))(");
}

/* A maker by what it returns. */
static void write_returned(struct writer *writer, size_t name, const struct arguments *arguments,
                           const struct resource *resource)
{
    size_t number;
    struct site *site = new_site(writer, resource, name, &number);
    read_use(writer, name, site);
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
        write_argument(writer, arguments, resource->takes);
    model_print(writer->model, ")))");
}

/* A maker by what it stores: the function itself decides nothing. */
static void write_stored(struct writer *writer, size_t name, const struct arguments *arguments,
                         const struct resource *resource)
{
    size_t number, second = 0, at = (size_t)resource->argument - 1;
    size_t first = arguments->first[at], end = arguments->end[at];
    struct site *site = new_site(writer, resource, name, &number);
    bool is_address = is(writer, first, "&");
    site->variable = raw_text(writer, first + is_address, end);
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
    write_raw(writer, first, end);
    model_print(writer->model, ")) __snag_to = (");
    write_argument(writer, arguments, resource->argument);
    model_print(writer->model,
                "); __auto_type __snag_new = __snag_%s_%zu(); if (__snag_new %s) { "
                "__snag_to[0] = (__typeof__(*__snag_to))__snag_new; ",
                kind, number, good);
    if (resource->count == 2)
        model_print(writer->model, "__snag_to[1] = __snag_fd_%zu(); ", second);
    char *maker = word_of(writer, name);
    for (size_t i = 0; i < arguments->count; i++)
        if (writer->model->dialect == FOR_CLANG &&
            table_taken(writer->model->table, maker, (int)i + 1)) {
            write_given(writer, arguments, i, true);
            model_print(writer->model, "0; ");
        }
    free(maker);
    model_print(writer->model, "} (__snag_new %s) ? __snag_done_%d() : __snag_failed_%d(); })",
                good, resource->fails, resource->fails);
}

/* The name in an argument that is `&name`, maybe in parentheses (macros); 0: it is another. */
static size_t named_object(const struct writer *writer, const struct arguments *arguments,
                           int argument)
{
    size_t first = arguments->first[argument - 1], end = arguments->end[argument - 1];
    while (end > first + 2 && is(writer, first, "(") && writer->tokens[first].mate == end - 1) {
        first++;
        end--;
    }
    return end == first + 2 && is(writer, first, "&") ? first + 1 : 0;
}

static bool is_followed(const struct writer *writer, const struct arguments *arguments,
                        int argument)
{
    size_t at = named_object(writer, arguments, argument);
    if (!at)
        return false;
    char *name = word_of(writer, at);
    bool followed = list_has_text(&writer->scope.objects, name);
    free(name);
    return followed;
}

static void write_plain_call(struct writer *writer, size_t name)
{
    size_t close = writer->tokens[name + 1].mate;
    model_add(writer->model, writer->tokens[name].at, writer->tokens[name].length);
    write_tokens(writer, name + 1, close + 1);
}

/* An object is followed by a variable of ours beside it. */
static void write_object(struct writer *writer, size_t name, const struct arguments *arguments,
                         const struct resource *resource)
{
    size_t number;
    struct site *site = new_site(writer, resource, name, &number);
    site->variable = word_of(writer, named_object(writer, arguments, resource->argument));
    model_print(writer->model, "({ (void)");
    write_plain_call(writer, name);
    model_print(writer->model,
                "; __snag_object_%s = __snag_made_%zu(); __snag_object_%s ? __snag_done_%d() : "
                "__snag_failed_%d(); })",
                site->variable, number, site->variable, resource->fails, resource->fails);
}

static bool write_maker(struct writer *writer, size_t name, const struct arguments *arguments,
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
        char *value = raw_text(writer, arguments->first[at], arguments->end[at]);
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

static bool write_releaser(struct writer *writer, size_t name, const struct arguments *arguments,
                           const struct resource *resource, int argument)
{
    char *releaser = word_of(writer, name);
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
        char *object = word_of(writer, named_object(writer, arguments, argument));
        model_print(writer->model, "(void)");
        write_plain_call(writer, name);
        model_print(writer->model, ", __snag_put_%zu(__snag_object_%s)))", number, object);
        free(object);
        return true;
    }
    write_effects(writer, arguments, (size_t)argument);
    model_print(writer->model, "__snag_%s_%zu(", resource->is_number ? "close" : "put", number);
    write_argument(writer, arguments, argument);
    model_print(writer->model, ")))");
    return true;
}

/* A number in an argument, as `fd`, `s->fd` or `(void *)(long)fd`, is no longer ours to release. */
static void write_given(struct writer *writer, const struct arguments *arguments, size_t number,
                        bool is_taken)
{
    size_t first = arguments->first[number], end = arguments->end[number];
    size_t from = postfix_start(writer, end);
    if (from == end || from < first || (from > first && !is(writer, from - 1, ")")))
        return;
    char *text = raw_text(writer, from, end);
    model_print(writer->model,
                "__snag_give(_Generic((%s), int: (%s), unsigned: (%s), long: (%s), unsigned long: "
                "(%s), "
                "default: 0)), ",
                text, text, text, text, text);
    if (is_taken)
        model_print(writer->model, "__snag_keep((const void *)(%s)), ", text);
    free(text);
}

/* Whether argument NUMBER is a variable that holds what a maker returned. */
static bool is_holder(const struct writer *writer, const struct arguments *arguments, size_t number)
{
    size_t first = arguments->first[number];
    if (arguments->end[number] != first + 1 || writer->tokens[first].kind != TOKEN_WORD)
        return false;
    char *name = word_of(writer, first);
    bool holds = list_has_text(&writer->scope.holders, name);
    free(name);
    return holds;
}

/* A call that keeps nothing: it gets other pointers, so that no analyzer doubts it. */
static void write_lending_call(struct writer *writer, size_t name,
                               const struct arguments *arguments)
{
    model_add(writer->model, writer->tokens[name].at, writer->tokens[name].length);
    write_gap(writer, name + 1);
    model_print(writer->model, "(");
    for (size_t i = 0; i < arguments->count; i++) {
        bool lends = is_holder(writer, arguments, i);
        size_t first = arguments->first[i];
        if (lends) {
            char *holder = word_of(writer, first);
            model_print(writer->model, "((__typeof__(%s))__snag_lend((char *)", holder);
            free(holder);
        }
        write_tokens(writer, first, arguments->end[i]);
        model_print(writer->model, lends ? "))" : "");
        write_gap(writer, arguments->end[i]);
        model_print(writer->model, i + 1 < arguments->count ? "," : "");
    }
    if (arguments->count == 0)
        write_gap(writer, writer->tokens[name + 1].mate);
    model_print(writer->model, ")");
}

/* Whether a function of this file is among the arguments: it may be called back with the rest. */
static bool has_callback(const struct writer *writer, const struct arguments *arguments)
{
    bool found = false;
    for (size_t i = 0; i < arguments->count && !found; i++) {
        char *name = word_of(writer, arguments->first[i]);
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
    char *function = word_of(writer, name);
    size_t kept = (size_t)table_kept(writer->model->table, function);
    free(function);
    if (!kept || kept > arguments->count || writer->model->dialect != FOR_CLANG)
        return false;
    model_print(writer->model, "({ __auto_type __snag_result = ");
    model_add(writer->model, writer->tokens[name].at, writer->tokens[name].length);
    model_print(writer->model, "(");
    for (size_t i = 0; i < arguments->count; i++) {
        size_t first = arguments->first[i], end = arguments->end[i];
        bool is_hidden = is(writer, first, "&");
        if (is_hidden) {
            model_print(writer->model, "((__typeof__(");
            write_raw(writer, first, end);
            model_print(writer->model, "))__snag_lend((char *)0))");
        } else {
            write_tokens(writer, first, end);
        }
        write_gap(writer, end);
        model_print(writer->model, i + 1 < arguments->count ? "," : ");");
    }
    model_print(writer->model, " if (__snag_result > 0) __snag_end(); if (__snag_result == 0) { ");
    write_given(writer, arguments, kept - 1, true);
    model_print(writer->model, "0; } __snag_result; })");
    return true;
}

/* A call of something that the table does not know, or knows to take what it is given. */
static void write_other(struct writer *writer, size_t name, const struct arguments *arguments)
{
    char *function = word_of(writer, name);
    const struct model *model = writer->model;
    bool is_member = is(writer, name - 1, ".") || is(writer, name - 1, "->");
    bool is_ours = !is_member && unit_function(writer->unit, function);
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
            write_given(writer, arguments, i, is_taken);
    }
    if (is_known && !is_ours && !gives && !has_callback(writer, arguments) &&
        model->dialect == FOR_CLANG)
        write_lending_call(writer, name, arguments);
    else
        write_plain_call(writer, name);
    if (gives || ends)
        model_print(writer->model, ends ? ", __snag_end())" : ")");
    free(function);
}

/* free(p) lets go of the memory, not of what is stored in it: to a call that only reads what p
 * points to, that is plain. */
static bool write_free(struct writer *writer, size_t name, const struct arguments *arguments)
{
    if (writer->model->dialect != FOR_CLANG || !is(writer, name, "free") || arguments->count != 1)
        return false;
    model_print(writer->model, "__snag_free((const char *)(");
    write_argument(writer, arguments, 1);
    model_print(writer->model, "))");
    return true;
}

static void write_call(struct writer *writer, size_t name)
{
    struct arguments arguments;
    int argument;
    write_gap(writer, name);
    bool is_member = is(writer, name - 1, ".") || is(writer, name - 1, "->");
    if (!read_arguments(writer, name + 1, &arguments)) {
        write_plain_call(writer, name);
        return;
    }
    char *function = word_of(writer, name);
    const struct resource *made = is_member ? NULL : table_maker(writer->model->table, function);
    const struct resource *released =
        is_member ? NULL : table_releaser(writer->model->table, function, &argument);
    free(function);
    if (made && write_maker(writer, name, &arguments, made))
        return;
    if (released && write_releaser(writer, name, &arguments, released, argument))
        return;
    if (made || released)
        write_plain_call(writer, name);
    else if (is_member ||
             (!write_free(writer, name, &arguments) && !write_keeper(writer, name, &arguments)))
        write_other(writer, name, &arguments);
}

static bool is_call(const struct writer *writer, size_t i, size_t end)
{
    static const char *const others[] = { "if",
                                          "while",
                                          "for",
                                          "switch",
                                          "return",
                                          "sizeof",
                                          "__typeof__",
                                          "typeof",
                                          "asm",
                                          "__asm__",
                                          "__attribute__",
                                          "_Generic",
                                          "case",
                                          "_Static_assert",
                                          "_Alignof",
                                          "__alignof__",
                                          "__extension__",
                                          "do",
                                          "else",
                                          "goto" };
    const struct token *token = &writer->tokens[i];
    if (token->kind != TOKEN_WORD || i + 1 >= end || !is(writer, i + 1, "(") ||
        writer->tokens[i + 1].mate <= i || writer->tokens[i + 1].mate >= end)
        return false;
    if (token->length > 9 && memcmp(token->at, "__builtin", 9) == 0)
        return false;
    for (size_t j = 0; j < sizeof others / sizeof *others; j++)
        if (token_is(token, others[j]))
            return false;
    const struct token *before = &writer->tokens[i - 1];
    if (before->kind == TOKEN_WORD && !token_is(before, "return") && !token_is(before, "else") &&
        !token_is(before, "do") && !token_is(before, "case"))
        return false; /* a declaration */
    return true;
}

/* A stream that was opened is none of the three that are there; to know it, an analyzer must see
 * where those are. */
static void write_word(struct writer *writer, size_t at)
{
    static const char *const streams[] = { "stdin", "stdout", "stderr" };
    const struct token *token = &writer->tokens[at];
    for (size_t i = 0; i < 3 && token->kind == TOKEN_WORD; i++)
        if (token_is(token, streams[i]) && !is(writer, at - 1, ".") && !is(writer, at - 1, "->")) {
            model_print(writer->model, "((__typeof__(%s))&__snag_%s)", streams[i], streams[i]);
            return;
        }
    model_add(writer->model, token->at, token->length);
}

/* Within a function. */
static void write_tokens(struct writer *writer, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        if (is(writer, i, "sizeof") || is(writer, i, "__typeof__") || is(writer, i, "typeof") ||
            is(writer, i, "__attribute__")) { /* nothing is called in there */
            size_t last = writer->tokens[i + 1].mate > i ? writer->tokens[i + 1].mate : i;
            for (; i < last && i < end; i++) {
                write_gap(writer, i);
                model_add(writer->model, writer->tokens[i].at, writer->tokens[i].length);
            }
        }
        if (is_call(writer, i, end)) {
            write_call(writer, i);
            i = writer->tokens[i + 1].mate;
            continue;
        }
        write_gap(writer, i);
        write_word(writer, i);
    }
}

/* Whether the mention of an object at AT lets it out of the function. */
static bool object_escapes(const struct writer *writer, size_t at)
{
    bool is_address = is(writer, at - 1, "&");
    if (is(writer, at + 1, ".") || is(writer, at + 1, "["))
        return false;
    if (!is_address)
        return is(writer, at - 1, "=") || is(writer, at - 1, "return");
    size_t open = at;
    while (open > writer->scope.function->body &&
           !(is(writer, open, "(") && writer->tokens[open].mate > at &&
             writer->tokens[open - 1].kind == TOKEN_WORD))
        open--;
    if (is(writer, at - 2, "=") || open == writer->scope.function->body)
        return true;
    int argument;
    char *function = word_of(writer, open - 1);
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
        if (token->kind != TOKEN_WORD || !token_is(token, name) || is(writer, i - 1, ".") ||
            is(writer, i - 1, "->"))
            continue;
        if (!is_declared) { /* its first mention: `z_stream stream`, not static */
            if (writer->tokens[i - 1].kind != TOKEN_WORD || is(writer, i - 1, "return"))
                return false;
            for (size_t j = i; !is(writer, j, ";") && !is(writer, j, "{") && !is(writer, j, "}");
                 j--)
                if (is(writer, j, "static") || is(writer, j, "extern"))
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
        if (!is_call(writer, i, function->last))
            continue;
        char *maker = word_of(writer, i);
        const struct resource *row = table_maker(writer->model->table, maker);
        struct site site = { .variable = NULL };
        free(maker);
        if (!row || row->is_number || row->where != BY_RETURN)
            continue;
        read_use(writer, i, &site);
        if (site.variable && !list_has_text(&writer->scope.holders, site.variable))
            list_add(&writer->scope.holders, text_copy(site.variable, strlen(site.variable)));
    }
}

static void find_streams(struct writer *writer)
{
    const struct function *function = writer->scope.function;
    for (size_t i = function->body; i < function->last; i++)
        if (is(writer, i, "stdin") || is(writer, i, "stdout") || is(writer, i, "stderr"))
            writer->scope.has_streams |= is(writer, i - 1, "==") || is(writer, i - 1, "!=") ||
                                         is(writer, i + 1, "==") || is(writer, i + 1, "!=");
}

static void find_objects(struct writer *writer)
{
    const struct function *function = writer->scope.function;
    for (size_t i = function->body; i < function->last; i++) {
        struct arguments arguments;
        if (!is_call(writer, i, function->last) || !read_arguments(writer, i + 1, &arguments))
            continue;
        char *maker = word_of(writer, i);
        const struct resource *row = table_maker(writer->model->table, maker);
        free(maker);
        if (!row || row->where != BY_OBJECT || (int)arguments.count < row->argument)
            continue;
        size_t at = named_object(writer, &arguments, row->argument);
        if (!at)
            continue;
        char *name = word_of(writer, at);
        if (!list_has_text(&writer->scope.objects, name) && is_local_object(writer, name))
            list_add(&writer->scope.objects, name);
        else
            free(name);
    }
}

static void write_function(struct writer *writer, const struct function *function)
{
    writer->scope = (struct scope){ .function = function };
    find_objects(writer);
    find_holders(writer);
    find_streams(writer);
    write_gap(writer, function->body);
    model_print(writer->model, "{");
    for (size_t i = 0; i < writer->scope.objects.count; i++)
        model_print(writer->model, " void *__snag_object_%s = 0;",
                    (char *)writer->scope.objects.items[i]);
    write_tokens(writer, function->body + 1, function->last + 1);
}

/* A declaration of the project's own, of a function that only uses what it is given, is read as
 * one of a system's header: an analyzer then believes that nothing is kept. */
static size_t write_borrower(struct writer *writer, size_t at)
{
    const struct unit *unit = writer->unit;
    size_t end = at, name = 0;
    while (end < unit->count && !is(writer, end, ";") && !is(writer, end, "{") &&
           !is(writer, end, "=")) {
        if (!name && is(writer, end, "(") && writer->tokens[end - 1].kind == TOKEN_WORD)
            name = end - 1;
        end = writer->tokens[end].mate > end ? writer->tokens[end].mate + 1 : end + 1;
    }
    if (!name || end >= unit->count || !is(writer, end, ";"))
        return at;
    char *function = word_of(writer, name);
    bool borrows = table_borrows(writer->model->table, function) && !unit_function(unit, function);
    free(function);
    if (!borrows)
        return at;
    const struct token *first = &writer->tokens[at], *last = &writer->tokens[end];
    const char *file = unit->files.items[first->file];
    write_gap(writer, at);
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
        bool starts = i == 1 || is(&writer, i - 1, ";") || is(&writer, i - 1, "}");
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
        write_gap(&writer, i);
        model_add(model, writer.tokens[i].at, writer.tokens[i].length);
    }
    model_add(model, "\n", 1);
}
