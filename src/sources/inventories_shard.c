/* inventories_shard.c: one shard of an inventory, of one moment; see inventories_shard.h.
 *
 * In the own process the reader takes the shard's lock, as a service thread would, copies and
 * gives it back at once. A thread that is stopped inside the lock must not stop the dump: after
 * 2 ms the shard is read without it, as another process's always is. Then the
 * shard's version tells whether anything changed: it is odd while somebody writes, and another one
 * afterwards. */
#include "sources/inventories_shard.h"

#include "base/target.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCK_SPINS 200                 /* looks before the first sleep: a lock is held for 1 us */
#define LOCK_WAIT_NS 2000000u          /* for one lock ... */
#define LOCK_WAITS_NS 200000000u       /* ... and for all locks of one dump */
#define READINGS 6                     /* without the lock */
#define NAP_NS 50000                   /* between two looks */
#define CHUNKS_MAX (UINT32_C(1) << 24) /* of a slab that can be right */

#define BELIEVED_BYTES (UINT64_C(1) << 20) /* not worth a question */

#define VERSION offsetof(struct handle_shard, version)

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
}

static bool try_lock(_Atomic uint32_t *lock)
{
    uint32_t free = 0;
    /* acquire: what the last writer wrote comes before */
    return atomic_compare_exchange_strong_explicit(lock, &free, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* False when the lock could not be had: whoever holds it may never go on. */
static bool take_lock(struct shard_reader *reader, _Atomic uint32_t *lock)
{
    for (int i = 0; i < LOCK_SPINS; i++)
        if (try_lock(lock))
            return true;
    uint64_t begin = monotonic_ns();
    uint64_t waited = 0;
    while (waited < LOCK_WAIT_NS && reader->waited_ns + waited < LOCK_WAITS_NS) {
        nap();
        if (try_lock(lock)) {
            reader->waited_ns += monotonic_ns() - begin;
            return true;
        }
        waited = monotonic_ns() - begin;
    }
    reader->waited_ns += waited;
    return false;
}

static void give_lock(_Atomic uint32_t *lock)
{
    /* release: nobody writes before we have read */
    if (atomic_exchange_explicit(lock, 0, memory_order_release) == 2)
        syscall(SYS_futex, lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool read_version(const struct shard_reader *reader, uint64_t address, uint32_t *version)
{
    return target_read_all(reader->target, address + VERSION, version, sizeof *version);
}

static enum shard_how read_by_version(const struct shard_reader *reader, uint64_t address,
                                      bool (*read)(void *context), void *context)
{
    uint32_t before;
    uint32_t after;
    bool good = false;
    for (int i = 0; i < READINGS; i++) {
        if (i > 0)
            nap();
        if (!read_version(reader, address, &before))
            return SHARD_UNREADABLE;
        if (before % 2 != 0 && i + 1 < READINGS) /* the last is what is left to say something of */
            continue;
        good = read(context);
        if (!read_version(reader, address, &after))
            return SHARD_UNREADABLE;
        if (good && before == after && before % 2 == 0)
            return SHARD_WHOLE;
    }
    return good ? SHARD_CHANGING : SHARD_UNREADABLE;
}

enum shard_how shard_read(struct shard_reader *reader, uint64_t address,
                          bool (*read)(void *context), void *context)
{
    if (!reader->target->self)
        return read_by_version(reader, address, read, context);
    _Atomic uint32_t *lock = (_Atomic uint32_t *)(uintptr_t)address;
    uint32_t word;
    /* The one place where memory of the service's is written: only if it is there. */
    if (!target_read_all(reader->target, address, &word, sizeof word))
        return SHARD_UNREADABLE;
    if (!take_lock(reader, lock)) {
        enum shard_how how = read_by_version(reader, address, read, context);
        return how == SHARD_WHOLE ? SHARD_LOCKED : how;
    }
    bool good = read(context);
    give_lock(lock);
    return good ? SHARD_WHOLE : SHARD_UNREADABLE;
}

static bool reserve(struct slab_copy *copy, size_t bytes)
{
    if (bytes <= copy->room)
        return true;
    void *items = realloc(copy->items, bytes + bytes / 4);
    if (!items)
        return false;
    copy->items = items;
    copy->room = bytes + bytes / 4;
    return true;
}

/* Chunks that lie one behind the other are read at once. */
static bool read_chunks(struct target *target, const uint64_t *chunks, uint32_t count,
                        size_t chunk_size, size_t bytes, char *to)
{
    for (uint32_t i = 0; i < count;) {
        uint32_t run = 1;
        while (i + run < count && chunks[i + run] == chunks[i] + run * chunk_size)
            run++;
        size_t length = run * chunk_size < bytes ? run * chunk_size : bytes;
        if (!target_read_all(target, chunks[i], to, length))
            return false;
        to += length;
        bytes -= length;
        i += run;
    }
    return true;
}

/* The kilobytes behind LABEL of a status file. */
static uint64_t kilobytes(const char *status, const char *label)
{
    const char *at = strstr(status, label);
    return at ? strtoull(at + strlen(label), NULL, 10) : 0;
}

/* Whether another process has so much memory at all. Its tables may be made up, with the same few
 * pages as every chunk of them, and whoever looks would copy them until his own memory is full. */
static bool can_have(const struct target *target, uint64_t bytes)
{
    char status[8192];
    if (target->self || bytes <= BELIEVED_BYTES ||
        proc_read(target->live_fd, "status", status, sizeof status) <= 0)
        return target->self || bytes <= BELIEVED_BYTES;
    return bytes / 1024 <= kilobytes(status, "\nVmRSS:") + kilobytes(status, "\nVmSwap:");
}

bool slab_read(struct target *target, const struct handle_slab *slab, size_t size, uint32_t from,
               uint32_t count, struct slab_copy *copy)
{
    uint64_t directory[256];
    copy->count = 0;
    if (slab->capacity > CHUNKS_MAX || slab->count > (uint64_t)slab->capacity * SLAB_CHUNK)
        return false;
    uint32_t there = from < slab->count ? slab->count - from : 0;
    count = count < there ? count : there;
    if (!can_have(target, (uint64_t)count * size) || !reserve(copy, count * size))
        return false;
    const uint32_t most = (uint32_t)(sizeof directory / sizeof *directory) * SLAB_CHUNK;
    for (uint32_t done = 0; done < count;) {
        uint32_t now = count - done < most ? count - done : most;
        uint32_t chunks = (now + SLAB_CHUNK - 1) / SLAB_CHUNK;
        uint64_t at = slab->directory + (uint64_t)((from + done) / SLAB_CHUNK) * sizeof *directory;
        if (!target_read_all(target, at, directory, chunks * sizeof *directory) ||
            !read_chunks(target, directory, chunks, SLAB_CHUNK * size, now * size,
                         (char *)copy->items + done * size))
            return false;
        done += now;
    }
    copy->count = count;
    return true;
}

void slab_copy_free(struct slab_copy *copy)
{
    free(copy->items);
    *copy = (struct slab_copy){ .items = NULL };
}
