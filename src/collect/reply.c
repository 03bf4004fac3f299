/* reply.c: an HTTP reply as it comes in; see reply.h.
 *
 * libevent's own client (evhttp of 2.1) would read one as well, but connects to host names only,
 * never to a Unix socket, and does not say what was wrong; here each way to fail has its words.
 * The lines are libevent's (evbuffer_readln), the rules those of RFC 9112. */
#include "collect/reply.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of a body that only tells what went wrong. */
#define ERROR_BODY_MOST 4096

void reply_begin(struct reply_reader *reader, struct evbuffer *body, size_t most)
{
    *reader = (struct reply_reader){ .head_left = REPLY_HEAD_MOST, .body = body, .most = most };
}

static bool failed(struct outcome *outcome, const char *why)
{
    outcome_set(outcome, OUTCOME_NOT_HTTP, "%s", why);
    return false;
}

/* "HTTP/1.1 200 OK" */
static bool take_status(struct reply_reader *reader, const char *line, struct outcome *outcome)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || strspn(line + 7, "01") != 1 || line[8] != ' ' ||
        strspn(line + 9, "0123456789") != 3) {
        outcome_set(outcome, OUTCOME_NOT_HTTP, "does not speak HTTP: it begins \"%.24s\"", line);
        return false;
    }
    reader->status = atoi(line + 9);
    reader->part = REPLY_HEADERS;
    return true;
}

static bool take_length(struct reply_reader *reader, const char *value, struct outcome *outcome)
{
    char *end;
    unsigned long long length = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || (reader->has_length && reader->left != length))
        return failed(outcome, "its Content-Length is no length");
    reader->has_length = true;
    reader->left = length;
    return true;
}

static bool take_header(struct reply_reader *reader, char *line, struct outcome *outcome)
{
    char *value = strchr(line, ':');
    if (!value || value == line)
        return failed(outcome, "one of its headers is none");
    *value++ = 0;
    value += strspn(value, " \t");
    for (size_t end = strlen(value); end > 0 && strchr(" \t", value[end - 1]); end--)
        value[end - 1] = 0;
    if (strcasecmp(line, "Content-Length") == 0)
        return take_length(reader, value, outcome);
    if (strcasecmp(line, "Content-Type") == 0)
        snprintf(reader->type, sizeof reader->type, "%.*s", (int)strcspn(value, "; "), value);
    if (strcasecmp(line, "Content-Encoding") == 0)
        reader->has_coding = strcasecmp(value, "identity") != 0;
    if (strcasecmp(line, "Transfer-Encoding") != 0)
        return true;
    if (strcasecmp(value, "chunked") != 0)
        return failed(outcome, "its Transfer-Encoding is not chunked");
    reader->is_chunked = true;
    return true;
}

/* The blank line behind the headers. */
static bool end_head(struct reply_reader *reader, struct outcome *outcome)
{
    if (reader->status < 200) { /* interim: the reply comes behind it */
        if (reader->status == 101)
            return failed(outcome, "it changes to another protocol");
        size_t left = reader->head_left;
        reply_begin(reader, reader->body, reader->most);
        reader->head_left = left;
        return true;
    }
    bool has_none = reader->status == 204 || reader->status == 304;
    if (reader->status != 200 && reader->most > ERROR_BODY_MOST)
        reader->most = ERROR_BODY_MOST;
    if (reader->is_chunked)
        reader->part = REPLY_SIZE;
    else if (has_none || (reader->has_length && reader->left == 0))
        reader->part = REPLY_END;
    else
        reader->part = REPLY_BODY;
    return true;
}

/* "1a2b;extension". The end of the chunk before it is a blank line. */
static bool take_size(struct reply_reader *reader, const char *line, struct outcome *outcome)
{
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    if (*line == 0)
        return true;
    if (digits == 0 || digits > 15 || !strchr("; \t", line[digits]))
        return failed(outcome, "one of its chunks has no size");
    reader->left = strtoull(line, NULL, 16);
    reader->part = reader->left ? REPLY_BODY : REPLY_TRAILER;
    return true;
}

