/* counts.h: how much of everything there is now, for the monitor, /metrics and /debug/vars.
 *
 * No dump is made: a few files of procfs are read. */
#ifndef SNAG_WATCH_COUNTS_H
#define SNAG_WATCH_COUNTS_H

#include "sources/inventories.h"

#include <stddef.h>
#include <stdint.h>

#define COUNTS_INVENTORIES 256

struct lab;

struct inventory_count {
    char name[INVENTORY_NAME_SIZE];
    long live;
};

struct counts {
    long threads;      /* the listener's left out; negative: not known */
    long fds;          /* open descriptors, the listener's left out; negative: not known */
    uint64_t fd_limit; /* RLIMIT_NOFILE, soft; UINT64_MAX none, 0 not known */
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t virtual_limit;   /* RLIMIT_AS; UINT64_MAX none, 0 not known */
    double processor_seconds; /* user and system */
    double started;           /* seconds since 1970; 0 not known */
    size_t inventory_count;   /* by number: none ever goes */
    struct inventory_count inventories[COUNTS_INVENTORIES];
};

void counts_take(struct lab *lab, struct counts *counts);

#endif
