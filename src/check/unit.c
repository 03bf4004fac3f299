/* unit.c: what a preprocessed file defines and declares.
 *
 * No parser of C: at file scope a word before a pair of parentheses is a function, and a brace
 * behind it (after attributes, or parameters in the old style) makes it a definition. That holds
 * for C as it is written, and a miss costs a finding, never a wrong one. */
#include "check/check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_attribute(const struct token *token)
{
    return token_is(token, "__attribute__") || token_is(token, "__attribute") ||
           token_is(token, "__asm__") || token_is(token, "asm") || token_is(token, "__asm") ||
           token_is(token, "_Alignas") || token_is(token, "__declspec") ||
           token_is(token, "__typeof__") || token_is(token, "typeof") ||
           token_is(token, "_Static_assert");
}

/* The end of the declaration that begins at FROM: its ';', or the closing brace of a body. */
static size_t declaration_end(const struct unit *unit, size_t from, size_t *name, size_t *body)
{
    const struct token *tokens = unit->tokens;
    *name = *body = 0;
    for (size_t i = from; i < unit->count; i++) {
        const struct token *token = &tokens[i];
        if (token->kind == TOKEN_WORD && is_attribute(token) && i + 1 < unit->count &&
            tokens[i + 1].mate > i) {
            i = tokens[i + 1].mate;
        } else if (token_is(token, ";")) {
            return i;
        } else if (token_is(token, "(") && token->mate) {
            if (!*name && i > from && tokens[i - 1].kind == TOKEN_WORD)
                *name = i - 1;
            i = token->mate;
        } else if (token_is(token, "=")) {
            *name = 0; /* a variable */
        } else if (token_is(token, "{") && token->mate) {
            i = token->mate;
            if (*name && tokens[*name + 1].mate < i) {
                *body = tokens[i].mate;
                return i;
            }
        }
    }
    return unit->count;
}

/* The variable that a cleanup attribute at AT is for: the word before the attribute. */
static void add_scoped(const struct unit *unit, struct function *function, size_t at)
{
    const struct token *tokens = unit->tokens;
    size_t i = at;
    while (i > function->body && !is_attribute(&tokens[i]))
        i--;
    const struct token *word = &tokens[i - 1];
    if (word->kind == TOKEN_WORD && tokens[i - 2].kind != TOKEN_SIGN) {
        list_add(&function->scoped, text_copy(word->at, word->length));
        return;
    }
    if (word->kind == TOKEN_WORD && token_is(&tokens[i - 2], "*")) {
        list_add(&function->scoped, text_copy(word->at, word->length));
        return;
    }
    /* __attribute__((cleanup(f))) FILE *file = ...: the word before what ends the declarator. */
    for (i = tokens[i + 1].mate + 1; i < function->last; i++)
        if (tokens[i].kind == TOKEN_SIGN && !token_is(&tokens[i], "*")) {
            list_add(&function->scoped, text_copy(tokens[i - 1].at, tokens[i - 1].length));
            return;
        }
}

static void add_function(struct unit *unit, size_t name, size_t body, size_t last)
{
    const struct token *token = &unit->tokens[name];
    if ((unit->function_count & (unit->function_count + 1)) == 0)
        unit->functions =
            checked_grow(unit->functions, (2 * unit->function_count + 2) * sizeof *unit->functions);
    struct function *function = &unit->functions[unit->function_count++];
    *function = (struct function){
        .name = text_copy(token->at, token->length),
        .first = (unsigned)name,
        .body = (unsigned)body,
        .last = (unsigned)last,
        .file = token->file,
        .first_line = token->line,
        .last_line = unit->tokens[last].line,
    };
    for (size_t i = body; i < last; i++)
        if (token_is(&unit->tokens[i], "cleanup") || token_is(&unit->tokens[i], "__cleanup__"))
            add_scoped(unit, function, i);
}

bool unit_read(struct unit *unit, const char *path)
{
    memset(unit, 0, sizeof *unit);
    unit->text = text_read(path, &unit->length);
    if (!unit->text)
        return false;
    unit_tokens(unit);
    for (size_t i = 1; i < unit->count;) {
        size_t name, body;
        size_t end = declaration_end(unit, i, &name, &body);
        const struct token *token = &unit->tokens[name];
        if (name && token->in_system)
            list_add(&unit->system, text_copy(token->at, token->length));
        else if (name && body)
            add_function(unit, name, body, end);
        i = end + 1;
    }
    if (unit->system.count > 1)
        qsort(unit->system.items, unit->system.count, sizeof(char *), by_text);
    return true;
}

/* What else there is stays: findings point to it. */
void unit_free(struct unit *unit)
{
    free(unit->text);
    free(unit->tokens);
    unit->text = NULL;
    unit->tokens = NULL;
    unit->count = 0;
}

/* The string that begins with the token at AT: what stands side by side is one. */
static char *string_at(const struct unit *unit, size_t at)
{
    size_t length = 0;
    char *text = checked_alloc(1);
    for (; at < unit->count && unit->tokens[at].kind == TOKEN_STRING; at++) {
        const struct token *token = &unit->tokens[at];
        if (token->length < 2)
            continue;
        text = checked_grow(text, length + token->length);
        memcpy(text + length, token->at + 1, token->length - 2);
        length += token->length - 2;
        text[length] = 0;
    }
    return text;
}

static bool any_word(const struct unit *unit, size_t from, size_t end, const char *word)
{
    for (size_t i = from; i < end; i++)
        if (token_is(&unit->tokens[i], word))
            return true;
    return false;
}

/* The declaration from FROM, of what is called as the token at NAME says, is annotated at AT:
 * "snag:released-by:http_close:1". */
static void annotate(const struct unit *unit, size_t from, size_t name, size_t at,
                     struct table *table)
{
    static const char mark[] = "snag:released-by:";
    char *text = string_at(unit, at), *what = text + sizeof mark - 1;
    char *colon = strncmp(text, mark, sizeof mark - 1) == 0 ? strrchr(what, ':') : NULL;
    if (!colon || colon == what || atoi(colon + 1) < 1) {
        free(text);
        return;
    }
    *colon = 0;
    bool is_number = !any_word(unit, from, name, "*") &&
                     (any_word(unit, from, name, "int") || any_word(unit, from, name, "long"));
    const struct token *maker = &unit->tokens[name];
    table_annotate(table, text_copy(maker->at, maker->length), is_number, what, atoi(colon + 1));
}

void unit_annotations(const struct unit *unit, struct table *table)
{
    for (size_t i = 1; i < unit->count;) {
        size_t name, body;
        size_t end = declaration_end(unit, i, &name, &body);
        for (size_t j = i; name && j < (body ? body : end) && j < unit->count; j++)
            if (unit->tokens[j].kind == TOKEN_STRING)
                annotate(unit, i, name, j, table);
        i = end + 1;
    }
}

const struct function *unit_function(const struct unit *unit, const char *name)
{
    for (size_t i = 0; i < unit->function_count; i++)
        if (strcmp(unit->functions[i].name, name) == 0)
            return &unit->functions[i];
    return NULL;
}

bool unit_is_system(const struct unit *unit, const char *name)
{
    return unit->system.count > 0 &&
           bsearch(&name, unit->system.items, unit->system.count, sizeof(char *), by_text) != NULL;
}
