/* sets.c: poll and select: which descriptors the thread has asked about.
 *
 * Their sets are in the thread's memory, and stay as they are until the call returns. A set
 * of one is that descriptor; a set of none is a sleep. */
#include "waits/finder.h"

#include "base/target.h"
#include "sources/threads.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#define FDS_MAX 1024     /* of a set, that are looked at */
#define SELECT_MAX 65536 /* descriptors in a bitmap */
#define WORD_BITS (8 * sizeof(unsigned long))

/* The COUNT descriptors FDS are what waits[index] waits for; of TOTAL in all. WRITES: the
 * one of a set of one is to take something. */
static void set_fds(struct finder *finder, size_t index, const int *fds, size_t count, bool writes)
{
    struct wait *wait = &finder->set->waits[index];
    if (count == 0) {
        wait->kind = wait->timed ? WAIT_TIME : WAIT_SIGNAL;
        wait->text = wait->detail = wait->timed ? "sleep" : "any signal";
        return;
    }
    if (count == 1) {
        wait->kind = WAIT_FD;
        wait->fd = fds[0];
        wait->writes = writes;
        return;
    }
    int *kept = arena_array(&finder->set->arena, count, sizeof *kept);
    wait->kind = WAIT_FDS;
    if (kept)
        memcpy(kept, fds, count * sizeof *kept);
    wait->fds = kept;
    wait->fd_count = kept ? count : 0;
}

/* A bare number of milliseconds for poll, a struct timespec for ppoll. */
static bool poll_is_timed(const struct thread_sample *thread)
{
    const char *name = syscall_name(thread->syscall_number);
    uint64_t timeout = thread->arguments[2];
    return name && strcmp(name, "ppoll") == 0 ? timeout != 0 : int_argument(timeout) >= 0;
}

void poll_find(struct finder *finder, size_t index)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    uint64_t count = (unsigned)thread->arguments[1];
    struct pollfd polled[FDS_MAX];
    int fds[FDS_MAX];
    size_t used = 0;
    bool writes = true;
    if (count > FDS_MAX)
        count = FDS_MAX;
    wait->timed = poll_is_timed(thread);
    if (count > 0 && !target_read_all(finder->target, thread->arguments[0], polled,
                                      (size_t)count * sizeof *polled)) {
        wait->kind = WAIT_OTHER;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (polled[i].fd < 0)
            continue;
        writes &= !(polled[i].events & (POLLIN | POLLPRI | POLLRDHUP));
        fds[used++] = polled[i].fd;
    }
    set_fds(finder, index, fds, used, writes);
}

/* The bitmaps for reading, writing and exceptions; NULL ones are empty. False: not readable. */
static bool read_bitmaps(struct finder *finder, const struct thread_sample *thread,
                         unsigned long *maps, size_t words)
{
    for (size_t i = 0; i < 3; i++) {
        uint64_t address = thread->arguments[1 + i];
        if (address != 0 &&
            !target_read_all(finder->target, address, maps + i * words, words * sizeof *maps))
            return false;
    }
    return true;
}

static bool bit(const unsigned long *map, size_t number)
{
    return map[number / WORD_BITS] >> (number % WORD_BITS) & 1;
}

void select_find(struct finder *finder, size_t index)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    size_t count = (unsigned)thread->arguments[0];
    if (count > SELECT_MAX)
        count = SELECT_MAX;
    size_t words = (count + WORD_BITS - 1) / WORD_BITS;
    unsigned long *maps = calloc(3 * words + 1, sizeof *maps);
    int fds[FDS_MAX];
    size_t used = 0;
    bool writes = true;
    wait->timed = thread->arguments[4] != 0;
    wait->kind = WAIT_OTHER;
    if (maps && read_bitmaps(finder, thread, maps, words)) {
        for (size_t i = 0; i < count && used < FDS_MAX; i++) {
            bool reads = bit(maps, i) || bit(maps + 2 * words, i);
            if (!reads && !bit(maps + words, i))
                continue;
            writes &= !reads;
            fds[used++] = (int)i;
        }
        set_fds(finder, index, fds, used, writes);
    }
    free(maps);
}
