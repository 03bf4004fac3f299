/* tracking.c: the tables of libsnag-track, read from outside; see tracking.h.
 *
 * The service goes on writing meanwhile. Descriptors and threads are read
 * twice and taken where both readings are equal and the version is even; what
 * moved is read again a few times. The pool of stacks is read after them,
 * since it only grows: whatever number an entry had, its stack is there by then. */
#include "sources/tracking.h"

#include "base/arena.h"
#include "base/target.h"
#include "modules/modules.h"
#include "sources/stack_pool.h"
#include "sources/tracking_symbol.h"
#include "track/calls.h"
#include "track/layout.h"

#include <stdlib.h>
#include <string.h>

#define READINGS 4

/* An event as it was read. */
struct event {
    uint64_t time_ns;
    uint32_t stack;
    int32_t tid;
};

/* What is known of a descriptor or a thread: KEY is its number. */
struct record {
    int32_t key;
    uint32_t call;
    struct event event;
};

struct records {
    struct record *list; /* by ascending key */
    size_t count;
    size_t capacity;
};

struct tracking {
    struct target *target;
    struct modules *modules;
    size_t searched;             /* modules looked at for the tables */
    const struct module *module; /* that has them; NULL not found yet */
    uint64_t root_address;
    struct pool_reader *pool;

    struct arena arena; /* owns all below */
    struct track_root *root;
    struct records fds;
    struct records threads;
    struct double_close *double_closes;
    size_t double_close_count;
};

struct tracking *tracking_new(struct target *target, struct modules *modules)
{
    struct tracking *tracking = calloc(1, sizeof *tracking);
    if (!tracking)
        return NULL;
    tracking->target = target;
    tracking->modules = modules;
    tracking->pool = pool_reader_new(target, modules);
    if (tracking->pool)
        return tracking;
    free(tracking);
    return NULL;
}

void tracking_trim(struct tracking *tracking)
{
    arena_release(&tracking->arena);
    pool_reader_trim(tracking->pool);
    tracking->root = NULL;
    tracking->fds = tracking->threads = (struct records){ 0 };
    tracking->double_closes = NULL;
    tracking->double_close_count = 0;
}

void tracking_free(struct tracking *tracking)
{
    if (!tracking)
        return;
    tracking_trim(tracking);
    pool_reader_free(tracking->pool);
    free(tracking);
}

/* Looks at the modules that came since the last time. */
static bool search_modules(struct tracking *tracking)
{
    static const char library[] = "libsnag-track";
    for (; tracking->searched < modules_count(tracking->modules); tracking->searched++) {
        const struct module *module = modules_at(tracking->modules, tracking->searched);
        if (module->retired || !module->is_elf ||
            strncmp(module_name(module), library, strlen(library)) != 0)
            continue;
        tracking->root_address = loaded_symbol(tracking->target, module->bias, TRACK_ROOT_SYMBOL);
        if (tracking->root_address == 0)
            continue;
        tracking->module = module;
        return true;
    }
    return false;
}

bool tracking_is_loaded(struct tracking *tracking)
{
    return tracking->module || search_modules(tracking);
}

static bool find_root(struct tracking *tracking)
{
    if (tracking->module && !tracking->module->retired)
        return true;
    tracking->module = NULL;
    pool_reader_refresh(tracking->pool, 0); /* of tables that are gone with their library */
    if (search_modules(tracking))
        return true;
    /* Nobody may have had a reason yet to look what is mapped. */
    return modules_refresh(tracking->modules) == 0 && search_modules(tracking);
}

static bool read_root(struct tracking *tracking)
{
    struct track_root *root = arena_alloc(&tracking->arena, sizeof *root);
    if (!root || !target_read_all(tracking->target, tracking->root_address, root, sizeof *root) ||
        root->magic != TRACK_MAGIC || root->version != TRACK_VERSION ||
        root->size != sizeof *root || !atomic_load_explicit(&root->ready, memory_order_relaxed))
        return false;
    tracking->root = root;
    return true;
}

