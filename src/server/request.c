/* request.c: the head of a request; see request.h.
 *
 * Strict where RFC 9112 lets a server be (no folded lines, no space before the
 * colon, nothing twice that must come once, no control characters), since what
 * talks to a debug port is curl, pprof, a browser, or nobody with good
 * intentions. Lines may end in LF alone, for people with nc. */
#include "server/request.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* RFC 9110, 5.6.2. */
static bool is_token_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_length(const char *text, const char *end)
{
    const char *c = text;
    while (c < end && is_token_character(*c))
        c++;
    return (size_t)(c - text);
}

/* "GET /path HTTP/1.1", by position, so that both passes agree on it. */
struct request_line {
    size_t method_length;
    size_t target; /* offset */
    size_t target_length;
    char major, minor; /* digits */
};

static bool split_request_line(const char *line, size_t length, struct request_line *parts)
{
    const char *end = line + length;
    parts->method_length = token_length(line, end);
    const char *target = line + parts->method_length + 1;
    if (parts->method_length == 0 || target >= end || target[-1] != ' ')
        return false;
    const char *c = target;
    while (c<end && * c> ' ' && *c < 0x7f)
        c++;
    parts->target = (size_t)(target - line);
    parts->target_length = (size_t)(c - target);
    if (parts->target_length == 0 || end - c != 9 || memcmp(c, " HTTP/", 6) != 0 || c[7] != '.')
        return false;
    parts->major = c[6];
    parts->minor = c[8];
    return parts->major >= '0' && parts->major <= '9' && parts->minor >= '0' && parts->minor <= '9';
}

/* The bytes of the line at TEXT, its end not counted. */
static size_t line_length(const char *text, const char *newline)
{
    return (size_t)(newline - text) - (newline > text && newline[-1] == '\r');
}

/* A byte that no head can hold, or none (-1). */
static ssize_t find_forbidden(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool ends_line = c == '\n' || (c == '\r' && (i + 1 == length || bytes[i + 1] == '\n'));
        if ((c < 0x20 && c != '\t' && !ends_line) || c == 0x7f)
            return (ssize_t)i;
    }
    return -1;
}

ssize_t request_head_length(const char *bytes, size_t length, const char **why)
{
    struct request_line parts;
    const char *end = bytes + length;
    const char *line = bytes;
    bool is_first = true;
    const char *newline;
    /* The end is looked for first: what comes after it is another matter. */
    while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
        size_t of_line = line_length(line, newline);
        if (find_forbidden(line, (size_t)(newline + 1 - line)) >= 0) {
            *why = "a control character in the request: this is plain HTTP/1.1";
            return -400;
        }
        if (is_first && !split_request_line(line, of_line, &parts)) {
            *why = "the first line is not METHOD TARGET HTTP/1.1";
            return -400;
        }
        is_first = false;
        line = newline + 1;
        if (line - bytes > REQUEST_HEAD_MOST)
            break;
        if (of_line == 0)
            return line - bytes;
    }
    if (find_forbidden(line, (size_t)(end - line)) >= 0) {
        *why = "a control character in the request: this is plain HTTP/1.1";
        return -400;
    }
    if (length <= REQUEST_HEAD_MOST)
        return 0;
    *why = is_first ? "the request line is longer than 8 KiB"
                    : "the request's headers are longer than 8 KiB";
    return is_first ? -414 : -431;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        unsigned char c = (unsigned char)*from;
        if (c == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0)
                return false;
            c = (unsigned char)(high << 4 | low);
            from += 2;
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        *to++ = (char)c;
    }
    *to = 0;
    return true;
}

/* "/path?query", or the same behind http://authority. */
static int parse_target(struct request *request, char *target, const char **why)
{
    if (strncasecmp(target, "http://", 7) == 0) {
        char *slash = target + 7 + strcspn(target + 7, "/?");
        /* Moved down by one to make room for the 0 between authority and path. */
        size_t length = (size_t)(slash - (target + 7));
        memmove(target + 6, target + 7, length);
        target[6 + length] = 0;
        request->authority = target + 6;
        target = slash;
    }
    char *query = strchr(target, '?');
    if (query)
        *query++ = 0;
    request->query = query ? query : target + strlen(target);
    request->path = target;
    if (target[0] == 0 && request->authority)
        request->path = "/";
    bool has_path = request->path[0] == '/';
    if (!has_path && strcmp(target, "*") != 0 && strcmp(request->method, "CONNECT") != 0) {
        *why = "the target is neither a path nor an http:// address";
        return 400;
    }
    if (has_path && target[0] && !percent_decode(target)) {
        *why = "a % in the path that is not followed by two digits of a printable character";
        return 400;
    }
    return 0;
}

