/* tokens.c: what a preprocessor wrote, as tokens that know where they came from.
 *
 * Line markers (# 12 "file.c" 1 3) give file, line and whether it is a header of the system; they
 * stay in the text, between the tokens, so that whoever copies the text keeps them. */
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    struct unit *unit;
    const char *at;
    unsigned file, line;
    bool in_system, line_start;
    size_t room;
    unsigned *open; /* brackets that wait for their mate */
    size_t open_count, open_room;
};

bool token_is(const struct token *token, const char *text)
{
    return strlen(text) == token->length && memcmp(token->at, text, token->length) == 0;
}

static unsigned file_number(struct unit *unit, const char *path, size_t length)
{
    for (size_t i = unit->files.count; i > 0; i--) {
        const char *known = unit->files.items[i - 1];
        if (strncmp(known, path, length) == 0 && !known[length])
            return (unsigned)(i - 1);
    }
    list_add(&unit->files, text_copy(path, length));
    return (unsigned)(unit->files.count - 1);
}

/* A line that begins with '#': a marker, or a pragma that means nothing here. */
static void read_marker(struct reader *reader)
{
    const char *at = reader->at + 1;
    const char *end = strchr(at, '\n');
    char *after;
    if (!end)
        end = at + strlen(at);
    reader->at = end;
    while (*at == ' ')
        at++;
    if (strncmp(at, "line ", 5) == 0)
        at += 5;
    unsigned long line = strtoul(at, &after, 10);
    if (after == at || after[0] != ' ' || after[1] != '"')
        return;
    const char *path = after + 2;
    const char *quote = memchr(path, '"', (size_t)(end - path));
    if (!quote)
        return;
    reader->file = file_number(reader->unit, path, (size_t)(quote - path));
    reader->line = (unsigned)line - 1; /* the newline behind it counts */
    reader->in_system = false;
    for (at = quote + 1; at < end; at++)
        if (*at == '3')
            reader->in_system = true;
}

static const char *string_end(const char *at)
{
    char quote = *at++;
    while (*at && *at != quote && *at != '\n')
        at += *at == '\\' && at[1] ? 2 : 1;
    return *at == quote ? at + 1 : at;
}

static size_t sign_length(const char *at)
{
    static const char *const longer[] = { "...", "->", "==", "!=", "<=", ">=", "&&",
                                          "||",  "++", "--", "+=", "-=", "*=", "/=",
                                          "|=",  "&=", "^=", "<<", ">>" };
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        if (strncmp(at, longer[i], strlen(longer[i])) == 0)
            return strlen(longer[i]);
    return 1;
}

static void match_bracket(struct reader *reader, unsigned number, char sign)
{
    static const char closing[] = ")]}", opening[] = "([{";
    struct token *tokens = reader->unit->tokens;
    if (strchr(opening, sign)) {
        if (reader->open_count == reader->open_room)
            reader->open =
                checked_grow(reader->open, (reader->open_room = 2 * reader->open_room + 64) *
                                               sizeof *reader->open);
        reader->open[reader->open_count++] = number;
        return;
    }
    const char *which = strchr(closing, sign);
    if (!which || reader->open_count == 0)
        return;
    unsigned mate = reader->open[reader->open_count - 1];
    if (*tokens[mate].at != opening[which - closing])
        return;
    reader->open_count--;
    tokens[mate].mate = number;
    tokens[number].mate = mate;
}

static void add_token(struct reader *reader, enum token_kind kind, const char *end)
{
    struct unit *unit = reader->unit;
    if (unit->count == reader->room)
        unit->tokens = checked_grow(unit->tokens, (reader->room = 2 * reader->room + 4096) *
                                                      sizeof *unit->tokens);
    unit->tokens[unit->count++] = (struct token){
        .at = reader->at,
        .length = (unsigned)(end - reader->at),
        .kind = kind,
        .in_system = reader->in_system,
        .file = reader->file,
        .line = reader->line,
    };
    if (kind == TOKEN_SIGN && end - reader->at == 1)
        match_bracket(reader, (unsigned)(unit->count - 1), *reader->at);
    reader->at = end;
}

static void read_token(struct reader *reader)
{
    const char *at = reader->at, *end = at;
    bool is_number = *at >= '0' && *at <= '9';
    if (*at == '"' || *at == '\'') {
        add_token(reader, TOKEN_STRING, string_end(at));
        return;
    }
    if (!is_word_character(*at)) {
        add_token(reader, TOKEN_SIGN, at + sign_length(at));
        return;
    }
    while (is_word_character(*end) || (is_number && (*end == '.' || ((*end == '+' || *end == '-') &&
                                                                     strchr("eEpP", end[-1])))))
        end++;
    add_token(reader, is_number ? TOKEN_NUMBER : TOKEN_WORD, end);
}

/* Token 0 is none, so that a mate of 0 is none. */
bool unit_tokens(struct unit *unit)
{
    struct reader reader = { .unit = unit, .at = unit->text, .line = 1, .line_start = true };
    file_number(unit, "", 0);
    add_token(&reader, TOKEN_STRING, reader.at);
    while (*reader.at) {
        char c = *reader.at;
        if (c == '#' && reader.line_start) {
            read_marker(&reader);
            continue;
        }
        if (c == '\n') {
            reader.line++;
            reader.line_start = true;
            reader.at++;
        } else if (c == ' ' || c == '\t' || c == '\f' || c == '\v' || c == '\r') {
            reader.at++;
        } else {
            reader.line_start = false;
            read_token(&reader);
        }
    }
    free(reader.open);
    return reader.open_count == 0;
}
