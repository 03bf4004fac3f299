/* tokens.c: what each target wants to be shown; see tokens.h. */
#include "collect/tokens.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct token {
    struct token *next;
    char *whose;
    char *token;
};

/* It stands in a header: one line of printable characters. */
static bool is_token(const char *text)
{
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at > '~')
            return false;
    return *text != 0;
}

static int add(struct tokens *tokens, const char *whose, const char *token)
{
    char *copy = strdup(token);
    if (!copy)
        return -ENOMEM;
    if (!whose) {
        free(tokens->for_all);
        tokens->for_all = copy;
        return 0;
    }
    struct token *entry = calloc(1, sizeof *entry);
    if (entry)
        entry->whose = strdup(whose);
    if (!entry || !entry->whose) {
        free(entry);
        free(copy);
        return -ENOMEM;
    }
    entry->token = copy;
    entry->next = tokens->list;
    tokens->list = entry;
    return 0;
}

/* LINE is taken apart. */
static int add_line(struct tokens *tokens, char *line)
{
    char *rest;
    char *first = strtok_r(line, " \t\r\n", &rest);
    if (!first || *first == '#')
        return 0;
    char *second = strtok_r(NULL, " \t\r\n", &rest);
    if (strtok_r(NULL, " \t\r\n", &rest) || !is_token(second ? second : first))
        return -EINVAL;
    return add(tokens, second ? first : NULL, second ? second : first);
}

static int read_lines(struct tokens *tokens, FILE *from, unsigned *number)
{
    char *line = NULL;
    size_t room = 0;
    int status = 0;
    while (status == 0 && getline(&line, &room, from) >= 0) {
        ++*number;
        status = add_line(tokens, line);
    }
    if (line)
        explicit_bzero(line, room);
    free(line);
    return status ? status : ferror(from) ? -EIO : 0;
}

int tokens_read(struct tokens *tokens, const char *file, char *why, size_t size)
{
    struct tokens fresh = { .list = NULL };
    const char *given = getenv("SNAG_TOKEN");
    unsigned number = 0;
    int status = 0;
    if (given && *given && !is_token(given)) {
        snprintf(why, size, "SNAG_TOKEN is no token: printable characters without spaces are");
        return -EINVAL;
    }
    if (given && *given)
        status = add(&fresh, NULL, given);
    FILE *from = file && status == 0 ? fopen(file, "re") : NULL;
    if (file && !from && status == 0)
        status = -errno;
    if (from) {
        status = read_lines(&fresh, from, &number);
        fclose(from);
    }
    if (status) {
        tokens_free(&fresh);
        if (status == -EINVAL)
            snprintf(why, size, "%s:%u: neither TOKEN nor SERVICE TOKEN", file, number);
        else
            snprintf(why, size, "%s: %s", file ? file : "SNAG_TOKEN", strerror(-status));
        return status;
    }
    tokens_free(tokens);
    *tokens = fresh;
    return 0;
}

const char *tokens_find(const struct tokens *tokens, const struct target *target)
{
    for (const struct token *at = tokens->list; at; at = at->next)
        if (strcmp(at->whose, target->place.text) == 0)
            return at->token;
    for (const struct token *at = tokens->list; at; at = at->next)
        if (strcmp(at->whose, target->service) == 0)
            return at->token;
    return tokens->for_all;
}

void tokens_free(struct tokens *tokens)
{
    while (tokens->list) {
        struct token *first = tokens->list;
        tokens->list = first->next;
        free(first->whose);
        free(first->token);
        free(first);
    }
    free(tokens->for_all);
    tokens->for_all = NULL;
}
