/* fds.c: one dump of all descriptors, step by step; see fds.h.
 *
 *   list and links -> who opened them -> sockets -> fdinfo where it is needed
 *                  -> types of paths -> ends of pipes
 *
 * Reading fdinfo costs more than all the rest, so without details it is read only of an epoll and
 * of a pidfd, whose target is in there, and of paths: of each path once, and of no more than a
 * hundred, so that ten thousand files cost no more than ten thousand sockets. */
#include "sources/fds.h"

#include "base/hash_index.h"
#include "base/sink.h"
#include "base/target.h"
#include "sources/fds_asker.h"
#include "sources/fds_borrow.h"
#include "sources/fds_details.h"
#include "sources/fds_ends.h"
#include "sources/fds_info.h"
#include "sources/fds_kinds.h"
#include "sources/fds_list.h"
#include "sources/fds_openers.h"
#include "sources/fds_place.h"
#include "sources/fds_sockets.h"
#include "sources/fds_types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATHS_ASKED 100u /* different ones, without details */
#define FDINFOS_A_CLOCK 64u

struct fd_source {
    struct target *target;
    struct tracking *tracking;
    struct socket_asker asker;
    struct fd_info_buffer info;
    struct sink_buffer text;
};

/* One dump in the making. */
struct making {
    struct fd_source *source;
    bool with_details;
    const int *wanted; /* these alone; NULL: all */
    size_t wanted_count;
    struct fd_dump *dump;
    struct fd_place place;
    struct borrower borrower;
    struct local_mounts *mounts;
    struct hash_index paths; /* entry: the position of the first descriptor of a path */
    size_t paths_asked;
    uint64_t deadline_ns;
    size_t infos_read;
    bool late;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct fd_source *fd_source_new(struct target *target, struct tracking *tracking)
{
    struct fd_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->target = target;
    source->tracking = tracking;
    sink_buffer_init(&source->text);
    diag_open(&source->asker.diag, target);
    return source;
}

void fd_source_free(struct fd_source *source)
{
    if (!source)
        return;
    fd_source_trim(source);
    diag_close(&source->asker.diag);
    free(source);
}

void fd_source_trim(struct fd_source *source)
{
    fd_info_free(&source->info);
    sink_buffer_free(&source->text);
    diag_trim(&source->asker.diag);
}

static void take_info(struct descriptor *descriptor, const struct fd_info *info)
{
    descriptor->flags = info->flags;
    if (info->flags >= 0)
        descriptor->access = info->flags & O_PATH ? O_PATH : info->flags & O_ACCMODE;
    if (fd_kind_has_path(descriptor) || descriptor->kind == kind_memfd)
        descriptor->position = info->position;
    if (descriptor->inode == 0)
        descriptor->inode = info->inode;
}

/* Everything that is in fdinfo, and the type of a path, which depends on it. False when the
 * descriptor is closed by now, or another one. */
static bool read_info(struct making *making, struct descriptor *descriptor)
{
    struct fd_info info;
    making->late = making->late || (++making->infos_read % FDINFOS_A_CLOCK == 0 &&
                                    clock_ns(CLOCK_MONOTONIC) >= making->deadline_ns);
    if (making->late || making->place.fdinfo < 0 ||
        fd_info_read(&making->source->info, making->place.fdinfo, descriptor->fd, &info) != 0)
        return false;
    if (descriptor->inode && info.inode && descriptor->inode != info.inode)
        return false;
    take_info(descriptor, &info);
    if (fd_kind_has_path(descriptor) && making->mounts)
        fd_type_find(descriptor, &info, making->mounts);
    fd_details_take(making->dump, descriptor, &info, &making->place, &making->source->text);
    return true;
}

static bool path_equal(const void *within, uint32_t entry, const void *key)
{
    return strcmp(((const struct descriptor *)within)[entry].target, key) == 0;
}

/* A path that was seen before has the type it had then; the first hundred others are asked. */
static void find_path(struct making *making, struct descriptor *descriptor)
{
    struct fd_dump *dump = making->dump;
    uint64_t hash = hash_bytes(0, descriptor->target, strlen(descriptor->target));
    uint32_t first =
        hash_index_find(&making->paths, hash, path_equal, dump->descriptors, descriptor->target);
    if (first != HASH_NONE) {
        fd_type_copy(descriptor, &dump->descriptors[first]);
        if (descriptor->kind == kind_fifo)
            read_info(making, descriptor); /* its inode, to find the other end by */
        return;
    }
    if (making->paths_asked == PATHS_ASKED || !read_info(making, descriptor))
        return;
    making->paths_asked++;
    hash_index_insert(&making->paths, &dump->arena, hash,
                      (uint32_t)(descriptor - dump->descriptors));
}

/* What is needed of fdinfo, for all. */
static void read_infos(struct making *making)
{
    struct fd_dump *dump = making->dump;
    making->mounts = local_mounts_new(&dump->arena, &making->place);
    for (size_t i = 0; i < dump->count && !making->late; i++) {
        struct descriptor *descriptor = &dump->descriptors[i];
        if (descriptor->kind == kind_unknown)
            continue;
        if (dump->with_details || descriptor->kind == kind_epoll || descriptor->kind == kind_pidfd)
            read_info(making, descriptor);
        else if (fd_kind_has_path(descriptor))
            find_path(making, descriptor);
    }
}

static int list(struct making *making)
{
    if (making->wanted)
        return fd_list_look(making->dump, &making->place, making->wanted, making->wanted_count,
                            making->deadline_ns);
    return fd_list_read(making->dump, &making->place, making->deadline_ns);
}

static int make(struct making *making)
{
    struct fd_dump *dump = making->dump;
    int error = list(making);
    if (error)
        return error;
    fd_openers_find(dump, making->source->tracking);
    dump->limit = fd_place_limit(&making->place);
    dump->own_among_them = making->place.is_ours;
    borrower_init(&making->borrower, making->source->target, &making->place);
    sockets_tell(dump, &making->place, &making->source->asker, &making->borrower);
    read_infos(making);
    fd_ends_find(dump, &making->place, &making->borrower);
    borrower_close(&making->borrower);
    return 0;
}

/* Fills in the rest of MAKING and makes the dump. */
static int begin(struct making *making, uint64_t budget_ns, struct fd_dump **result)
{
    struct arena arena = ARENA_INIT;
    struct fd_dump *dump = arena_alloc(&arena, sizeof *dump);
    if (!dump)
        return -ENOMEM;
    making->dump = dump;
    dump->arena = arena;
    dump->with_details = making->with_details;
    dump->time_ns = clock_ns(CLOCK_REALTIME);
    dump->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    making->deadline_ns = dump->monotonic_ns + budget_ns;
    if (making->deadline_ns < budget_ns)
        making->deadline_ns = UINT64_MAX;
    int error = fd_place_open(&making->place, making->source->target);
    if (!error)
        error = make(making);
    fd_place_close(&making->place);
    if (error) {
        fd_dump_free(dump);
        return error;
    }
    dump->took_ns = clock_ns(CLOCK_MONOTONIC) - dump->monotonic_ns;
    *result = dump;
    return 0;
}

int fd_source_dump(struct fd_source *source, bool with_details, uint64_t budget_ns,
                   struct fd_dump **dump)
{
    struct making making = { .source = source, .with_details = with_details };
    return begin(&making, budget_ns, dump);
}

int fd_source_look(struct fd_source *source, const int *fds, size_t count, uint64_t budget_ns,
                   struct fd_dump **dump)
{
    static const int none[1];
    struct making making = { .source = source,
                             .wanted = count > 0 ? fds : none,
                             .wanted_count = count };
    return begin(&making, budget_ns, dump);
}

void fd_dump_free(struct fd_dump *dump)
{
    if (!dump)
        return;
    struct arena arena = dump->arena; /* it holds the dump itself */
    arena_release(&arena);
}

const struct descriptor *fd_dump_find(const struct fd_dump *dump, int fd)
{
    size_t low = 0;
    size_t high = dump->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dump->descriptors[middle].fd < fd)
            low = middle + 1;
        else
            high = middle;
    }
    return low < dump->count && dump->descriptors[low].fd == fd ? &dump->descriptors[low] : NULL;
}

long fd_source_count(struct fd_source *source)
{
    struct fd_place place;
    int error = fd_place_open(&place, source->target);
    if (error)
        return error;
    long count = fd_place_count(&place);
    fd_place_close(&place);
    return count;
}
