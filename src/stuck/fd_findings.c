/* fd_findings.c: sockets that nobody closes or reads, a descriptor table that fills up,
 * double closes. */
#include "stuck/findings.h"

#include "base/sink.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "stuck/rules.h"
#include "waits/place_words.h"
#include "waits/waits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is(const char *word, const char *other)
{
    return word && strcmp(word, other) == 0;
}

/* A descriptor, and what makes it one of a group. */
struct member {
    const struct descriptor *descriptor;
    const char *key; /* "to 127.0.0.1:80" */
};

static int compare(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    int order = strcmp(a->key, b->key);
    if (order)
        return order;
    uint64_t opener_a = opener_place(a->descriptor);
    uint64_t opener_b = opener_place(b->descriptor);
    return (opener_a > opener_b) - (opener_a < opener_b);
}

static const char *text(struct diagnosis *diagnosis, const char *before, const char *what)
{
    size_t size = strlen(before) + strlen(what) + 1;
    char *made = arena_alloc(&diagnosis->scratch, size);
    if (!made) {
        diagnosis->failed = true;
        return "";
    }
    memcpy(made, before, strlen(before));
    memcpy(made + strlen(before), what, strlen(what) + 1);
    return made;
}

static bool is_pipe(const struct descriptor *descriptor)
{
    return is(descriptor->kind, "pipe") || is(descriptor->kind, "fifo");
}

/* Where a socket leads: to the peer that was called, or to the own port that a client called. */
static const char *socket_key(struct diagnosis *diagnosis, const struct descriptor *descriptor)
{
    if (is_pipe(descriptor))
        return descriptor->kind;
    if (descriptor->accepted && descriptor->local)
        return text(diagnosis, "accepted on ", descriptor->local);
    if (descriptor->peer)
        return text(diagnosis, "to ", descriptor->peer);
    return text(diagnosis, "of kind ", descriptor->kind);
}

static int compare_fds(const void *left, const void *right)
{
    int a = *(const int *)left;
    int b = *(const int *)right;
    return (a > b) - (a < b);
}

static bool has(const int *fds, size_t count, int fd)
{
    return count > 0 && bsearch(&fd, fds, count, sizeof *fds, compare_fds) != NULL;
}

/* Who waits on one of FDS, alone or in a set, into ROOM. */
static size_t waiting_threads(const struct diagnosis *diagnosis, const int *fds, size_t count,
                              size_t *room)
{
    size_t found = 0;
    for (size_t i = 0; i < diagnosis->facts->waits->count; i++) {
        const struct wait *wait = &diagnosis->facts->waits->waits[i];
        bool waits = has(fds, count, wait->fd);
        for (size_t j = 0; j < wait->fd_count && !waits; j++)
            waits = has(fds, count, wait->fds[j]);
        if (waits)
            room[found++] = i;
    }
    return found;
}

/* Descriptors of one group, and the words for them. */
struct group {
    const struct member *members;
    size_t count;
    uint64_t known_ns; /* the longest that one of them was seen so */
};

static void put_group(struct sink *sink, const struct group *group, enum finding_kind kind,
                      uint64_t bytes)
{
    const char *ending = group->count == 1 ? "" : "s";
    const char *key = group->members[0].key;
    if (is_pipe(group->members[0].descriptor))
        sink_printf(sink, "%zu %s%s", group->count, key, ending);
    else
        sink_printf(sink, "%zu socket%s %s", group->count, ending, key);
    if (kind == FINDING_CLOSE_WAIT) {
        sink_printf(sink, " %s in CLOSE_WAIT: the peer has closed and this process has not",
                    group->count == 1 ? "is" : "are");
    } else {
        sink_printf(sink, " %s ", group->count == 1 ? "holds" : "hold");
        put_bytes(sink, bytes);
        sink_puts(sink, " that nobody reads");
    }
    if (group->known_ns >= SECONDS(1)) {
        sink_puts(sink, ", for at least ");
        sink_duration(sink, group->known_ns);
    }
    if (kind == FINDING_CLOSE_WAIT && bytes > 0) {
        sink_puts(sink, "; ");
        put_bytes(sink, bytes);
        sink_puts(sink, " unread");
    }
}

