/* dump_text.c: reading a dump back; see dump_text.h.
 *
 * Strict on purpose: a line that fits no form fails the test, so a change of
 * the format cannot make a comparison pass by comparing nothing. */
#include "dump_text.h"
#include "http_get.h"

#include <snag/snag.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct dump_thread *add_thread(struct dump *dump)
{
    if (dump->count % 64 == 0) {
        struct dump_thread *more = realloc(dump->threads, (dump->count + 64) * sizeof *more);
        if (!more)
            abort();
        dump->threads = more;
    }
    struct dump_thread *thread = &dump->threads[dump->count++];
    memset(thread, 0, sizeof *thread);
    return thread;
}

/* A frame of THREAD; the same number again is a function inlined there. */
static bool add_frame(struct dump_thread *thread, size_t number, uint64_t address,
                      const char *words)
{
    bool again = thread->count > 0 && number == thread->count - 1;
    if (number >= DUMP_FRAMES || (!again && number != thread->count))
        return false;
    if (again && thread->frames[number] != address)
        return false;
    char *joined = NULL;
    int length = again ? asprintf(&joined, "%s < %s", thread->functions[number], words)
                       : asprintf(&joined, "%s", words);
    if (length < 0)
        abort();
    free(thread->functions[number]);
    thread->functions[number] = joined;
    thread->frames[number] = address;
    thread->count = number + 1;
    return true;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* thread 12 "name" [doing]: state, captured by HOW */
static bool read_heading(const char *line, struct dump *dump)
{
    struct dump_thread *thread = add_thread(dump);
    int tid;
    const char *quote = strchr(line, '"');
    const char *bracket = strstr(line, "\" [");
    const char *colon = bracket ? strstr(bracket, "]: ") : NULL;
    const char *how = colon ? strstr(colon, ", captured by ") : NULL;
    if (!quote || !how || sscanf(line, "thread %d ", &tid) != 1)
        return false;
    thread->tid = tid;
    snprintf(thread->name, sizeof thread->name, "%.*s", (int)(bracket - quote - 1), quote + 1);
    snprintf(thread->doing, sizeof thread->doing, "%.*s", (int)(colon - bracket - 3), bracket + 3);
    snprintf(thread->state, sizeof thread->state, "%.*s", (int)(how - colon - 3), colon + 3);
    snprintf(thread->capture, sizeof thread->capture, "%s", how + strlen(", captured by "));
    return true;
}

/* #12  0x00007f... words */
static bool read_frame(const char *line, struct dump *dump)
{
    size_t number;
    uint64_t address;
    int length = 0;
    return dump->count > 0 &&
           sscanf(line, "#%zu 0x%" SCNx64 " %n", &number, &address, &length) == 2 &&
           add_frame(&dump->threads[dump->count - 1], number, address, line + length);
}

static bool read_line(const char *line, struct dump *dump)
{
    if (starts(line, "thread "))
        return read_heading(line, dump);
    if (starts(line, "#"))
        return read_frame(line, dump);
    if (dump->count == 0)
        return true; /* the totals */
    return line[0] == 0 || starts(line, "     ") || starts(line, "the rest is missing: ") ||
           starts(line, "no stack: ");
}

int dump_read_blocks(const char *text, struct dump *dump)
{
    memset(dump, 0, sizeof *dump);
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    int status = 0;
    char *rest = copy;
    for (char *line; status == 0 && (line = strsep(&rest, "\n")) != NULL;) {
        if (!read_line(line, dump)) {
            fprintf(stderr, "not a line of a dump: %s\n", line);
            status = -EPROTO;
        }
    }
    free(copy);
    return status;
}

/* The text of "KEY": "...", as it stands between the quotes. */
static bool json_text(const char *at, const char *key, char *text, size_t size)
{
    const char *found = strstr(at, key);
    const char *end = found ? strchr(found + strlen(key) + 3, '"') : NULL;
    if (!end)
        return false;
    const char *begin = found + strlen(key) + 3;
    snprintf(text, size, "%.*s", (int)(end - begin), begin);
    return true;
}

static bool read_json_frames(const char *at, const char *end, struct dump_thread *thread)
{
    size_t number = 0;
    for (; (at = strstr(at, "{\"address\": \"0x")) != NULL && at < end; at++) {
        uint64_t address = strtoull(at + strlen("{\"address\": \"0x"), NULL, 16);
        char function[1024];
        const char *inlined = strstr(at, "\"inlined\": ");
        if (!inlined || !json_text(at, "\"function\"", function, sizeof function) ||
            !add_frame(thread, number, address, function))
            return false;
        number += starts(inlined, "\"inlined\": false");
    }
    return true;
}

int dump_read_json(const char *text, struct dump *dump)
{
    memset(dump, 0, sizeof *dump);
    const char *at = strstr(text, "\"threads\": [");
    size_t promised;
    const char *count = strstr(text, "\"count\": ");
    if (!at || !count || sscanf(count, "\"count\": %zu", &promised) != 1)
        return -EPROTO;
    while ((at = strstr(at, "{\"tid\": ")) != NULL) {
        struct dump_thread *thread = add_thread(dump);
        const char *end = strstr(at + 1, "{\"tid\": ");
        if (!end)
            end = at + strlen(at);
        thread->tid = atoi(at + strlen("{\"tid\": "));
        if (!json_text(at, "\"thread\"", thread->name, sizeof thread->name) ||
            !json_text(at, "\"state\"", thread->state, sizeof thread->state) ||
            !json_text(at, "\"capture\"", thread->capture, sizeof thread->capture) ||
            !read_json_frames(at, end, thread)) {
            fprintf(stderr, "not a thread of a dump: %.200s\n", at);
            return -EPROTO;
        }
        at = end;
    }
    return promised == dump->count ? 0 : -EPROTO;
}

void dump_free(struct dump *dump)
{
    for (size_t i = 0; i < dump->count; i++)
        for (size_t j = 0; j < dump->threads[i].count; j++)
            free(dump->threads[i].functions[j]);
    free(dump->threads);
    memset(dump, 0, sizeof *dump);
}

const struct dump_thread *dump_find(const struct dump *dump, pid_t tid)
{
    for (size_t i = 0; i < dump->count; i++)
        if (dump->threads[i].tid == tid)
            return &dump->threads[i];
    return NULL;
}

bool dump_is_partial(const struct dump_thread *thread)
{
    return starts(thread->capture, "partial");
}

bool dump_has_function(const struct dump_thread *thread, const char *function)
{
    size_t length = strlen(function);
    for (size_t i = 0; i < thread->count; i++) {
        const char *words = thread->functions[i];
        while (words) {
            if (strncmp(words, function, length) == 0 &&
                (words[length] == 0 || strchr("+ .(", words[length])))
                return true;
            words = strstr(words, " < ");
            words = words ? words + 3 : NULL;
        }
    }
    return false;
}

/* The whole of a file as text; NULL without memory. */
static char *read_back(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = size < 0 ? NULL : calloc(1, (size_t)size + 1);
    ssize_t got = text ? pread(fd, text, (size_t)size, 0) : -1;
    if (got == size)
        return text;
    free(text);
    return NULL;
}

int dump_by_call(struct dump *dump)
{
    memset(dump, 0, sizeof *dump);
    char path[] = "/tmp/snag-dump-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    unlink(path);
    int status = snag_write("threads", fd, 2);
    char *text = status == 0 ? read_back(fd) : NULL;
    close(fd);
    if (status == 0)
        status = text ? dump_read_blocks(text, dump) : -EIO;
    free(text);
    return status;
}

int dump_by_http(const char *address, const char *path, struct dump *dump)
{
    memset(dump, 0, sizeof *dump);
    struct http_reply reply;
    int status = http_get(address, path, 60, &reply);
    if (status == 0 && reply.status != 200) {
        fprintf(stderr, "GET %s: %d %s\n", path, reply.status, reply.body);
        status = -EPROTO;
    }
    if (status == 0)
        status = strstr(path, "format=json") ? dump_read_json(reply.body, dump)
                                             : dump_read_blocks(reply.body, dump);
    http_reply_free(&reply);
    return status;
}