static bool take_line(struct reply_reader *reader, char *line, struct outcome *outcome)
{
    switch (reader->part) {
    case REPLY_STATUS: return take_status(reader, line, outcome);
    case REPLY_HEADERS:
        return *line ? take_header(reader, line, outcome) : end_head(reader, outcome);
    case REPLY_SIZE: return take_size(reader, line, outcome);
    default: /* a trailer, which says nothing to us */
        if (*line == 0)
            reader->part = REPLY_END;
        return true;
    }
}

static bool feed_line(struct reply_reader *reader, struct evbuffer *input, bool *is_stuck,
                      struct outcome *outcome)
{
    size_t length;
    size_t most = reader->part == REPLY_SIZE ? 1024 : reader->head_left;
    char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_CRLF);
    if (!line && evbuffer_get_length(input) < most) {
        *is_stuck = true;
        return true;
    }
    bool is_good = line && length < most && strlen(line) == length;
    if (is_good && reader->part != REPLY_SIZE)
        reader->head_left -= length + 1;
    if (!is_good)
        failed(outcome, line && length < most ? "a line of its reply has a 0 in it"
                                              : "the head of its reply does not end");
    else
        is_good = take_line(reader, line, outcome);
    free(line);
    return is_good;
}

static bool feed_body(struct reply_reader *reader, struct evbuffer *input, bool *is_stuck,
                      struct outcome *outcome)
{
    bool is_bounded = reader->is_chunked || reader->has_length;
    size_t length = evbuffer_get_length(input);
    size_t room = reader->most - evbuffer_get_length(reader->body);
    if (is_bounded && length > reader->left)
        length = (size_t)reader->left;
    bool is_error = reader->status != 200;
    if (!is_error && (length > room || (is_bounded && reader->left > room))) {
        outcome_set(outcome, OUTCOME_TOO_LARGE, "more than the %zu bytes allowed (--max-bytes)",
                    reader->most);
        return false;
    }
    if (is_error && length >= room) { /* enough to tell what it says */
        evbuffer_remove_buffer(input, reader->body, room);
        reader->part = REPLY_END;
        return true;
    }
    *is_stuck = length == 0;
    evbuffer_remove_buffer(input, reader->body, length);
    if (!is_bounded)
        return true;
    reader->left -= length;
    if (reader->left == 0)
        reader->part = reader->is_chunked ? REPLY_SIZE : REPLY_END;
    return true;
}

enum reply_progress reply_feed(struct reply_reader *reader, struct evbuffer *input,
                               struct outcome *outcome)
{
    bool is_stuck = false;
    while (reader->part != REPLY_END && !is_stuck) {
        bool is_good = reader->part == REPLY_BODY ? feed_body(reader, input, &is_stuck, outcome)
                                                  : feed_line(reader, input, &is_stuck, outcome);
        if (!is_good)
            return REPLY_FAILED;
    }
    return reader->part == REPLY_END ? REPLY_DONE : REPLY_MORE;
}

enum reply_progress reply_end(struct reply_reader *reader, struct outcome *outcome)
{
    size_t had = evbuffer_get_length(reader->body);
    if (reader->part == REPLY_BODY && !reader->is_chunked && !reader->has_length)
        return REPLY_DONE;
    if (reader->part == REPLY_STATUS)
        outcome_set(outcome, OUTCOME_CUT_SHORT, "closed without an answer");
    else if (reader->part == REPLY_BODY && reader->has_length)
        outcome_set(outcome, OUTCOME_CUT_SHORT, "cut short: closed after %zu of %llu bytes", had,
                    (unsigned long long)had + reader->left);
    else
        outcome_set(outcome, OUTCOME_CUT_SHORT,
                    "cut short: closed within its reply, after %zu bytes", had);
    return REPLY_FAILED;
}
