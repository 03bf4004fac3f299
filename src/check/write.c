/* write.c: what the writers of a model stand on: text, tokens, the arguments of a call, and
 * what becomes of its result.
 *
 * Lines stay what they are: what stands between two tokens (newlines, line markers) is written
 * once, before the second of them (writer_gap). What is written a second time is written in one
 * line (writer_raw). */
#include "check/model.h"

#include <stdlib.h>
#include <string.h>

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

bool writer_is(const struct writer *writer, size_t token, const char *text)
{
    return token_is(&writer->tokens[token], text);
}

char *writer_word(const struct writer *writer, size_t token)
{
    return text_copy(writer->tokens[token].at, writer->tokens[token].length);
}

/* What stands before a token: white space, newlines, line markers. */
void writer_gap(struct writer *writer, size_t token)
{
    const struct token *before = &writer->tokens[token - 1];
    const char *from = before->at + before->length;
    model_add(writer->model, from, (size_t)(writer->tokens[token].at - from));
}

/* The tokens again in one line, as they were. */
void writer_raw(struct writer *writer, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        model_add(writer->model, " ", 1);
        model_add(writer->model, writer->tokens[i].at, writer->tokens[i].length);
    }
}

char *writer_text(const struct writer *writer, size_t from, size_t end)
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

bool writer_arguments(const struct writer *writer, size_t open, struct arguments *arguments)
{
    size_t close = writer->tokens[open].mate;
    arguments->count = 0;
    if (close == open + 1)
        return true;
    size_t first = open + 1;
    for (size_t i = first; i <= close; i++) {
        if (writer->tokens[i].mate > i)
            i = writer->tokens[i].mate;
        else if (i == close || writer_is(writer, i, ",")) {
            if (arguments->count == 32)
                return false;
            arguments->first[arguments->count] = first;
            arguments->end[arguments->count++] = i;
            first = i + 1;
        }
    }
    return true;
}

/* The first token of the postfix expression that ends before END, as `s->fds[0]`. */
size_t writer_postfix(const struct writer *writer, size_t end)
{
    size_t i = end - 1;
    for (;;) {
        while (writer_is(writer, i, "]") && writer->tokens[i].mate)
            i = writer->tokens[i].mate - 1;
        if (writer->tokens[i].kind != TOKEN_WORD)
            return end;
        if (!writer_is(writer, i - 1, ".") && !writer_is(writer, i - 1, "->"))
            return i;
        i -= 2;
    }
}

static bool ends_head(const struct writer *writer, size_t close)
{
    static const char *const heads[] = { "if", "while", "for", "switch" };
    size_t open = writer->tokens[close].mate;
    for (size_t i = 0; open && i < sizeof heads / sizeof *heads; i++)
        if (writer_is(writer, open - 1, heads[i]))
            return true;
    return false;
}

/* Whether a statement may begin behind the token. */
static bool starts_statement(const struct writer *writer, size_t before)
{
    static const char *const signs[] = { ";", "{", "}", ":", "else", "do" };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (writer_is(writer, before, signs[i]))
            return true;
    return writer_is(writer, before, ")") && ends_head(writer, before);
}

/* What becomes of the result of the call that begins at NAME. */
void writer_use(struct writer *writer, size_t name, struct site *site)
{
    size_t before = name - 1, after = writer->tokens[name + 1].mate + 1;
    while (writer_is(writer, before, ")") && writer->tokens[before].mate &&
           !ends_head(writer, before))
        before = writer->tokens[before].mate - 1; /* a cast */
    if (writer_is(writer, before, "=")) {
        size_t end = before; /* `file __attribute__((cleanup(f))) =` */
        while (writer_is(writer, end - 1, ")") &&
               writer_is(writer, writer->tokens[end - 1].mate - 1, "__attribute__"))
            end = writer->tokens[end - 1].mate - 1;
        size_t from = writer_postfix(writer, end);
        if (from < end)
            site->variable = writer_text(writer, from, end);
    }
    static const char *const tests[] = { "==", "!=", "<", ">=", "?", "&&", "||" };
    bool is_tested = writer_is(writer, before, "!") ||
                     (writer_is(writer, after, ")") && writer_is(writer, before, "(") &&
                      ends_head(writer, after));
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        is_tested |= writer_is(writer, after, tests[i]);
    bool is_statement = writer_is(writer, after, ";") && starts_statement(writer, before);
    site->lost = !writer_is(writer, before, "=") && (is_statement || is_tested);
}

bool writer_is_call(const struct writer *writer, size_t i, size_t end)
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
    if (token->kind != TOKEN_WORD || i + 1 >= end || !writer_is(writer, i + 1, "(") ||
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

/* The name in an argument that is `&name`, maybe in parentheses (macros); 0: it is another. */
size_t writer_object(const struct writer *writer, const struct arguments *arguments, int argument)
{
    size_t first = arguments->first[argument - 1], end = arguments->end[argument - 1];
    while (end > first + 2 && writer_is(writer, first, "(") &&
           writer->tokens[first].mate == end - 1) {
        first++;
        end--;
    }
    return end == first + 2 && writer_is(writer, first, "&") ? first + 1 : 0;
}
