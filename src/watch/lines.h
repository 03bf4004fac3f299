/* lines.h: what the monitor says. Private to watch/. */
#ifndef SNAG_WATCH_LINES_H
#define SNAG_WATCH_LINES_H

#include "watch/counts.h"

#include <stddef.h>

struct sink;

/* "412 threads (+3), 1,204 of 4,096 descriptors (29 %, +12)": NOW, and the change since BEFORE,
 * NULL the first time. */
void line_write_counts(struct sink *sink, const struct counts *now, const struct counts *before);

/* Per cent of the descriptor limit that are open; 0 when that is not known. */
unsigned counts_fd_percent(const struct counts *counts);

#endif
