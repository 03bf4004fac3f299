/* page.c: the frame around every HTML page; see page.h.
 *
 * No script and nothing from elsewhere; the policy header forbids both, so that text of
 * the service that should slip through unescaped could still do nothing. The
 * address may hold a token: no referrer is sent. */
#include "server/page.h"

#include "server/exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}"
    "table{border-collapse:collapse}td,th{padding:.15em 1em .15em 0;text-align:left;"
    "vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code,pre{font:13px/1.5 ui-monospace,monospace}"
    "pre{padding:.6em .8em;border:1px solid #8884;border-radius:4px;overflow-x:auto}";

bool page_wants_html(const struct exchange *exchange)
{
    const char *accept = exchange->request.accept;
    return accept && strcasestr(accept, "text/html");
}

void page_begin(struct exchange *exchange, const char *title)
{
    struct reply *reply = &exchange->reply;
    reply->type = TYPE_HTML;
    reply_header(reply, "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    reply_header(reply, "Referrer-Policy: no-referrer");
    sink_puts(&reply->sink,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    sink_html(&reply->sink, title);
    sink_printf(&reply->sink, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style);
    sink_html(&reply->sink, title);
    sink_puts(&reply->sink, "</h1>\n");
}

void page_end(struct exchange *exchange)
{
    sink_puts(&exchange->reply.sink, "</body>\n</html>\n");
}

static void put_escaped(struct sink *sink, const char *text)
{
    for (; *text; text++) {
        char c = *text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (is_plain)
            sink_write(sink, &c, 1);
        else
            sink_printf(sink, "%%%02X", (unsigned char)c);
    }
}

void page_link(struct exchange *exchange, const char *href, const char *text)
{
    struct sink *sink = &exchange->reply.sink;
    char token[QUERY_VALUE_MOST + 1];
    sink_puts(sink, "<a href=\"");
    sink_html(sink, href);
    if (exchange->site->token && query_token(exchange->request.query, token, sizeof token)) {
        sink_puts(sink, strchr(href, '?') ? "&amp;token=" : "?token=");
        put_escaped(sink, token);
    }
    sink_puts(sink, "\">");
    sink_html(sink, text);
    sink_puts(sink, "</a>");
}

const char *page_count(const struct exchange *exchange, const struct report_entry *entry,
                       char *text, size_t size)
{
    long count = report_count(exchange->site->lab, entry);
    snprintf(text, size, "?");
    if (count >= 0)
        snprintf(text, size, "%ld", count);
    return text;
}
