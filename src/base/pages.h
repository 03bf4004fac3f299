/* pages.h: whether reading a page of the target could wait for somebody.
 *
 * The kernel reads another's memory by faulting its pages in. A page of a file on a
 * dead mount, or one that a userfaultfd stands for, is never brought: whoever reads it hangs, and
 * cannot be killed out of it. So each page is looked at before it is read, in /proc/PID/pagemap,
 * which faults nothing in. */
#ifndef SNAG_BASE_PAGES_H
#define SNAG_BASE_PAGES_H

#include "base/file_systems.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGES_AT_ONCE 64u

enum page_kind {
    PAGE_HERE,  /* in memory (or in swap): reading it waits for nobody */
    PAGE_AWAY,  /* not there yet, but it may be read, through /proc/PID/mem */
    PAGE_NEVER, /* not readable, or its file may not answer */
};

struct page_mapping; /* of maps, where the kernel does not answer for a single one */

/* All of a target that is kept open for it; used by one thread. */
struct page_gate {
    int pagemap_fd; /* -1: refused; then pages cannot be told apart */
    int maps_fd;
    bool queries_refused; /* the kernel is older than 6.11: maps is read as a whole */
    uint64_t page_size;
    struct file_systems systems;

    struct page_mapping *mappings; /* by address */
    size_t mapping_count;
    uint64_t mappings_ns; /* CLOCK_MONOTONIC when they were read ... */
    uint64_t mappings_cost_ns;
};

/* Pages in a row, as they were a moment ago. */
struct page_view {
    uint64_t first; /* the first one's address */
    size_t count;
    uint64_t entries[PAGES_AT_ONCE];
};

void page_gate_open(struct page_gate *gate, int directory_fd);
void page_gate_close(struct page_gate *gate);

/* Whether LENGTH bytes at ADDRESS may be read like pages that are away, whatever their pages are:
 * by their mapping alone, where the kernel tells it for less than a look at a page. */
bool page_gate_is_harmless(struct page_gate *gate, uint64_t address, size_t length);

/* Looks at the pages from ADDRESS on that LENGTH bytes touch, at most PAGES_AT_ONCE. False
 * where that cannot be had (out of the process's reach). */
bool page_view_take(const struct page_gate *gate, uint64_t address, size_t length,
                    struct page_view *view);

/* How many bytes from ADDRESS on, at most LENGTH, are of one kind, which is put into *KIND. VIEW
 * must cover ADDRESS; where it ends, the answer ends. */
size_t page_view_run(struct page_gate *gate, const struct page_view *view, uint64_t address,
                     size_t length, enum page_kind *kind);

/* Those from ADDRESS on that are in memory, at most LENGTH. */
size_t page_view_here(const struct page_gate *gate, const struct page_view *view, uint64_t address,
                      size_t length);

/* One past the mapping that ADDRESS is in; 0: it is in none, or not known. */
uint64_t page_gate_mapping_end(struct page_gate *gate, uint64_t address);

#endif
