/* page.h: the frame around every HTML page, and what page and text share. */
#ifndef SNAG_SERVER_PAGE_H
#define SNAG_SERVER_PAGE_H

#include <stdbool.h>
#include <stddef.h>

struct exchange;

/* Whether the client is a browser: it says that it takes HTML. */
bool page_wants_html(const struct exchange *exchange);

/* Begins an HTML page: headers, style, TITLE as heading. */
void page_begin(struct exchange *exchange, const char *title);
void page_end(struct exchange *exchange);

/* A link to the path HREF, which has a query already or not, showing TEXT. A
 * token that came in the address goes along. */
void page_link(struct exchange *exchange, const char *href, const char *text);

/* How many there are of what ENTRY lists, as text: "12", or "?". */
struct report_entry;
const char *page_count(const struct exchange *exchange, const struct report_entry *entry,
                       char *text, size_t size);

#endif
