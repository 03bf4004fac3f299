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

#define FDS_MAX 1024      /* of a set, that are kept; all are counted */
#define POLL_CHUNK 512    /* read at a time ... */
#define POLL_LOOKED 65536 /* ... up to so many; the others count as they are given */
#define SELECT_MAX 65536  /* descriptors in a bitmap */
#define WORD_BITS (8 * sizeof(unsigned long))

/* A set in the making. */
struct asked {
    int fds[FDS_MAX];
    size_t kept;
    size_t total;
    bool reads; /* some of them are to give something */
};

static void ask(struct asked *asked, int fd, bool reads)
{
    if (asked->kept < FDS_MAX)
        asked->fds[asked->kept++] = fd;
    asked->total++;
    asked->reads |= reads;
}

/* What was ASKED is what waits[index] waits for. */
static void set_fds(struct finder *finder, size_t index, const struct asked *asked)
{
    struct wait *wait = &finder->set->waits[index];
    if (asked->total == 0) {
        wait->kind = wait->timed ? WAIT_TIME : WAIT_SIGNAL;
        wait->text = wait->detail = wait->timed ? "sleep" : "any signal";
        return;
    }
    if (asked->total == 1) {
        wait->kind = WAIT_FD;
        wait->fd = asked->fds[0];
        wait->writes = !asked->reads;
        return;
    }
    int *kept = arena_array(&finder->set->arena, asked->kept, sizeof *kept);
    wait->kind = WAIT_FDS;
    wait->idle = true;
    if (kept)
        memcpy(kept, asked->fds, asked->kept * sizeof *kept);
    wait->fds = kept;
    wait->fd_count = kept ? asked->kept : 0;
    wait->fd_total = kept ? asked->total : 0;
}

/* A bare number of milliseconds for poll, a struct timespec for ppoll. */
static bool poll_is_timed(const struct thread_sample *thread)
{
    const char *name = syscall_name(thread->syscall_number);
    uint64_t timeout = thread->arguments[2];
    return name && strcmp(name, "ppoll") == 0 ? timeout != 0 : int_argument(timeout) >= 0;
}

/* COUNT descriptors at ADDRESS; those below 0 are left out, by the kernel too. False: not
 * readable. */
static bool read_polled(struct finder *finder, uint64_t address, size_t count, struct asked *asked)
{
    struct pollfd polled[POLL_CHUNK];
    for (size_t done = 0, now; done < count; done += now) {
        now = count - done < POLL_CHUNK ? count - done : POLL_CHUNK;
        if (!target_read_all(finder->target, address + done * sizeof *polled, polled,
                             now * sizeof *polled))
            return false;
        for (size_t i = 0; i < now; i++)
            if (polled[i].fd >= 0)
                ask(asked, polled[i].fd, polled[i].events & (POLLIN | POLLPRI | POLLRDHUP));
    }
    return true;
}

void poll_find(struct finder *finder, size_t index)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    size_t count = (unsigned)thread->arguments[1];
    size_t looked = count < POLL_LOOKED ? count : POLL_LOOKED;
    struct asked asked = { .total = count - looked, .reads = count > looked };
    wait->timed = poll_is_timed(thread);
    wait->kind = WAIT_OTHER;
    if (read_polled(finder, thread->arguments[0], looked, &asked))
        set_fds(finder, index, &asked);
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
    struct asked asked = { 0 };
    wait->timed = thread->arguments[4] != 0;
    wait->kind = WAIT_OTHER;
    if (maps && read_bitmaps(finder, thread, maps, words)) {
        for (size_t i = 0; i < count; i++) {
            bool reads = bit(maps, i) || bit(maps + 2 * words, i);
            if (reads || bit(maps + words, i))
                ask(&asked, (int)i, reads);
        }
        set_fds(finder, index, &asked);
    }
    free(maps);
}