/* Who waits on FD_COUNT descriptors: COUNT threads. */
static void put_waiting(struct sink *sink, const struct diagnosis *diagnosis, size_t fd_count,
                        const size_t *threads, size_t count)
{
    const char *them = fd_count == 1 ? "it" : "them";
    sink_puts(sink, "; ");
    if (count == 0) {
        sink_printf(sink, "no thread waits on %s", them);
        return;
    }
    put_threads(sink, diagnosis, threads, count);
    sink_printf(sink, " %s waited on %s ", count == 1 ? "has" : "have", them);
    put_how_long(sink, diagnosis, threads, count);
}

static void tell_group(struct diagnosis *diagnosis, const struct group *group,
                       enum finding_kind kind, int *fds, size_t *room)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct descriptor *descriptor = group->members[i].descriptor;
        fds[i] = descriptor->fd;
        bytes += descriptor->queues_known ? descriptor->unread : 0;
    }
    qsort(fds, group->count, sizeof *fds, compare_fds);
    size_t waiting = waiting_threads(diagnosis, fds, group->count, room);
    struct finding finding = {
        .kind = kind,
        .threads = keep_threads(diagnosis, room, waiting),
        .thread_count = waiting,
        .fds = keep_fds(diagnosis, fds, group->count),
        .fd_count = group->count,
        .holder = SIZE_MAX,
        .cycle = SIZE_MAX,
        .longest_ns = group->known_ns,
        .bytes = bytes,
        .opener = common_opener(diagnosis, fds, group->count),
    };
    if (!finding.threads || !finding.fds)
        return;
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    put_group(&sentence.sink, group, kind, bytes);
    put_opener(&sentence.sink, diagnosis, finding.opener);
    put_waiting(&sentence.sink, diagnosis, group->count, finding.threads, waiting);
    finding_add(diagnosis, finding, &sentence);
}

/* How long DESCRIPTOR is known to have been what KIND is about; UINT64_MAX: it is not that. */
static uint64_t known_ns(const struct diagnosis *diagnosis, const struct descriptor *descriptor,
                         enum finding_kind kind)
{
    bool close_wait = is(descriptor->state, "CLOSE_WAIT");
    if (kind == FINDING_CLOSE_WAIT)
        return close_wait ? memory_close_wait_ns(diagnosis->memory, descriptor->inode) : UINT64_MAX;
    /* A pipe to itself is how a process keeps a token (libuv's lock, make's jobs): in it is rest.
     */
    bool is_own = is(descriptor->kind, "pipe") && descriptor->other_end >= 0;
    bool has_bytes = descriptor->queues_known && !descriptor->queues_are_memory &&
                     descriptor->unread > 0 && !is(descriptor->state, "LISTEN") && !is_own;
    uint64_t known = memory_unread_ns(diagnosis->memory, descriptor->inode);
    return !close_wait && has_bytes && known >= REMEMBER_NS ? known : UINT64_MAX;
}

static void socket_findings(struct diagnosis *diagnosis, enum finding_kind kind,
                            struct member *members, int *fds, size_t *room)
{
    const struct fd_dump *dump = diagnosis->facts->fds;
    size_t count = 0;
    for (size_t i = 0; i < dump->count; i++) {
        const struct descriptor *descriptor = &dump->descriptors[i];
        if (known_ns(diagnosis, descriptor, kind) != UINT64_MAX)
            members[count++] = (struct member){ descriptor, socket_key(diagnosis, descriptor) };
    }
    qsort(members, count, sizeof *members, compare);
    for (size_t first = 0, next; first < count; first = next) {
        struct group group = { .members = members + first };
        for (next = first; next < count && compare(&members[first], &members[next]) == 0; next++) {
            uint64_t known = known_ns(diagnosis, members[next].descriptor, kind);
            group.known_ns = known > group.known_ns ? known : group.known_ns;
        }
        group.count = next - first;
        if (group.count >= MANY_CLOSE_WAIT || group.known_ns >= REMEMBER_NS)
            tell_group(diagnosis, &group, kind, fds, room);
    }
}

/* ---- the table ---- */

