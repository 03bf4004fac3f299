/* io_findings.c: threads that have waited long for one thing outside the process.
 *
 * Those that wait alike (the same call, on the same thing, opened by the same code) are one
 * finding. Who waits for work is none: see rules.h. */
#include "stuck/findings.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "stuck/rules.h"
#include "waits/waits.h"

#include <stdlib.h>
#include <string.h>

struct blocked {
    size_t thread;
    long call;
    bool on_disk; /* in uninterruptible sleep */
    const char *text;
    uint64_t opener; /* of the descriptor, see opener_place */
};

static bool is(const char *word, const char *other)
{
    return word && strcmp(word, other) == 0;
}

/* Whether reading from DESCRIPTOR is waiting for the answer of a peer that this process has
 * called; else it may well be waiting for work. A Unix socket that was accepted has the listener's
 * name, one that called has none of its own. */
static bool is_answer(const struct descriptor *descriptor)
{
    if (!descriptor->peer || is(descriptor->state, "LISTEN"))
        return false;
    if (is(descriptor->kind, "unix"))
        return !descriptor->local;
    return (is(descriptor->kind, "tcp") || is(descriptor->kind, "udp") ||
            is(descriptor->kind, "sctp")) &&
           !descriptor->accepted;
}

/* After how long WAIT, on a descriptor, is a finding; 0: never. */
static uint64_t fd_threshold(const struct diagnosis *diagnosis, const struct wait *wait)
{
    const struct fd_dump *fds = diagnosis->facts->fds;
    const struct descriptor *descriptor = fds ? fd_dump_find(fds, wait->fd) : NULL;
    if (wait->writes)
        return WRITE_NS;
    return descriptor && is_answer(descriptor) ? READ_NS : 0;
}

static uint64_t threshold(const struct diagnosis *diagnosis, size_t index)
{
    const struct wait *wait = &diagnosis->facts->waits->waits[index];
    switch (wait->kind) {
    case WAIT_FD: return fd_threshold(diagnosis, wait);
    case WAIT_FILE_LOCK: return FILE_LOCK_NS;
    case WAIT_FAULT: return DISK_NS;
    case WAIT_OTHER: return wait->text ? OPEN_NS : 0;
    default: return 0;
    }
}

/* Whether thread INDEX is stuck in the kernel where no signal reaches it. One whose
 * child has not called exec yet sleeps so as well, as it should. */
static bool is_on_disk(const struct diagnosis *diagnosis, size_t index)
{
    return diagnosis->facts->threads->threads[index].state == 'D' &&
           diagnosis->facts->waits->waits[index].kind != WAIT_CHILD;
}

static int compare(const void *left, const void *right)
{
    const struct blocked *a = left;
    const struct blocked *b = right;
    if (a->call != b->call)
        return a->call < b->call ? -1 : 1;
    if (a->on_disk != b->on_disk)
        return a->on_disk ? -1 : 1;
    if (!a->text != !b->text)
        return a->text ? -1 : 1;
    int order = a->text ? strcmp(a->text, b->text) : 0;
    if (order)
        return order;
    return (a->opener > b->opener) - (a->opener < b->opener);
}

static void tell(struct diagnosis *diagnosis, const struct blocked *blocked, size_t count,
                 size_t *room, int *fds)
{
    size_t fd_count = 0;
    bool all_told = true;
    for (size_t i = 0; i < count; i++) {
        int fd = diagnosis->facts->waits->waits[blocked[i].thread].fd;
        room[i] = blocked[i].thread;
        all_told &= diagnosis->told[blocked[i].thread];
        bool known = fd < 0;
        for (size_t j = 0; j < fd_count && !known; j++)
            known = fds[j] == fd;
        if (!known)
            fds[fd_count++] = fd;
    }
    if (all_told)
        return;
    struct finding finding = {
        .kind = FINDING_BLOCKED,
        .threads = keep_threads(diagnosis, room, count),
        .thread_count = count,
        .fds = keep_fds(diagnosis, fds, fd_count),
        .fd_count = fd_count,
        .holder = SIZE_MAX,
        .cycle = SIZE_MAX,
        .opener = common_opener(diagnosis, fds, fd_count),
    };
    if (!finding.threads || !finding.fds)
        return;
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    struct sink *sink = &sentence.sink;
    finding.longest_ns = diagnosis->facts->threads->threads[finding.threads[0]].blocked_ns;
    put_threads(sink, diagnosis, finding.threads, count);
    sink_puts(sink, count == 1 ? " has been in " : " have been in ");
    put_call(sink, diagnosis, blocked[0].thread);
    sink_puts(sink, " ");
    put_how_long(sink, diagnosis, finding.threads, count);
    if (blocked[0].on_disk)
        sink_puts(sink, " in uninterruptible sleep");
    put_on(sink, &diagnosis->facts->waits->waits[blocked[0].thread]);
    put_opener(sink, diagnosis, finding.opener);
    finding_add(diagnosis, finding, &sentence);
}

static uint64_t opener_of(const struct diagnosis *diagnosis, size_t index)
{
    const struct wait *wait = &diagnosis->facts->waits->waits[index];
    const struct descriptor *descriptor = diagnosis->facts->fds && wait->fd >= 0
                                              ? fd_dump_find(diagnosis->facts->fds, wait->fd)
                                              : NULL;
    return descriptor ? opener_place(descriptor) : 0;
}

static size_t gather(const struct diagnosis *diagnosis, struct blocked *blocked)
{
    const struct thread_dump *threads = diagnosis->facts->threads;
    size_t count = 0;
    for (size_t i = 0; i < threads->count; i++) {
        const struct thread_sample *thread = &threads->threads[i];
        const struct wait *wait = &diagnosis->facts->waits->waits[i];
        uint64_t after = threshold(diagnosis, i);
        bool on_disk = is_on_disk(diagnosis, i) && thread->blocked_ns >= DISK_NS;
        if (wait->never || (!on_disk && (after == 0 || thread->blocked_ns < after)))
            continue;
        blocked[count++] = (struct blocked){
            .thread = i,
            .call = thread->in_syscall ? thread->syscall_number : -1,
            .on_disk = on_disk,
            .text = wait->text,
            .opener = opener_of(diagnosis, i),
        };
    }
    return count;
}

void io_findings(struct diagnosis *diagnosis)
{
    size_t room_count = diagnosis->facts->threads->count + 1;
    struct blocked *blocked = arena_array(&diagnosis->scratch, room_count, sizeof *blocked);
    size_t *room = arena_array(&diagnosis->scratch, room_count, sizeof *room);
    int *fds = arena_array(&diagnosis->scratch, room_count, sizeof *fds);
    if (!blocked || !room || !fds) {
        diagnosis->failed = true;
        return;
    }
    size_t count = gather(diagnosis, blocked);
    qsort(blocked, count, sizeof *blocked, compare);
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && compare(&blocked[first], &blocked[next]) == 0;)
            next++;
        tell(diagnosis, blocked + first, next - first, room, fds);
    }
}
