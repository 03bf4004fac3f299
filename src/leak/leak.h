/* leak.h: what came since a baseline and stayed; the engine's side of a leak check.
 *
 *     leak.c    takes everything there is, and leaves out what does not count
 *     rules.c   what is to be ignored
 *     words.c   the report
 *
 * The service's side is api/leaks.c, what passes between them seam.h. */
#ifndef SNAG_LEAK_LEAK_H
#define SNAG_LEAK_LEAK_H

#include "leak/seam.h"

struct lab;
struct sink;

/* Answers QUERY on the process of LAB; with its `report`, and if there are leaks, describes them on
 * SINK. 0 or a negative errno. */
int leaks_find(struct lab *lab, struct leak_query *query, struct sink *sink);

#endif
