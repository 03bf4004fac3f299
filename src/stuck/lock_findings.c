/* lock_findings.c: deadlocks, locks that nobody will unlock, and threads behind a lock.
 *
 * Every wait that names another thread is followed to its end, its root: a thread of a
 * deadlock, one whose lock is lost, or one that holds a lock and does something else than wait for
 * another. All that have the same root are one finding. */
#include "stuck/findings.h"

#include "base/sink.h"
#include "sources/threads.h"
#include "stuck/rules.h"
#include "waits/waits.h"

#include <inttypes.h>
#include <stdlib.h>

#define NAMED_THREADS 6

static const struct wait *wait_at(const struct diagnosis *diagnosis, size_t index)
{
    return &diagnosis->facts->waits->waits[index];
}

static const char *name_at(const struct diagnosis *diagnosis, size_t index)
{
    return diagnosis->facts->threads->threads[index].name;
}

/* Where the waits that begin at INDEX end. A circle that is no proven deadlock ends anywhere in it.
 */
static size_t root_of(const struct diagnosis *diagnosis, size_t index)
{
    size_t count = diagnosis->facts->waits->count;
    for (size_t steps = 0; steps < count && wait_at(diagnosis, index)->next != SIZE_MAX &&
                           wait_at(diagnosis, index)->cycle == SIZE_MAX;
         steps++)
        index = wait_at(diagnosis, index)->next;
    return index;
}

/* ---- deadlocks ---- */

static void put_names(struct sink *sink, const struct diagnosis *diagnosis, const size_t *threads,
                      size_t count)
{
    sink_puts(sink, count == 1 ? "thread " : "threads ");
    for (size_t i = 0; i < count && i < NAMED_THREADS; i++)
        sink_printf(sink, "%s%s",
                    i == 0           ? ""
                    : i + 1 == count ? " and "
                                     : ", ",
                    name_at(diagnosis, threads[i]));
    if (count > NAMED_THREADS)
        sink_printf(sink, " and %zu more", count - NAMED_THREADS);
}

static void deadlock(struct diagnosis *diagnosis, size_t number, size_t *room)
{
    const struct wait_set *waits = diagnosis->facts->waits;
    const struct cycle *cycle = &waits->cycles[number];
    size_t count = 0;
    for (; count < cycle->count; count++)
        room[count] = cycle->threads[count];
    for (size_t i = 0; i < waits->count; i++)
        if (waits->waits[i].never && waits->waits[i].cycle == SIZE_MAX &&
            waits->waits[root_of(diagnosis, i)].cycle == number)
            room[count++] = i;
    size_t behind = count - cycle->count;
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    put_names(&sentence.sink, diagnosis, room, cycle->count);
    sink_puts(&sentence.sink, cycle->count == 1 ? " waits for itself" : " wait for each other");
    sink_puts(&sentence.sink, " and can never go on");
    if (behind > 0)
        sink_printf(&sentence.sink, "; %zu more thread%s behind", behind,
                    behind == 1 ? " waits" : "s wait");
    size_t *threads = arena_array(&diagnosis->list->arena, count, sizeof *threads);
    diagnosis->failed |= !threads;
    for (size_t i = 0; threads && i < count; i++)
        threads[i] = room[i];
    finding_add(diagnosis,
                (struct finding){ .kind = FINDING_DEADLOCK,
                                  .threads = threads,
                                  .thread_count = threads ? count : 0,
                                  .holder = SIZE_MAX,
                                  .cycle = number,
                                  .longest_ns =
                                      diagnosis->facts->threads->threads[room[0]].blocked_ns },
                &sentence);
}

/* ---- roots ---- */

/* A thread that waits for a lock, and where that leads. */
struct waiter {
    size_t thread;
    size_t root;     /* SIZE_MAX: nobody that is there, but ... */
    uint64_t object; /* ... this lock */
    bool lost;
};

static int by_root(const void *left, const void *right)
{
    const struct waiter *a = left;
    const struct waiter *b = right;
    if (a->lost != b->lost)
        return a->lost ? -1 : 1;
    if (a->root != b->root)
        return a->root < b->root ? -1 : 1;
    if (a->object != b->object)
        return a->object < b->object ? -1 : 1;
    return (a->thread > b->thread) - (a->thread < b->thread);
}

static bool is_same_root(const struct waiter *a, const struct waiter *b)
{
    return a->lost == b->lost && a->root == b->root && a->object == b->object;
}

/* The words of the lock that COUNT waiters at WAITERS are in: "a mutex", or "locks" of several. */
static void put_lock(struct sink *sink, const struct diagnosis *diagnosis,
                     const struct waiter *waiters, size_t count)
{
    static const char *const words[] = {
        [WAIT_MUTEX] = "a mutex",
        [WAIT_RWLOCK] = "a rwlock",
        [WAIT_STDIO] = "a stdio lock",
        [WAIT_ONCE] = "a one-time initialisation",
        [WAIT_LIBRARY] = "a lock inside the C library",
        [WAIT_JOIN] = "the end of a thread",
    };
    const struct wait *first = wait_at(diagnosis, waiters[0].thread);
    bool same = true;
    for (size_t i = 1; i < count; i++)
        same &= wait_at(diagnosis, waiters[i].thread)->object == first->object;
    sink_puts(sink, same ? words[first->kind] : "locks");
    if (same && first->variable)
        sink_printf(sink, " (%s)", first->variable);
}

