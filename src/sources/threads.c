/* threads.c: every thread with its stack and its state; see threads.h.
 *
 *     task_list.c      which threads there are
 *     thread_table.c   what was known of each
 *     thread_facts.c   name, state and so on
 *     sched_clock.c    since when it has not run
 *     stack_store.c    stacks kept between dumps
 *
 * A dump goes over the threads once: who is proven still is done with one
 * read of its counters; all others are captured and unwound. */
#include "sources/threads.h"

#include "base/target.h"
#include "modules/modules.h"
#include "sources/sched_clock.h"
#include "sources/thread_table.h"
#include "unwind/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_EVERY 16u   /* dumps after which a still thread's name is read again */
#define BUDGET_EVERY 64u /* threads after which the clock is looked at */

struct thread_source {
    struct target *target;
    struct modules *modules;
    struct capture *capture;
    struct unwinder *unwinder;
    struct task_list tasks;
    struct thread_table table;
    struct stack_store stacks;
    uint64_t dump; /* its number */
    struct stack_trace trace;
    struct sched_clock clock;
};

/* One dump in the making. */
struct making {
    struct thread_source *source;
    struct thread_dump *dump;
    uint64_t began_ns; /* CLOCK_MONOTONIC */
    uint64_t deadline_ns;
    struct arena scratch;           /* for the two below */
    struct capture_job *jobs;       /* threads that are not proven still ... */
    struct thread_record **records; /* ... and their records */
    size_t job_count;
    bool clock_begun;
    unsigned refreshed; /* how often modules were */
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct thread_source *thread_source_new(struct target *target, struct modules *modules,
                                        struct unwinder *unwinder, enum signal_mode mode)
{
    struct thread_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->target = target;
    source->modules = modules;
    source->capture = capture_new(target, mode);
    source->unwinder = unwinder;
    if (source->capture)
        return source;
    thread_source_free(source);
    return NULL;
}

void thread_source_free(struct thread_source *source)
{
    if (!source)
        return;
    if (source->capture)
        thread_table_clear(&source->table, source->capture, &source->stacks);
    stack_store_free(&source->stacks);
    task_list_free(&source->tasks);
    capture_free(source->capture);
    free(source);
}

void thread_source_trim(struct thread_source *source)
{
    thread_table_clear(&source->table, source->capture, &source->stacks);
    stack_store_free(&source->stacks);
    task_list_free(&source->tasks);
    capture_trim(source->capture);
}

int thread_source_count(struct thread_source *source)
{
    return task_count(source->target);
}

/* Name, state and so on of RECORD's thread, unless this dump has read them. 0 or a negative errno.
 */
static int read_facts(struct making *making, struct thread_record *record)
{
    struct thread_source *source = making->source;
    char text[4096];
    uint64_t exec_start;
    if (record->facts_dump == source->dump)
        return 0;
    ssize_t length = capture_read_file(source->capture, record->tid, "stat", text, sizeof text);
    if (length < 0 || !thread_facts_parse(text, (size_t)length, &record->facts))
        return length < 0 ? (int)length : -EPROTO;
    record->facts_dump = source->dump;
    record->blocked_known = record->facts.state == 'R';
    record->blocked_since_ns = making->began_ns;
    if (record->blocked_known)
        return 0;
    if (!making->clock_begun)
        sched_clock_begin(&source->clock, source->target);
    making->clock_begun = true;
    length = capture_read_file(source->capture, record->tid, "sched", text, sizeof text);
    record->blocked_known = length > 0 && exec_start_parse(text, &exec_start) &&
                            sched_clock_time(&source->clock, record->facts.processor, exec_start,
                                             &record->blocked_since_ns);
    return length == -ESRCH ? -ESRCH : 0;
}

static void asking(void *user, size_t index)
{
    struct making *making = user;
    read_facts(making, making->records[index]);
}

/* Once more when a thread was found in code that nobody knows: it may have been mapped since. True
 * when there is something new. */
static bool modules_renewed(struct making *making)
{
    struct modules *modules = making->source->modules;
    if (making->refreshed > 1)
        return false;
    making->refreshed++;
    size_t before = modules_count(modules);
    return modules_refresh(modules) == 0 && modules_count(modules) != before;
}

/* Walks the stack into the source's trace. */
static void unwind(struct making *making, const struct captured *captured)
{
    struct thread_source *source = making->source;
    struct stack_trace *trace = &source->trace;
    if (making->refreshed == 0) {
        making->refreshed++;
        modules_refresh(source->modules);
    }
    unwind_stack(source->unwinder, &captured->stack, trace);
    if (trace->partial && !trace->ran_off && modules_renewed(making))
        unwind_stack(source->unwinder, &captured->stack, trace);
    if (trace->ran_off)
        trace->partial = "stack longer than the copy";
}

/* What a capture is to be called for a reader, now that more is known of the thread. */
static const char *better_reason(const struct thread_record *record, const char *why)
{
    if (record->facts.state == 'Z' || record->facts.state == 'X')
        return "thread has exited";
    if (thread_is_kernels(&record->facts))
        return "kernel worker, no user stack";
    return why;
}

static void record_capture(struct making *making, struct thread_record *record,
                           const struct captured *captured, const struct stack_trace *trace)
{
    struct stack_store *stacks = &making->source->stacks;
    record->how = captured->how;
    record->why = captured->why;
    if (captured->how == CAPTURE_PARTIAL && trace->count == 0) {
        record->why = better_reason(record, captured->why);
    } else if (captured->how != CAPTURE_PARTIAL && trace->partial) {
        record->how = CAPTURE_PARTIAL;
        record->why = trace->partial;
    }
    record->still = captured->still;
    record->is_still = captured->is_still;
    record->in_syscall = captured->in_syscall;
    record->syscall_number = captured->syscall_number;
    memcpy(record->arguments, captured->arguments, sizeof record->arguments);
    record->stack_pointer = captured->stack.registers.sp;
    record->inode = record->listed_inode;
    stack_store_put(stacks, record->stack);
    record->stack = trace->count > 0 ? stack_store_get(stacks, trace->frames, trace->count) : NULL;
    /* Its state was read a moment after its stack: it may have been woken in between. */
    if (captured->is_still && record->facts.state == 'R') {
        record->facts.state = 'S';
        record->blocked_known = false;
    }
}

static bool taken(void *user, size_t index, int status, const struct captured *captured)
{
    struct making *making = user;
    struct thread_source *source = making->source;
    struct thread_record *record = making->records[index];
    struct stack_trace *trace = &source->trace;
    record->gone = status != 0;
    if (record->gone)
        return true;
    trace->count = 0;
    trace->partial = NULL;
    trace->read_outside = false;
    if (captured->stack.registers.ip != 0)
        unwind(making, captured);
    if (trace->read_outside &&
        !capture_is_still(source->capture, record->tid, &record->files, captured))
        return false;
    record->gone = read_facts(making, record) == -ESRCH;
    if (!record->gone)
        record_capture(making, record, captured, trace);
    return true;
}

/* Whether the thread is the one that RECORD is about, and not another that got its id: KEPT, a
 * descriptor of that very thread answered just now. */
static bool is_same_thread(struct making *making, const struct thread_record *record, bool kept)
{
    char text[4096];
    struct thread_facts facts;
    if (kept || record->inode == record->listed_inode)
        return true;
    ssize_t length =
        capture_read_file(making->source->capture, record->tid, "stat", text, sizeof text);
    return length > 0 && thread_facts_parse(text, (size_t)length, &facts) &&
           facts.start_ticks == record->facts.start_ticks;
}

/* Whether the stack that is known is the thread's still. */
static bool is_proven_still(struct making *making, struct thread_record *record)
{
    struct capture *capture = making->source->capture;
    struct stillness now;
    if (!record->is_still)
        return false;
    bool kept = thread_files_kept(capture, &record->files);
    if (capture_stillness(capture, record->tid, &record->files, &now) != 0 ||
        !stillness_equal(&now, &record->still) || !is_same_thread(making, record, kept))
        return false;
    record->inode = record->listed_inode;
    return true;
}

/* Others may name a thread while it is still: mostly soon after it was made. */
static void renew_name(struct making *making, struct thread_record *record)
{
    char text[80];
    if (record->kept_dumps != 1 && (record->kept_dumps + (unsigned)record->tid) % NAME_EVERY != 0)
        return;
    ssize_t length =
        capture_read_file(making->source->capture, record->tid, "comm", text, sizeof text);
    if (length > 0)
        thread_name_parse(text, (size_t)length, record->facts.name);
}

static int compare_tid(const void *tid, const void *record)
{
    pid_t left = *(const pid_t *)tid;
    pid_t right = (*(struct thread_record *const *)record)->tid;
    return (left > right) - (left < right);
}

bool thread_is_in_fault(const struct thread_sample *thread)
{
    return (thread->state == 'S' || thread->state == 'D') && thread->is_still &&
           !thread->in_syscall && thread->stack_pointer != 0;
}

bool thread_source_is_still(struct thread_source *source, const struct thread_sample *thread)
{
    struct stillness now;
    struct thread_table *table = &source->table;
    struct thread_record **record = bsearch(&thread->tid, table->records, table->count,
                                            sizeof(struct thread_record *), compare_tid);
    return record && thread->is_still &&
           capture_stillness(source->capture, thread->tid, &(*record)->files, &now) == 0 &&
           stillness_equal(&now, &thread->still);
}

static void add_job(struct making *making, struct thread_record *record)
{
    struct capture_job *job = &making->jobs[making->job_count];
    job->tid = record->tid;
    job->files = &record->files;
    making->records[making->job_count++] = record;
    record->kept_dumps = 0;
    record->is_still = false;
}

/* Tells threads that have not moved from those to capture. */
static void sort_out(struct making *making)
{
    struct thread_table *table = &making->source->table;
    bool late = false;
    for (size_t i = 0; i < table->count; i++) {
        struct thread_record *record = table->records[i];
        if (i % BUDGET_EVERY == 0)
            late = clock_ns(CLOCK_MONOTONIC) >= making->deadline_ns;
        record->gone = false;
        record->late = late;
        if (late)
            continue;
        if (is_proven_still(making, record)) {
            record->kept_dumps++;
            renew_name(making, record);
        } else {
            add_job(making, record);
        }
    }
}

static void count_sample(struct thread_dump *dump, const struct thread_sample *sample, bool kept)
{
    switch (sample->how) {
    case CAPTURE_PROCFS:
        dump->by_procfs++;
        dump->kept += kept;
        break;
    case CAPTURE_SIGNAL: dump->by_signal++; break;
    case CAPTURE_PERF: dump->by_perf++; break;
    case CAPTURE_PARTIAL: dump->partial++; break;
    }
}

/* A thread whose turn did not come: only what does not change is said of it. */
static void fill_late(struct thread_sample *sample)
{
    sample->how = CAPTURE_PARTIAL;
    sample->why = "time budget used up";
    sample->state = '?';
}

static void fill_sample(struct making *making, const struct thread_record *record,
                        struct thread_sample *sample)
{
    sample->state = record->facts.state;
    sample->how = record->how;
    sample->why = record->why;
    sample->in_syscall = record->in_syscall;
    sample->syscall_number = record->syscall_number;
    memcpy(sample->arguments, record->arguments, sizeof sample->arguments);
    sample->stack_pointer = record->stack_pointer;
    sample->still = record->still;
    sample->is_still = record->is_still;
    sample->blocked_known = record->blocked_known;
    if (record->facts.state != 'R' && record->blocked_since_ns < making->began_ns)
        sample->blocked_ns = making->began_ns - record->blocked_since_ns;
    if (!record->stack)
        return;
    sample->frames = kept_stack_copy(record->stack, &making->dump->arena, making->source->dump);
    sample->frame_count = sample->frames ? record->stack->count : 0;
}

static int fill_dump(struct making *making)
{
    struct thread_dump *dump = making->dump;
    struct thread_table *table = &making->source->table;
    dump->threads = arena_array(&dump->arena, table->count, sizeof *dump->threads);
    if (!dump->threads)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++) {
        struct thread_record *record = table->records[i];
        if (record->gone)
            continue;
        struct thread_sample *sample = &dump->threads[dump->count++];
        sample->tid = record->tid;
        memcpy(sample->name, record->facts.name, sizeof sample->name);
        if (record->late)
            fill_late(sample);
        else
            fill_sample(making, record, sample);
        count_sample(dump, sample, record->kept_dumps > 0);
    }
    return 0;
}

