/* routes.h: pages that the routes lead to. Each fills exchange->reply. */
#ifndef SNAG_SERVER_ROUTES_H
#define SNAG_SERVER_ROUTES_H

struct exchange;

/* front_page.c */
void page_front(struct exchange *exchange); /* / and /debug/ */

/* vars_page.c */
void page_vars(struct exchange *exchange); /* /debug/vars */

/* metrics_page.c */
void page_metrics(struct exchange *exchange); /* /metrics */

/* index_page.c */
void page_index(struct exchange *exchange); /* /debug/pprof/ */

/* go_pages.c */
void page_cmdline(struct exchange *exchange); /* /debug/pprof/cmdline */
void page_symbol(struct exchange *exchange);  /* /debug/pprof/symbol */

#endif
