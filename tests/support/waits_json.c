/* waits_json.c: waits read back from JSON; see waits_json.h. */
#include "waits_json.h"
#include "http_get.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What follows "KEY": between AT and END; NULL. */
static const char *value_of(const char *at, const char *end, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *found = strstr(at, quoted);
    return found && found < end ? found + strlen(quoted) : NULL;
}

static void text_of(const char *at, const char *end, const char *key, char *text, size_t size)
{
    const char *value = value_of(at, end, key);
    size_t length = 0;
    if (value && *value == '"')
        for (value++; *value && *value != '"' && length + 2 < size; value++) {
            if (*value == '\\')
                text[length++] = *value++;
            text[length++] = *value;
        }
    text[length] = 0;
}

static uint64_t number_of(const char *at, const char *end, const char *key, uint64_t otherwise)
{
    const char *value = value_of(at, end, key);
    if (!value || strncmp(value, "null", 4) == 0)
        return otherwise;
    return strtoull(*value == '"' ? value + 1 : value, NULL, 0);
}

static bool truth_of(const char *at, const char *end, const char *key)
{
    const char *value = value_of(at, end, key);
    return value && strncmp(value, "true", 4) == 0;
}

static void read_wait(const char *at, const char *end, struct seen_wait *wait)
{
    memset(wait, 0, sizeof *wait);
    wait->tid = atoi(at + strlen("{\"tid\": "));
    text_of(at, end, "thread", wait->name, sizeof wait->name);
    const char *frames = strstr(at, "\"frames\": ");
    const char *begin = strstr(at, "\"wait\": ");
    if (!begin || !frames || begin > frames)
        abort();
    text_of(begin, frames, "on", wait->on, sizeof wait->on);
    text_of(begin, frames, "detail", wait->detail, sizeof wait->detail);
    wait->fd = (int)number_of(begin, frames, "fd", UINT64_MAX);
    wait->object = number_of(begin, frames, "object", 0);
    wait->holder = (pid_t)number_of(begin, frames, "holder", 0);
    wait->timed = truth_of(begin, frames, "timed");
    wait->never = truth_of(begin, frames, "never");
    wait->deadlock = number_of(begin, frames, "deadlock", 0);
}

static void read_all(const char *text, struct seen_waits *seen)
{
    static const char mark[] = "{\"tid\": ";
    const char *at = strstr(text, mark);
    while (at) {
        const char *next = strstr(at + 1, mark);
        seen->waits = realloc(seen->waits, (seen->count + 1) * sizeof *seen->waits);
        if (!seen->waits)
            abort();
        read_wait(at, next ? next : at + strlen(at), &seen->waits[seen->count++]);
        at = next;
    }
}

int seen_get(const char *address, struct seen_waits *seen)
{
    struct http_reply reply;
    memset(seen, 0, sizeof *seen);
    int status = http_get(address, "/debug/threads?format=json", 60, &reply);
    if (status == 0 && reply.status != 200)
        status = -EPROTO;
    if (status == 0)
        read_all(reply.body, seen);
    http_reply_free(&reply);
    return status;
}

void seen_free(struct seen_waits *seen)
{
    free(seen->waits);
    memset(seen, 0, sizeof *seen);
}

const struct seen_wait *seen_find(const struct seen_waits *seen, pid_t tid)
{
    for (size_t i = 0; i < seen->count; i++)
        if (seen->waits[i].tid == tid)
            return &seen->waits[i];
    return NULL;
}
