/* waits.c: what each blocked thread waits on; see waits.h.
 *
 * The order is: what kind of wait each is, which may mean to name functions and takes long the
 * first time; the locks' owners with it; then the proof of who can never go on; then, if any is
 * waited for, the descriptors; and last the words, of what has proven true. */
#include "waits/finder.h"

#include "base/stack.h"
#include "base/target.h"
#include "modules/modules.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "unwind/unwind.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wait_source {
    struct target *target;
    struct modules *modules;
    struct symbolizer *symbolizer;
    struct thread_source *threads;
    struct fd_source *fds;
    struct unwinder *unwinder;
    uint64_t tid_offset;
};

struct wait_source *wait_source_new(struct target *target, struct modules *modules,
                                    struct unwinder *unwinder, struct symbolizer *symbolizer,
                                    struct thread_source *threads, struct fd_source *fds)
{
    struct wait_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    *source = (struct wait_source){
        .target = target,
        .modules = modules,
        .symbolizer = symbolizer,
        .threads = threads,
        .fds = fds,
        .unwinder = unwinder,
    };
    return source;
}

void wait_source_free(struct wait_source *source)
{
    free(source);
}

const char *finder_text(struct finder *finder, const char *format, ...)
{
    char small[256];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(small, sizeof small, format, list);
    va_end(list);
    char *text = length < 0 ? NULL : arena_alloc(&finder->set->arena, (size_t)length + 1);
    if (!text)
        return "";
    if ((size_t)length < sizeof small) {
        memcpy(text, small, (size_t)length + 1);
        return text;
    }
    va_start(list, format);
    vsnprintf(text, (size_t)length + 1, format, list);
    va_end(list);
    return text;
}

struct sink *finder_words(struct finder *finder)
{
    finder->words.length = 0;
    if (finder->words.bytes)
        finder->words.bytes[0] = 0;
    return &finder->words.sink;
}

const char *finder_said(struct finder *finder)
{
    const char *said = finder->words.bytes;
    char *kept = said ? arena_strndup(&finder->set->arena, said, finder->words.length) : NULL;
    return kept ? kept : "";
}

bool finder_walk(struct finder *finder, const struct thread_sample *thread,
                 struct stack_trace *trace)
{
    if (!thread->is_still || thread->frame_count == 0 || thread->stack_pointer == 0)
        return false;
    struct stack_copy copy = {
        .registers = { .ip = frame_address(thread->frames[0]), .sp = thread->stack_pointer },
        .low = thread->stack_pointer,
        .live = true,
    };
    unwind_stack(finder->namer.unwinder, &copy, trace);
    return trace->count == thread->frame_count &&
           memcmp(trace->frames, thread->frames, trace->count * sizeof *trace->frames) == 0;
}

/* A call that has been begun again after a stop: as what it was called. */
static void restart_find(struct finder *finder, size_t index)
{
    static const struct call sleep = { "clock_nanosleep", CALL_CLOCK_SLEEP, 2, 2 };
    struct wait *wait = &finder->set->waits[index];
    const struct called *called = called_find(&finder->namer, &finder->threads->threads[index]);
    if (called && called->class == CALLED_SLEEP)
        sleep_find(finder, index, &sleep);
    else if (called && called->class == CALLED_POLL)
        poll_find(finder, index);
    else if (called)
        futex_find(finder, index);
    else
        wait->kind = WAIT_OTHER;
    wait->timed = true;
}

static void fd_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    wait->kind = WAIT_FD;
    wait->fd = int_argument(thread->arguments[call->subject]);
    wait->writes = call->class == CALL_WRITES;
    wait->idle = strcmp(call->name, "accept") == 0 || strcmp(call->name, "accept4") == 0;
    wait->timed = call->timeout != ARGUMENT_NONE && thread->arguments[call->timeout] != 0;
}