static const char *kind_key(struct diagnosis *diagnosis, const struct descriptor *descriptor)
{
    if (!descriptor->state)
        return descriptor->kind;
    return text(diagnosis, text(diagnosis, descriptor->kind, " "), descriptor->state);
}

/* The largest group of equal members; they are in order. */
static struct group largest_group(const struct member *members, size_t count)
{
    struct group largest = { 0 };
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first; next < count && compare(&members[first], &members[next]) == 0;)
            next++;
        if (next - first > largest.count)
            largest = (struct group){ .members = members + first, .count = next - first };
    }
    return largest;
}

static void table_finding(struct diagnosis *diagnosis, struct member *members, int *fds)
{
    const struct fd_dump *dump = diagnosis->facts->fds;
    if (dump->limit == 0 || dump->count * 100 < dump->limit * FDS_MANY)
        return;
    for (size_t i = 0; i < dump->count; i++)
        members[i] =
            (struct member){ &dump->descriptors[i], kind_key(diagnosis, &dump->descriptors[i]) };
    qsort(members, dump->count, sizeof *members, compare);
    struct group group = largest_group(members, dump->count);
    for (size_t i = 0; i < group.count; i++)
        fds[i] = group.members[i].descriptor->fd;
    bool out = dump->count * 100 >= dump->limit * FDS_OUT;
    struct finding finding = {
        .kind = out ? FINDING_FDS_OUT : FINDING_FDS_MANY,
        .fds = keep_fds(diagnosis, fds, group.count),
        .fd_count = group.count,
        .holder = SIZE_MAX,
        .cycle = SIZE_MAX,
        .opener = common_opener(diagnosis, fds, group.count),
    };
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    sink_printf(&sentence.sink,
                "%zu of %" PRIu64 " descriptors are open (%" PRIu64 " %%), the most of one kind: "
                "%zu %s",
                dump->count, dump->limit, dump->count * 100 / dump->limit, group.count,
                group.count ? group.members[0].key : "");
    put_opener(&sentence.sink, diagnosis, finding.opener);
    finding_add(diagnosis, finding, &sentence);
}

static void double_closes(struct diagnosis *diagnosis)
{
    const struct double_close *list = NULL;
    size_t count = 0;
    uint64_t times = diagnosis->facts->tracking
                         ? tracking_double_closes(diagnosis->facts->tracking, &list, &count)
                         : 0;
    if (times == 0)
        return;
    struct sink_buffer sentence;
    sink_buffer_init(&sentence);
    sink_printf(&sentence.sink, "%" PRIu64 " close%s of descriptors that were not open", times,
                times == 1 ? "" : "s");
    if (count > 0 && list[0].closed.frame_count > 0) {
        sink_printf(&sentence.sink, "%s of fd %d by ", times == 1 ? "," : ", the first",
                    list[0].fd);
        place_write(&sentence.sink, diagnosis->facts->symbolizer, list[0].closed.frames[0]);
    }
    if (count > 0 && list[0].before.frame_count > 0) {
        sink_puts(&sentence.sink, ", after one by ");
        place_write(&sentence.sink, diagnosis->facts->symbolizer, list[0].before.frames[0]);
    }
    struct finding finding = {
        .kind = FINDING_DOUBLE_CLOSE, .holder = SIZE_MAX, .cycle = SIZE_MAX, .times = times
    };
    finding_add(diagnosis, finding, &sentence);
}

void fd_findings(struct diagnosis *diagnosis)
{
    const struct fd_dump *dump = diagnosis->facts->fds;
    double_closes(diagnosis);
    if (!dump)
        return;
    struct arena *scratch = &diagnosis->scratch;
    struct member *members = arena_array(scratch, dump->count + 1, sizeof *members);
    int *fds = arena_array(scratch, dump->count + 1, sizeof *fds);
    size_t *room = arena_array(scratch, diagnosis->facts->threads->count + 1, sizeof *room);
    if (!members || !fds || !room) {
        diagnosis->failed = true;
        return;
    }
    socket_findings(diagnosis, FINDING_CLOSE_WAIT, members, fds, room);
    socket_findings(diagnosis, FINDING_UNREAD, members, fds, room);
    table_finding(diagnosis, members, fds);
}
