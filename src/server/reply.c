/* reply.c: replies; see reply.h.
 *
 * Every reply, a refused one too, passes reply_send and so carries the headers
 * that keep a browser from guessing, storing or embedding it. */
#include "server/reply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int write_body(struct sink *sink, const void *bytes, size_t length)
{
    struct reply *reply = (struct reply *)sink;
    return evbuffer_add(reply->body, bytes, length) == 0 ? 0 : -ENOMEM;
}

bool reply_init(struct reply *reply)
{
    *reply = (struct reply){
        .sink = { .write = write_body },
        .status = 200,
        .type = TYPE_TEXT,
        .body = evbuffer_new(),
        .headers = evbuffer_new(),
    };
    return reply->body && reply->headers;
}

void reply_free(struct reply *reply)
{
    if (reply->body)
        evbuffer_free(reply->body);
    if (reply->headers)
        evbuffer_free(reply->headers);
    *reply = (struct reply){ 0 };
}

static void empty(struct evbuffer *buffer)
{
    evbuffer_drain(buffer, evbuffer_get_length(buffer));
}

void reply_header(struct reply *reply, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int added = evbuffer_add_vprintf(reply->headers, format, arguments);
    va_end(arguments);
    if (added < 0 || evbuffer_add(reply->headers, "\r\n", 2) != 0)
        reply->sink.error = -ENOMEM;
}

void reply_error(struct reply *reply, int status, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    empty(reply->body);
    empty(reply->headers);
    reply->sink.error = 0;
    reply->status = status;
    reply->type = TYPE_TEXT;
    reply_header(reply, "X-Go-Pprof: 1");
    sink_puts(&reply->sink, line);
    sink_puts(&reply->sink, "\n");
}

const char *reply_quote(char *quoted, size_t size, const char *text)
{
    size_t length = 0;
    for (; *text && length + 1 < size; text++)
        quoted[length++] = *text > 0x20 && *text < 0x7f && *text != '"' ? *text : '?';
    quoted[length] = 0;
    if (*text && size > 4)
        memcpy(quoted + length - 3, "...", 3);
    return quoted;
}

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *text;
    } phrases[] = {
        { 200, "OK" },
        { 301, "Moved Permanently" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 411, "Length Required" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 417, "Expectation Failed" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].text;
    return "Unknown";
}

/* "Wed, 25 Nov 2026 02:03:44 GMT", by hand: gmtime_r would read the service's
 * TZ and time zone files. Days to a date as in Howard Hinnant's civil_from_days,
 * years beginning in March. */
static void http_date(char *text, size_t size, int64_t now)
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    int64_t day = now / 86400;
    int64_t second = now % 86400;
    int64_t shifted = day + 719468; /* since 1 March of the year 0 */
    int64_t era = shifted / 146097;
    int64_t of_era = shifted % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
    year += era * 400 + (month >= 10);
    snprintf(text, size, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT", days + day % 7 * 3, (int)of_month,
             months + month * 3, (int)year, (int)(second / 3600), (int)(second / 60 % 60),
             (int)(second % 60));
}

static void add_head(struct reply *reply, struct evbuffer *out, const char *connection)
{
    char date[64];
    struct timespec now = { 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    http_date(date, sizeof date, now.tv_sec);
    evbuffer_add_printf(out,
                        "HTTP/1.1 %d %s\r\n"
                        "Date: %s\r\n"
                        "Content-Type: %s\r\n"
                        "Content-Length: %zu\r\n"
                        "X-Content-Type-Options: nosniff\r\n"
                        "Cache-Control: no-store\r\n"
                        "Cross-Origin-Resource-Policy: same-origin\r\n"
                        "%s",
                        reply->status, phrase(reply->status), date, reply->type,
                        evbuffer_get_length(reply->body), connection);
}

void reply_send(struct reply *reply, struct evbuffer *out, bool is_head, bool keep_alive,
                bool is_http_1_0)
{
    if (reply->sink.error)
        reply_error(reply, 500, "the reply could not be written: %s", strerror(-reply->sink.error));
    const char *connection = "";
    if (!keep_alive)
        connection = "Connection: close\r\n";
    else if (is_http_1_0)
        connection = "Connection: keep-alive\r\n";
    add_head(reply, out, connection);
    evbuffer_add_buffer(out, reply->headers);
    evbuffer_add(out, "\r\n", 2);
    if (!is_head)
        evbuffer_add_buffer(out, reply->body);
    empty(reply->body);
}