/* The two ends of splice and its kin: splice and copy_file_range have an offset in between. */
static void moves_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    int *fds = arena_array(&finder->set->arena, 2, sizeof *fds);
    wait->kind = WAIT_FDS;
    if (!fds)
        return;
    fds[0] = int_argument(thread->arguments[0]);
    fds[1] = int_argument(thread->arguments[strcmp(call->name, "tee") == 0 ? 1 : 2]);
    wait->fds = fds;
    wait->fd_count = wait->fd_total = 2;
}

static void epoll_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    uint64_t timeout = thread->arguments[call->timeout];
    wait->kind = WAIT_FDS;
    wait->idle = true;
    wait->fd = int_argument(thread->arguments[0]);
    wait->timed =
        strcmp(call->name, "epoll_pwait2") == 0 ? timeout != 0 : int_argument(timeout) >= 0;
}

static void constant_find(struct finder *finder, size_t index, enum wait_kind kind,
                          const char *text)
{
    struct wait *wait = &finder->set->waits[index];
    wait->kind = kind;
    wait->text = wait->detail = text;
}

static void call_wait_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    switch (call->class) {
    case CALL_OTHER: wait->kind = WAIT_OTHER; break;
    case CALL_READS:
    case CALL_WRITES:
    case CALL_RING: fd_find(finder, index, call); break;
    case CALL_MOVES: moves_find(finder, index, call); break;
    case CALL_POLL: poll_find(finder, index); break;
    case CALL_SELECT: select_find(finder, index); break;
    case CALL_EPOLL: epoll_find(finder, index, call); break;
    case CALL_FUTEX: futex_find(finder, index); break;
    case CALL_NEW_FUTEX:
        constant_find(finder, index, WAIT_FUTEX, "futex");
        wait->timed = thread->arguments[call->timeout] != 0;
        break;
    case CALL_CHILD:
    case CALL_CHILD_BY_TYPE:
    case CALL_CLONE: child_find(finder, index, call); break;
    case CALL_FILE_LOCK:
    case CALL_FCNTL:
        fd_find(finder, index, call);
        if (file_lock_waits(thread))
            wait->kind = WAIT_FILE_LOCK;
        break;
    case CALL_SLEEP:
    case CALL_CLOCK_SLEEP: sleep_find(finder, index, call); break;
    case CALL_ANY_SIGNAL:
    case CALL_SIGNAL_SET: signal_find(finder, index, call); break;
    case CALL_IPC:
    case CALL_QUEUE: ipc_find(finder, index, call); break;
    case CALL_COMPLETION: constant_find(finder, index, WAIT_OTHER, "completion of I/O"); break;
    case CALL_OPEN: open_find(finder, index, call); break;
    case CALL_RESTART: restart_find(finder, index); break;
    }
}

static void find(struct finder *finder, size_t index, bool frozen)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    *wait = (struct wait){ .fd = -1, .next = SIZE_MAX, .cycle = SIZE_MAX };
    if (frozen && frozen_is(finder, thread))
        constant_find(finder, index, WAIT_OTHER, "thaw of its frozen control group");
    else if (thread->state == 't')
        constant_find(finder, index, WAIT_OTHER, "the debugger that traces it");
    else if (thread->state == 'T')
        constant_find(finder, index, WAIT_SIGNAL, "SIGCONT");
    else if (thread_is_in_fault(thread))
        fault_find(finder, index);
    else if (thread->in_syscall && thread->state != 'Z')
        call_wait_find(finder, index, call_find(thread->syscall_number));
}

/* Whether a control group may be frozen: all of a process are, or as good as none, so one thread is
 * looked at. In a process that is frozen nobody looks at itself. */
static bool is_any_frozen(struct finder *finder)
{
    const struct thread_dump *threads = finder->threads;
    if (finder->target->self)
        return false;
    for (size_t i = 0; i < threads->count; i++)
        if (threads->threads[i].state == 'S' || threads->threads[i].state == 'D')
            return frozen_is(finder, &threads->threads[i]);
    return false;
}

static bool wants_fds(const struct wait *wait)
{
    return wait->fd >= 0 || wait->fd_count > 0;
}

