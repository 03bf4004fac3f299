/* fds.c: who opened each descriptor, who closed it; see layout.h for how an
 * entry is written.
 *
 * The order of things matters where a number changes hands. An open is
 * recorded when it has happened: nobody else has the number yet. A close is recorded before it
 * happens, since another thread may get the number as soon as it has; if it turns out that nothing
 * was open, the record is taken back. */
#include "track/track.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

static struct track_fd *chunk_of(unsigned fd, bool make)
{
    if (fd / TRACK_FD_CHUNK >= TRACK_FD_CHUNKS)
        return NULL;
    _Atomic uint64_t *at = &snag_track_root.fd_chunks[fd / TRACK_FD_CHUNK];
    uint64_t chunk = atomic_load_explicit(at, memory_order_acquire);
    if (chunk != 0 || !make)
        return (struct track_fd *)(uintptr_t)chunk;
    size_t size = TRACK_FD_CHUNK * sizeof(struct track_fd);
    int before = errno;
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = before;
    if (made == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(at, &chunk, (uint64_t)(uintptr_t)made))
        return made;
    munmap(made, size); /* another thread was first */
    return (struct track_fd *)(uintptr_t)chunk;
}

static struct track_fd *entry_of(int fd, bool make)
{
    struct track_fd *chunk = chunk_of((unsigned)fd, make);
    return chunk ? &chunk[(unsigned)fd % TRACK_FD_CHUNK] : NULL;
}

static void count_lost(void)
{
    atomic_fetch_add_explicit(&snag_track_root.lost, 1, memory_order_relaxed);
}

#define WANTED (UINT32_C(1) << 31) /* of `busy`: somebody else had something to write */

/* Begins to write ENTRY. False when another thread (or the one that this
 * signal handler has interrupted) is writing it: that one will mark it as lost. */
static bool entry_take(struct track_fd *entry)
{
    uint32_t epoch = atomic_load_explicit(&snag_track_root.epoch, memory_order_relaxed);
    uint32_t busy = 0;
    /* acquire: what the last writer wrote comes before */
    while (!atomic_compare_exchange_weak_explicit(&entry->busy, &busy, epoch, memory_order_acquire,
                                                  memory_order_relaxed)) {
        /* Of another epoch: a fork came in the middle of it, and it is taken over. */
        while ((busy & ~WANTED) == epoch) {
            if (!atomic_compare_exchange_weak(&entry->busy, &busy, busy | WANTED))
                continue;
            count_lost();
            return false;
        }
    }
    uint32_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);
    atomic_store_explicit(&entry->version, version | 1, memory_order_relaxed);
    return true;
}

static void entry_give(struct track_fd *entry)
{
    uint32_t epoch = atomic_load_explicit(&snag_track_root.epoch, memory_order_relaxed);
    uint32_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);
    atomic_store_explicit(&entry->version, version + 1, memory_order_release);
    if (atomic_compare_exchange_strong_explicit(&entry->busy, &epoch, 0, memory_order_release,
                                                memory_order_relaxed))
        return;
    atomic_store_explicit(&entry->state, TRACK_LOST, memory_order_release);
    atomic_store_explicit(&entry->busy, 0, memory_order_release);
}

static void set_state(struct track_fd *entry, enum track_state state)
{
    atomic_store_explicit(&entry->state, (uint32_t)state, memory_order_release);
}

static void set_closed(struct track_fd *entry, enum track_call call, const struct moment *now)
{
    set_state(entry, TRACK_CLOSED);
    atomic_store_explicit(&entry->closed_call, (uint16_t)call, memory_order_release);
    event_store(&entry->closed, now);
}

void track_opened(int fd, enum track_call call, const void *frame)
{
    struct moment now;
    if (fd < 0 || !moment_take(&now, frame))
        return;
    struct track_fd *entry = entry_of(fd, true);
    if (!entry) {
        count_lost();
        return;
    }
    if (!entry_take(entry))
        return;
    set_state(entry, TRACK_OPEN);
    atomic_store_explicit(&entry->opened_call, (uint16_t)call, memory_order_release);
    event_store(&entry->opened, &now);
    entry_give(entry);
}

void track_closing(struct closing *closing, int fd, enum track_call call, const void *frame)
{
    *closing = (struct closing){ .fd = fd, .call = call };
    if (fd < 0 || !moment_take(&closing->now, frame))
        return;
    closing->recorded = true;
    struct track_fd *entry = entry_of(fd, false); /* a loop over all numbers must not make any */
    if (!entry || !entry_take(entry))
        return;
    closing->had_entry = true;
    closing->state = atomic_load_explicit(&entry->state, memory_order_relaxed);
    closing->closed_call =
        (enum track_call)atomic_load_explicit(&entry->closed_call, memory_order_relaxed);
    closing->closed = event_load(&entry->closed);
    set_closed(entry, call, &closing->now);
    entry_give(entry);
}

/* Whether ENTRY still says what track_closing has written. */
static bool is_ours(struct track_fd *entry, const struct closing *closing)
{
    struct moment last = event_load(&entry->closed);
    return atomic_load_explicit(&entry->state, memory_order_relaxed) == TRACK_CLOSED &&
           last.time_ns == closing->now.time_ns && last.stack == closing->now.stack &&
           last.tid == closing->now.tid;
}

/* What was closed before stays so; what the tables thought was open was closed
 * past them, and nobody knows by whom. */
static void take_back(const struct closing *closing)
{
    struct track_fd *entry = entry_of(closing->fd, false);
    if (!closing->had_entry || !entry || !entry_take(entry))
        return;
    if (is_ours(entry, closing)) {
        set_closed(entry, closing->closed_call, &closing->closed);
        if (closing->state != TRACK_CLOSED)
            set_state(entry, TRACK_UNKNOWN);
    }
    entry_give(entry);
}

/* The first that is known of a number is that it was closed. By now it may be open again. */
static void add_closed(const struct closing *closing)
{
    struct track_fd *entry = entry_of(closing->fd, true);
    if (!entry || !entry_take(entry))
        return;
    if (atomic_load_explicit(&entry->state, memory_order_relaxed) == TRACK_UNKNOWN)
        set_closed(entry, closing->call, &closing->now);
    entry_give(entry);
}

void track_closed(const struct closing *closing, bool not_open)
{
    if (!closing->recorded)
        return;
    int before = errno;
    if (not_open) {
        bad_close_add(closing);
        take_back(closing);
    } else if (!closing->had_entry) {
        add_closed(closing);
    }
    errno = before;
}

void track_closing_range(unsigned first, unsigned last, enum track_call call, const void *frame)
{
    struct moment now;
    const unsigned top = TRACK_FD_CHUNKS * TRACK_FD_CHUNK - 1;
    if (!moment_take(&now, frame))
        return;
    if (last > top)
        last = top;
    for (unsigned fd = first; fd <= last; fd++) {
        struct track_fd *chunk = chunk_of(fd, false);
        if (!chunk) {
            fd |= TRACK_FD_CHUNK - 1; /* to the last of the chunk */
            continue;
        }
        struct track_fd *entry = &chunk[fd % TRACK_FD_CHUNK];
        if (atomic_load_explicit(&entry->state, memory_order_relaxed) != TRACK_OPEN ||
            !entry_take(entry))
            continue;
        set_closed(entry, call, &now);
        entry_give(entry);
    }
}
