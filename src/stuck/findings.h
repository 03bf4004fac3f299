/* findings.h: findings in the making; private to stuck/.
 *
 *     stuck.c            the order of things
 *     rules.h            what counts
 *     lock_findings.c    deadlocks, lost locks, threads behind a lock
 *     io_findings.c      threads that wait for something outside
 *     fd_findings.c      sockets, the descriptor table, double closes
 *     growth_findings.c  what becomes more and more
 *     phrases.c          parts of sentences
 *     memory.c           what was so before
 */
#ifndef SNAG_STUCK_FINDINGS_H
#define SNAG_STUCK_FINDINGS_H

#include "stuck/stuck.h"

struct descriptor;
struct sink;
struct sink_buffer;
struct wait;

struct diagnosis {
    const struct stuck_facts *facts;
    struct stuck_memory *memory;
    struct stuck_list *list;
    struct finding *findings; /* in the list's arena */
    size_t capacity;
    struct arena scratch;
    bool *told;  /* by thread: as the holder of a lock that others wait for */
    bool failed; /* no memory for something */
};

/* Adds FINDING with what SENTENCE holds, which is freed. */
void finding_add(struct diagnosis *diagnosis, struct finding finding, struct sink_buffer *sentence);

/* COUNT thread indexes, in the list's arena, longest blocked first; NULL without memory. */
const size_t *keep_threads(struct diagnosis *diagnosis, const size_t *threads, size_t count);
const int *keep_fds(struct diagnosis *diagnosis, const int *fds, size_t count);

/* Where DESCRIPTOR was opened, the innermost code address; 0 not known. What was opened there is
 * one group, whoever called. */
uint64_t opener_place(const struct descriptor *descriptor);

/* An opener of FDS, if all were opened at the same place; NULL. */
const struct origin *common_opener(const struct diagnosis *diagnosis, const int *fds, size_t count);

void lock_findings(struct diagnosis *diagnosis);
void io_findings(struct diagnosis *diagnosis);
void fd_findings(struct diagnosis *diagnosis);
void growth_findings_add(struct diagnosis *diagnosis);

/* phrases.c */
/* "worker-3" for one, else "41 threads"; a colon and the names of a few with WITH_NAMES. */
void put_threads(struct sink *sink, const struct diagnosis *diagnosis, const size_t *threads,
                 size_t count);
/* "for 20 min", "for up to 20 min", "for at least 3 s": of the longest of COUNT, which comes first.
 */
void put_how_long(struct sink *sink, const struct diagnosis *diagnosis, const size_t *threads,
                  size_t count);
/* " on tcp 127.0.0.1:80 CLOSE_WAIT", " on a full pipe", ", waiting for a condition": what it waits
 * on; nothing where that is not known. */
void put_on(struct sink *sink, const struct wait *wait);
/* "is running", "has been in read() for 5 min on tcp 127.0.0.1:80 CLOSE_WAIT" */
void put_doing(struct sink *sink, const struct diagnosis *diagnosis, size_t thread);
/* "read()", "a page fault" */
void put_call(struct sink *sink, const struct diagnosis *diagnosis, size_t thread);
/* ", opened by fetch_user() in client.c:88"; nothing where OPENER is NULL. */
void put_opener(struct sink *sink, const struct diagnosis *diagnosis, const struct origin *opener);
/* "3.1 MB" */
void put_bytes(struct sink *sink, uint64_t bytes);

/* memory.c: how long it has been known that the socket with INODE is in CLOSE_WAIT; that it has
 * as many bytes unread as now. 0: since now. */
void memory_update(struct stuck_memory *memory, const struct fd_dump *fds);
uint64_t memory_close_wait_ns(const struct stuck_memory *memory, uint64_t inode);
uint64_t memory_unread_ns(const struct stuck_memory *memory, uint64_t inode);

#endif
