/* query.c: the query; see query.h.
 *
 * A table of parameters, each with its own check. A parameter that is
 * misspelt or out of range is refused instead of ignored: a profile of something
 * else than was asked for looks just as good. */
#include "server/query.h"

#include "base/number.h"
#include "server/reply.h"
#include "server/request.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_MOST 3600

static bool take_debug(const char *value, struct query *query)
{
    return value[0] && !value[1] && number_read(value, 2, &query->debug);
}

static bool take_seconds(const char *value, struct query *query)
{
    return number_read(value, SECONDS_MOST, &query->seconds) && query->seconds > 0;
}

static bool take_tid(const char *value, struct query *query)
{
    unsigned number = 0;
    bool good = value[0] && !value[1] && number_read(value, 1, &number);
    query->tid = number == 1;
    return good;
}

static bool take_format(const char *value, struct query *query)
{
    query->json = strcmp(value, "json") == 0;
    return query->json || strcmp(value, "text") == 0;
}

static bool take_any(const char *value, struct query *query)
{
    (void)value;
    (void)query;
    return true;
}

static const struct parameter {
    const char *name;
    enum query_parameter bit;
    bool (*take)(const char *value, struct query *query);
    const char *allowed;
} parameters[] = {
    { "debug", QUERY_DEBUG, take_debug, "0 (pprof), 1 (text by stack) or 2 (one block for each)" },
    { "seconds", QUERY_SECONDS, take_seconds, "a whole number from 1 to 3600" },
    { "gc", QUERY_GC, take_any, "anything" },
    { "tid", QUERY_TID, take_tid, "0 or 1" },
    { "format", QUERY_FORMAT, take_format, "text or json" },
    { "token", QUERY_TOKEN, take_any, "a token" },
};

#define PARAMETER_COUNT (sizeof parameters / sizeof *parameters)

static bool refuse_name(const char *name, unsigned allowed, char *error, size_t size)
{
    char quoted[40];
    int length = snprintf(error, size,
                          "unknown parameter \"%s\": ", reply_quote(quoted, sizeof quoted, name));
    const char *comma = "";
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        if (!(allowed & parameters[i].bit) || length < 0 || (size_t)length >= size)
            continue;
        length +=
            snprintf(error + length, size - (size_t)length, "%s%s", comma, parameters[i].name);
        comma = ", ";
    }
    if (length >= 0 && (size_t)length < size)
        snprintf(error + length, size - (size_t)length, " can be given here");
    return false;
}

static bool take(const char *name, const char *value, unsigned allowed, struct query *query,
                 char *error, size_t size)
{
    char quoted[40];
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        const struct parameter *parameter = &parameters[i];
        if (strcmp(name, parameter->name) != 0 || !(allowed & parameter->bit))
            continue;
        if (query->given & parameter->bit) {
            snprintf(error, size, "%s is there twice: once is allowed", name);
            return false;
        }
        query->given |= parameter->bit;
        if (parameter->take(value, query))
            return true;
        snprintf(error, size, "%s=%s: %s is allowed", name,
                 reply_quote(quoted, sizeof quoted, value), parameter->allowed);
        return false;
    }
    return refuse_name(name, allowed, error, size);
}

/* Copies the next "name=value" of *TEXT, decoded, and moves past it. False
 * with ERROR set when it cannot be decoded or is too long. */
static bool next_pair(const char **text, char *pair, size_t pair_size, char **value, char *error,
                      size_t size)
{
    size_t length = strcspn(*text, "&");
    if (length >= pair_size) {
        snprintf(error, size, "a parameter is too long: %d bytes are allowed", QUERY_VALUE_MOST);
        return false;
    }
    memcpy(pair, *text, length);
    pair[length] = 0;
    *text += length + ((*text)[length] == '&');
    *value = strchr(pair, '=');
    if (*value)
        *(*value)++ = 0;
    else
        *value = pair + length;
    if (!percent_decode(pair) || !percent_decode(*value)) {
        snprintf(error, size,
                 "a %% in the query that is not followed by two digits of a printable character");
        return false;
    }
    if (strlen(*value) <= QUERY_VALUE_MOST)
        return true;
    snprintf(error, size, "a parameter is too long: %d bytes are allowed", QUERY_VALUE_MOST);
    return false;
}

bool query_parse(const char *text, unsigned allowed, struct query *query, char *error, size_t size)
{
    *query = (struct query){ 0 };
    while (*text) {
        char pair[QUERY_VALUE_MOST * 3 + 32];
        char *value;
        if (*text == '&') {
            text++;
            continue;
        }
        if (!next_pair(&text, pair, sizeof pair, &value, error, size) ||
            !take(pair, value, allowed, query, error, size))
            return false;
    }
    return true;
}

/* Whether the part of a query at TEXT is a token. */
static bool is_token(const char *text)
{
    return strncmp(text, "token=", 6) == 0;
}

bool query_token(const char *text, char *token, size_t size)
{
    while (*text) {
        size_t length = strcspn(text, "&");
        if (is_token(text)) {
            char value[QUERY_VALUE_MOST * 3 + 1];
            if (length - 6 >= sizeof value)
                return false;
            memcpy(value, text + 6, length - 6);
            value[length - 6] = 0;
            if (!percent_decode(value) || strlen(value) >= size)
                return false;
            memcpy(token, value, strlen(value) + 1);
            return true;
        }
        text += length + (text[length] == '&');
    }
    return false;
}

void query_without_token(const char *text, char *rest, size_t size)
{
    size_t used = 0;
    while (*text) {
        size_t length = strcspn(text, "&");
        if (!is_token(text) && used + length + 2 <= size) {
            memcpy(rest + used, text, length);
            used += length;
            rest[used++] = '&';
        }
        text += length + (text[length] == '&');
    }
    rest[used > 0 ? used - 1 : 0] = 0;
}