static void put_lost(struct sink *sink, const struct wait *wait)
{
    sink_printf(sink, " can never go on: the thread that locked the %s ",
                wait->kind == WAIT_RWLOCK ? "rwlock" : "mutex");
    if (wait->variable)
        sink_puts(sink, wait->variable);
    else
        sink_printf(sink, "at 0x%" PRIx64, wait->object);
    sink_puts(sink, " is gone");
}

/* Nobody will unlock what these wait for. */
static void lost_lock(struct diagnosis *diagnosis, const struct waiter *waiters, size_t count,
                      struct finding finding)
{
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    put_threads(&sentence.sink, diagnosis, finding.threads, count);
    const struct wait *first = wait_at(diagnosis, root_of(diagnosis, waiters[0].thread));
    if (first->holder_gone)
        put_lost(&sentence.sink, first);
    else
        sink_puts(&sentence.sink, " can never go on: the kernel has refused a "
                                  "priority-inheriting mutex, as a deadlock or for a dead owner");
    finding.kind = FINDING_LOST_LOCK;
    finding_add(diagnosis, finding, &sentence);
}

static void behind_lock(struct diagnosis *diagnosis, const struct waiter *waiters, size_t count,
                        struct finding finding)
{
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    struct sink *sink = &sentence.sink;
    const struct wait *first = wait_at(diagnosis, waiters[0].thread);
    put_threads(sink, diagnosis, finding.threads, count);
    sink_puts(sink, count == 1 ? " has waited " : " have waited ");
    put_how_long(sink, diagnosis, finding.threads, count);
    sink_puts(sink, " for ");
    size_t root = waiters[0].root;
    if (root == SIZE_MAX && first->text) {
        sink_printf(sink, "a %s", first->text);
    } else {
        put_lock(sink, diagnosis, waiters, count);
        bool direct = true;
        for (size_t i = 0; i < count; i++)
            direct &= wait_at(diagnosis, waiters[i].thread)->next == root;
        const char *relation = first->kind == WAIT_ONCE ? "run by" : "held by";
        sink_printf(sink, " %s %s, which ", direct ? relation : "that in the end wait for",
                    name_at(diagnosis, root));
        put_doing(sink, diagnosis, root);
    }
    finding.kind = FINDING_BEHIND;
    finding.holder = root;
    if (root != SIZE_MAX)
        diagnosis->told[root] = true;
    finding_add(diagnosis, finding, &sentence);
}

static void root_finding(struct diagnosis *diagnosis, const struct waiter *waiters, size_t count,
                         size_t *room)
{
    for (size_t i = 0; i < count; i++)
        room[i] = waiters[i].thread;
    struct finding finding = {
        .threads = keep_threads(diagnosis, room, count),
        .thread_count = count,
        .holder = SIZE_MAX,
        .cycle = SIZE_MAX,
    };
    if (!finding.threads)
        return;
    finding.longest_ns = diagnosis->facts->threads->threads[finding.threads[0]].blocked_ns;
    if (waiters[0].lost)
        lost_lock(diagnosis, waiters, count, finding);
    else if (finding.longest_ns >= LOCK_NS)
        behind_lock(diagnosis, waiters, count, finding);
}

static bool is_lock(enum wait_kind kind)
{
    return kind == WAIT_MUTEX || kind == WAIT_RWLOCK || kind == WAIT_STDIO || kind == WAIT_ONCE ||
           kind == WAIT_LIBRARY;
}

/* Whether WAIT is for a mutex or rwlock that ROOT holds while it waits for work: a pool whose
 * threads take turns, or that is kept from running until it is needed. */
static bool is_pool(const struct wait *wait, const struct wait *root)
{
    return (wait->kind == WAIT_MUTEX || wait->kind == WAIT_RWLOCK) && root->idle;
}

/* Everybody who waits for a lock, or is lost, and is in or behind no deadlock. */
static size_t gather(const struct diagnosis *diagnosis, struct waiter *waiters)
{
    const struct wait_set *waits = diagnosis->facts->waits;
    size_t count = 0;
    for (size_t i = 0; i < waits->count; i++) {
        const struct wait *wait = &waits->waits[i];
        if (!wait->never && !is_lock(wait->kind))
            continue;
        struct waiter waiter = { .thread = i, .root = root_of(diagnosis, i), .lost = wait->never };
        if (waits->waits[waiter.root].cycle != SIZE_MAX)
            continue;
        const struct wait *root = &waits->waits[waiter.root];
        if (!waiter.lost && is_pool(wait, root))
            continue;
        if (waiter.lost && root->holder_gone)
            waiter.object = root->object; /* several may be the first behind it */
        else if (waiter.root == i && !waiter.lost)
            waiter.object = wait->object; /* nobody is known to hold it */
        if (waiter.object)
            waiter.root = SIZE_MAX;
        waiters[count++] = waiter;
    }
    return count;
}

void lock_findings(struct diagnosis *diagnosis)
{
    const struct wait_set *waits = diagnosis->facts->waits;
    size_t *room = arena_array(&diagnosis->scratch, waits->count + 1, sizeof *room);
    struct waiter *waiters = arena_array(&diagnosis->scratch, waits->count + 1, sizeof *waiters);
    if (!room || !waiters) {
        diagnosis->failed = true;
        return;
    }
    for (size_t i = 0; i < waits->cycle_count; i++)
        deadlock(diagnosis, i, room);
    size_t count = gather(diagnosis, waiters);
    qsort(waiters, count, sizeof *waiters, by_root);
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && is_same_root(&waiters[first], &waiters[next]);)
            next++;
        root_finding(diagnosis, waiters + first, next - first, room);
    }
}