static int compare_fds(const void *left, const void *right)
{
    int a = *(const int *)left;
    int b = *(const int *)right;
    return (a > b) - (a < b);
}

/* The descriptors that are waited on, ascending and different, in scratch; NULL without memory. */
static int *wanted_fds(struct finder *finder, size_t *count)
{
    const struct wait_set *set = finder->set;
    size_t room = 0;
    for (size_t i = 0; i < set->count; i++)
        room += 1 + set->waits[i].fd_count;
    int *fds = arena_array(&finder->scratch, room + 1, sizeof *fds);
    size_t all = 0;
    for (size_t i = 0; fds && i < set->count; i++) {
        const struct wait *wait = &set->waits[i];
        if (wait->fd >= 0)
            fds[all++] = wait->fd;
        for (size_t j = 0; j < wait->fd_count; j++)
            fds[all++] = wait->fds[j];
    }
    *count = 0;
    if (all > 0)
        qsort(fds, all, sizeof *fds, compare_fds);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || fds[i] != fds[*count - 1])
            fds[(*count)++] = fds[i];
    return fds;
}

static void look_at_fds(struct finder *finder, struct fd_source *source, uint64_t budget_ns)
{
    struct wait_set *set = finder->set;
    size_t count;
    if (set->fds || !source)
        return;
    int *fds = wanted_fds(finder, &count);
    if (fds && count > 0 && fd_source_look(source, fds, count, budget_ns, &set->own_fds) == 0)
        set->fds = set->own_fds;
}

static void name(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    switch (wait->kind) {
    case WAIT_MUTEX:
    case WAIT_RWLOCK:
    case WAIT_CONDITION:
    case WAIT_SEMAPHORE:
    case WAIT_BARRIER:
    case WAIT_ONCE:
    case WAIT_JOIN:
    case WAIT_STDIO:
    case WAIT_LIBRARY:
    case WAIT_FUTEX:
        if (!wait->text)
            owner_name(finder, index);
        break;
    default:
        if (wants_fds(wait))
            fd_name(finder, index);
    }
}

static bool prepare(struct finder *finder, const struct wait_source *source,
                    const struct thread_dump *threads)
{
    *finder = (struct finder){
        .target = source->target,
        .namer = { .symbolizer = source->symbolizer,
                   .modules = source->modules,
                   .unwinder = source->unwinder },
        .thread_source = source->threads,
        .threads = threads,
        .forked = -1,
        .tid_offset = source->tid_offset,
    };
    struct wait_set *set = calloc(1, sizeof *set);
    if (!set)
        return false;
    finder->set = set;
    sink_buffer_init(&finder->words);
    set->count = threads->count;
    set->waits = arena_array(&set->arena, threads->count + 1, sizeof *set->waits);
    finder->clues = arena_array(&finder->scratch, threads->count + 1, sizeof *finder->clues);
    if (set->waits && finder->clues)
        return true;
    arena_release(&finder->scratch);
    waits_free(set);
    return false;
}

struct wait_set *wait_source_find(struct wait_source *source, const struct thread_dump *threads,
                                  const struct fd_dump *fds, uint64_t budget_ns)
{
    struct finder finder;
    if (!prepare(&finder, source, threads))
        return NULL;
    struct wait_set *set = finder.set;
    set->fds = fds;
    bool frozen = is_any_frozen(&finder);
    for (size_t i = 0; i < set->count; i++)
        find(&finder, i, frozen);
    stopped_resolve(&finder);
    cycles_find(&finder);
    look_at_fds(&finder, source->fds, budget_ns);
    for (size_t i = 0; i < set->count; i++)
        name(&finder, i);
    source->tid_offset = finder.tid_offset;
    free(finder.file_locks);
    sink_buffer_free(&finder.words);
    arena_release(&finder.scratch);
    return set;
}

void waits_free(struct wait_set *set)
{
    if (!set)
        return;
    if (set->own_fds)
        fd_dump_free(set->own_fds);
    arena_release(&set->arena);
    free(set);
}