static int list_threads(struct making *making)
{
    struct thread_source *source = making->source;
    int error = task_list_read(&source->tasks, source->target);
    if (error)
        return error;
    int missing =
        thread_table_update(&source->table, &source->tasks, source->capture, &source->stacks);
    if (missing < 0)
        return missing;
    making->dump->listed_all = source->tasks.complete && missing == 0;
    size_t count = source->table.count;
    making->jobs = arena_array(&making->scratch, count, sizeof *making->jobs);
    making->records = arena_array(&making->scratch, count, sizeof(struct thread_record *));
    return making->jobs && making->records ? 0 : -ENOMEM;
}

static int make_dump(struct making *making)
{
    struct thread_source *source = making->source;
    capture_begin(source->capture);
    int error = list_threads(making);
    if (error)
        return error;
    sort_out(making);
    struct capture_run run = {
        .jobs = making->jobs,
        .count = making->job_count,
        .deadline_ns = making->deadline_ns,
        .user = making,
        .asking = asking,
        .taken = taken,
    };
    capture_threads(source->capture, &run);
    if (making->clock_begun)
        sched_clock_end(&source->clock);
    making->dump->hidden = capture_hidden(source->capture);
    return fill_dump(making);
}

int thread_source_dump(struct thread_source *source, uint64_t budget_ns,
                       struct thread_dump **result)
{
    struct thread_dump *dump = calloc(1, sizeof *dump);
    if (!dump)
        return -ENOMEM;
    dump->time_ns = clock_ns(CLOCK_REALTIME);
    source->dump++;
    struct making making = {
        .source = source,
        .dump = dump,
        .began_ns = clock_ns(CLOCK_MONOTONIC),
        .scratch = ARENA_INIT,
    };
    dump->monotonic_ns = making.began_ns;
    making.deadline_ns = making.began_ns + budget_ns;
    if (making.deadline_ns < making.began_ns)
        making.deadline_ns = UINT64_MAX;
    int error = make_dump(&making);
    arena_release(&making.scratch);
    if (error) {
        thread_dump_free(dump);
        return error;
    }
    dump->took_ns = clock_ns(CLOCK_MONOTONIC) - making.began_ns;
    *result = dump;
    return 0;
}

void thread_dump_free(struct thread_dump *dump)
{
    if (!dump)
        return;
    arena_release(&dump->arena);
    free(dump);
}