static bool add(struct tracking *tracking, struct records *records, const struct record *record)
{
    if (records->count == records->capacity) {
        size_t capacity = records->capacity ? records->capacity * 2 : 256;
        struct record *list = arena_array(&tracking->arena, capacity, sizeof *list);
        if (!list)
            return false;
        if (records->count > 0)
            memcpy(list, records->list, records->count * sizeof *list);
        records->list = list;
        records->capacity = capacity;
    }
    records->list[records->count++] = *record;
    return true;
}

/* Everything below is a copy of ours: the plain values of its atomics. */
#define PLAIN(field) atomic_load_explicit(&(field), memory_order_relaxed)

static struct event plain_event(const struct tracking *tracking, struct track_event *event)
{
    pid_t tid = outer_tid(tracking->target, PLAIN(event->tid));
    return (struct event){ PLAIN(event->time_ns), PLAIN(event->stack), tid };
}

/* Reads SIZE bytes twice, each time anew; *SECOND is what they were a moment after *FIRST. */
static bool read_twice(struct tracking *tracking, uint64_t address, void *first, void *second,
                       size_t size)
{
    return target_read_all(tracking->target, address, first, size) &&
           target_read_all(tracking->target, address, second, size);
}

static bool settled(struct track_fd *first, const struct track_fd *second)
{
    return memcmp(first, second, sizeof *first) == 0 && PLAIN(first->version) % 2 == 0;
}

static bool take_fd(struct tracking *tracking, uint64_t address, int32_t fd, struct track_fd *entry,
                    const struct track_fd *second)
{
    struct track_fd other = *second;
    bool steady = settled(entry, &other);
    for (int i = 0; i < READINGS && !steady; i++)
        steady =
            read_twice(tracking, address, entry, &other, sizeof other) && settled(entry, &other);
    if (!steady || PLAIN(entry->state) != TRACK_OPEN)
        return true;
    struct record record = { fd, PLAIN(entry->opened_call), plain_event(tracking, &entry->opened) };
    return add(tracking, &tracking->fds, &record);
}

static bool read_fds(struct tracking *tracking)
{
    const size_t size = TRACK_FD_CHUNK * sizeof(struct track_fd);
    struct track_fd *first = arena_alloc(&tracking->arena, size);
    struct track_fd *second = arena_alloc(&tracking->arena, size);
    if (!first || !second)
        return false;
    for (uint32_t i = 0; i < TRACK_FD_CHUNKS; i++) {
        uint64_t chunk = PLAIN(tracking->root->fd_chunks[i]);
        if (chunk == 0 || !read_twice(tracking, chunk, first, second, size))
            continue;
        for (uint32_t j = 0; j < TRACK_FD_CHUNK; j++)
            if (PLAIN(first[j].version) != 0 || PLAIN(second[j].version) != 0)
                if (!take_fd(tracking, chunk + j * sizeof *first, (int32_t)(i * TRACK_FD_CHUNK + j),
                             &first[j], &second[j]))
                    return false;
    }
    return true;
}

/* A slot is written by its thread alone and before its tid is set, so one that is equal in two
 * readings is whole. */
static bool take_thread(struct tracking *tracking, struct track_thread *first,
                        const struct track_thread *second)
{
    if (PLAIN(first->tid) == 0 || memcmp(first, second, sizeof *first) != 0 ||
        PLAIN(first->epoch) != PLAIN(tracking->root->epoch))
        return true;
    pid_t tid = outer_tid(tracking->target, PLAIN(first->tid));
    if (tid == 0) /* it has ended */
        return true;
    struct record record = { tid, PLAIN(first->call), plain_event(tracking, &first->created) };
    return add(tracking, &tracking->threads, &record);
}

/* By tid; of two of the same (a thread that ended without a trace) the newer one first. */
static int by_key(const void *left, const void *right)
{
    const struct record *a = left;
    const struct record *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->event.time_ns < b->event.time_ns) - (a->event.time_ns > b->event.time_ns);
}

