/* series.h: what there is now, as series for the growth detector. Private to watch/.
 *
 * Series of threads by stack, of descriptors by opener or kind, of handles by inventory and stack;
 * and of each the total. */
#ifndef SNAG_WATCH_SERIES_H
#define SNAG_WATCH_SERIES_H

#include <stddef.h>
#include <stdint.h>

struct counts;
struct growth;
struct lab;
struct picture;
struct series;
struct sink;

#define SERIES_THREADS 1u
#define SERIES_FDS 2u
#define SERIES_INVENTORIES 2u /* plus the number of one, which begins with 1 */

/* Takes what is not in PICTURE or COUNTS, and keeps all three until series_free. What is older than
 * OLD_NS counts as old. NULL without memory; what could not be taken is left out. */
struct series *series_take(struct lab *lab, const struct picture *picture,
                           const struct counts *counts, uint64_t old_ns);
void series_free(struct series *series);

/* Hands every series to GROWTH, between its begin and end. */
void series_feed(const struct series *series, struct growth *growth);

/* "threads", "descriptors", or an inventory's name. */
const char *series_profile(const struct series *series, uint32_t profile);

/* Where the items of group KEY hang, were opened or are held: "in fetch_user() in client.c:88";
 * nothing for a total, or where that is not known. */
void series_write_place(const struct series *series, struct sink *sink, uint32_t profile,
                        uint64_t key);

#endif