/* Whether the comma-separated LIST has the word WORD. */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list) {
        list += strspn(list, " \t,");
        size_t item = strcspn(list, " \t,");
        if (item == length && strncasecmp(list, word, length) == 0)
            return true;
        list += item;
    }
    return false;
}

static bool parse_length(const char *text, size_t *length)
{
    size_t number = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        /* Stays above every limit once it is, however many digits follow. */
        if (number <= SIZE_MAX / 16)
            number = number * 10 + (size_t)(*text - '0');
    }
    *length = number;
    return true;
}

/* Headers that are read, and may come once. */
struct known_headers {
    const char *content_length, *transfer_encoding, *expect;
};

static int keep_header(struct request *request, struct known_headers *known, const char *name,
                       const char *value, const char **why)
{
    const struct {
        const char *name;
        const char **value;
    } once[] = {
        { "Host", &request->host },
        { "Origin", &request->origin },
        { "Sec-Fetch-Site", &request->fetch_site },
        { "Authorization", &request->authorization },
        { "Content-Length", &known->content_length },
        { "Transfer-Encoding", &known->transfer_encoding },
        { "Expect", &known->expect },
    };
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        if (strcasecmp(name, once[i].name) != 0)
            continue;
        if (*once[i].value) {
            *why = "a header is there twice that must come once";
            return 400;
        }
        *once[i].value = value;
        return 0;
    }
    if (strcasecmp(name, "Accept") == 0 && !request->accept)
        request->accept = value;
    if (strcasecmp(name, "Connection") == 0) {
        if (list_has(value, "close"))
            request->keep_alive = false;
        else if (request->is_http_1_0 && list_has(value, "keep-alive"))
            request->keep_alive = true;
    }
    return 0;
}

/* "Name: value", LINE being terminated in place. */
static int parse_header(struct request *request, struct known_headers *known, char *line,
                        const char **why)
{
    size_t length = strlen(line);
    size_t name_length = token_length(line, line + length);
    if (name_length == 0 || line[name_length] != ':') {
        *why = "a header line is not NAME: VALUE";
        return 400;
    }
    line[name_length] = 0;
    char *value = line + name_length + 1;
    value += strspn(value, " \t");
    char *end = line + length;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    return keep_header(request, known, line, value, why);
}

static int check_body(struct request *request, const struct known_headers *known, const char **why)
{
    if (known->transfer_encoding) {
        *why = "a body must come with Content-Length, not with Transfer-Encoding";
        return known->content_length ? 400 : 411;
    }
    if (known->content_length && !parse_length(known->content_length, &request->content_length)) {
        *why = "Content-Length is not a number";
        return 400;
    }
    if (request->content_length > REQUEST_BODY_MOST) {
        *why = "the body is longer than 64 KiB";
        return 413;
    }
    if (known->expect && strcasecmp(known->expect, "100-continue") != 0) {
        *why = "nothing but 100-continue can be expected";
        return 417;
    }
    request->expects_continue = known->expect && !request->is_http_1_0;
    return 0;
}

static int parse_first_line(struct request *request, size_t length, const char **why)
{
    struct request_line parts;
    if (!split_request_line(request->head, length, &parts)) {
        *why = "the first line is not METHOD TARGET HTTP/1.1";
        return 400;
    }
    request->method = request->head;
    request->head[parts.method_length] = 0;
    request->head[parts.target + parts.target_length] = 0;
    if (parts.major != '1') {
        *why = "HTTP/1.1 and HTTP/1.0 are spoken here";
        return 505;
    }
    request->is_http_1_0 = parts.minor == '0';
    request->keep_alive = !request->is_http_1_0;
    return parse_target(request, request->head + parts.target, why);
}

int request_parse(struct request *request, const char *bytes, size_t length, const char **why)
{
    *request = (struct request){ 0 };
    memcpy(request->head, bytes, length);
    struct known_headers known = { 0 };
    int status = 0;
    bool is_first = true;
    char *newline;
    for (char *line = request->head; status == 0; line = newline + 1, is_first = false) {
        newline = memchr(line, '\n', length - (size_t)(line - request->head));
        if (!newline)
            break;
        size_t of_line = line_length(line, newline);
        line[of_line] = 0;
        if (of_line == 0)
            break;
        status = is_first ? parse_first_line(request, of_line, why)
                          : parse_header(request, &known, line, why);
    }
    return status ? status : check_body(request, &known, why);
}