static bool read_threads(struct tracking *tracking)
{
    const size_t size = TRACK_THREAD_CHUNK * sizeof(struct track_thread);
    struct track_thread *first = arena_alloc(&tracking->arena, size);
    struct track_thread *second = arena_alloc(&tracking->arena, size);
    if (!first || !second)
        return false;
    uint32_t count = PLAIN(tracking->root->thread_count);
    for (uint32_t i = 0; i < TRACK_THREAD_CHUNKS && i * TRACK_THREAD_CHUNK < count; i++) {
        uint64_t chunk = PLAIN(tracking->root->thread_chunks[i]);
        if (chunk == 0 || !read_twice(tracking, chunk, first, second, size))
            continue;
        for (uint32_t j = 0; j < TRACK_THREAD_CHUNK; j++)
            if (!take_thread(tracking, &first[j], &second[j]))
                return false;
    }
    if (tracking->threads.count > 1)
        qsort(tracking->threads.list, tracking->threads.count, sizeof(struct record), by_key);
    return true;
}

static const char *call_name(uint32_t call)
{
#define TRACK_CALL_NAME(name, makes) #name,
    static const char *const names[] = { "none", TRACK_CALLS(TRACK_CALL_NAME) };
#undef TRACK_CALL_NAME
    return call > CALL_none && call < CALL_COUNT ? names[call] : NULL;
}

static bool origin_of(const struct tracking *tracking, uint32_t call, const struct event *event,
                      struct origin *origin)
{
    const struct pooled_stack stack = pool_reader_stack(tracking->pool, event->stack);
    *origin = (struct origin){
        .frames = stack.frames,
        .frame_count = stack.count,
        .call = call_name(call),
        .tid = event->tid,
        .time_ns = event->time_ns,
        .partial = stack.partial,
    };
    return origin->call != NULL;
}

static bool read_double_closes(struct tracking *tracking)
{
    struct track_root *root = tracking->root;
    uint32_t count = PLAIN(root->bad_close_count);
    if (count > TRACK_BAD_CLOSES)
        count = TRACK_BAD_CLOSES;
    if (count == 0)
        return true;
    tracking->double_closes = arena_array(&tracking->arena, count, sizeof *tracking->double_closes);
    if (!tracking->double_closes)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct track_bad_close *from = &root->bad_close[i];
        struct double_close *to = &tracking->double_closes[tracking->double_close_count];
        struct event closed = plain_event(tracking, &from->closed);
        struct event before = plain_event(tracking, &from->before);
        if (!PLAIN(from->ready) || !origin_of(tracking, PLAIN(from->call), &closed, &to->closed))
            continue;
        to->fd = PLAIN(from->fd);
        to->times = PLAIN(from->times);
        if (!origin_of(tracking, PLAIN(from->before_call), &before, &to->before))
            to->before = (struct origin){ .frames = NULL };
        tracking->double_close_count++;
    }
    return true;
}

bool tracking_refresh(struct tracking *tracking)
{
    tracking_trim(tracking);
    inner_ids_forget(tracking->target);
    if (!find_root(tracking) || !read_root(tracking))
        return false;
    if (read_fds(tracking) && read_threads(tracking) &&
        pool_reader_refresh(tracking->pool, PLAIN(tracking->root->pool)) &&
        read_double_closes(tracking))
        return true;
    tracking_trim(tracking);
    return false;
}

static const struct record *find(const struct records *records, int32_t key)
{
    size_t low = 0;
    size_t high = records->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (records->list[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < records->count && records->list[low].key == key ? &records->list[low] : NULL;
}

bool tracking_fd(const struct tracking *tracking, int fd, struct origin *origin)
{
    const struct record *record = find(&tracking->fds, fd);
    return record && origin_of(tracking, record->call, &record->event, origin);
}

bool tracking_thread(const struct tracking *tracking, pid_t tid, struct origin *origin)
{
    const struct record *record = find(&tracking->threads, tid);
    return record && origin_of(tracking, record->call, &record->event, origin);
}

uint64_t tracking_double_closes(const struct tracking *tracking, const struct double_close **list,
                                size_t *count)
{
    *list = tracking->double_closes;
    *count = tracking->double_close_count;
    return tracking->root ? PLAIN(tracking->root->bad_closes) : 0;
}

uint64_t tracking_lost(const struct tracking *tracking)
{
    return tracking->root ? PLAIN(tracking->root->lost) : 0;
}
