/* capture.c: threads' registers and stacks; see capture.h.
 *
 *     look.c          a blocked thread, from outside:
 *       procfs.c        what procfs says: counters, registers
 *       descriptors.c   its files, kept within the limit
 *       stack_copy.c    the stack
 *     ask.c           a running thread is asked: the asker's side
 *       slot.h          what the two sides share
 *       handler.c       what the thread does
 *       disposition.c   the service's own handler of that signal
 *       readable.c      where process_vm_readv is refused
 *     sample.c        a running thread of another process is caught at a tick:
 *       perf_watch.c    what the kernel's profiler copies of it
 *
 * Here is the order of a run: everybody is looked at; those found running are
 * looked at twice more, over 100 us; whoever still runs is asked. Those of another process
 * are sampled at once, which they do not notice. */
#include "capture/capture.h"

#include "base/target.h"
#include "capture/run.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 2        /* of looking again, before a signal interrupts anybody ... */
#define ROUND_NS 50000u /* ... and how far apart */
#define ASKING_ROUNDS 3 /* for those that were blocked when they were to be asked, or silent */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct capture *capture_new(struct target *target, enum signal_mode mode)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture)
        return NULL;
    struct look *look = &capture->look;
    if (!stack_buffer_init(&look->buffer)) {
        free(capture);
        return NULL;
    }
    capture->target = look->target = target;
    capture->mode = mode;
    look->counters = procfs_choose_counters(target);
    descriptors_init(&look->descriptors, target);
    capture->asker = (struct asker){ .target = target, .descriptors = &look->descriptors };
    return capture;
}

void capture_free(struct capture *capture)
{
    if (!capture)
        return;
    asker_free(&capture->asker);
    descriptors_free(&capture->look.descriptors);
    stack_buffer_free(&capture->look.buffer);
    free(capture);
}

void capture_begin(struct capture *capture)
{
    descriptors_refresh(&capture->look.descriptors);
    capture->look.hidden = NULL;
}

void capture_trim(struct capture *capture)
{
    if (capture->target->self)
        ask_trim();
}

/* Whether looking is in vain, or not wanted first. */
static bool asks_everybody(const struct capture *capture)
{
    return capture->look.hidden || (capture->target->self && capture->mode == SIGNAL_ALWAYS);
}

static bool may_ask(const struct capture *capture)
{
    return capture->target->self && capture->mode != SIGNAL_NEVER;
}

void run_deliver(struct capture_run *run, size_t index, int status, const struct captured *captured)
{
    struct capture_job *job = &run->jobs[index];
    job->waiting = !run->taken(run->user, index, status, captured);
    job->why = "running"; /* if it is waiting still, it has moved */
}

static void deliver_partial(struct capture_run *run, size_t index, const char *why)
{
    struct captured captured = { .how = CAPTURE_PARTIAL, .why = why };
    run->taken(run->user, index, 0, &captured);
    run->jobs[index].waiting = false;
}

void run_look(struct capture *capture, struct capture_run *run, size_t index)
{
    struct capture_job *job = &run->jobs[index];
    struct captured captured;
    int status = look_at(&capture->look, job->tid, job->files, &captured);
    if (status == LOOK_RUNNING)
        job->why = captured.why;
    else
        run_deliver(run, index, status, &captured);
}

/* Looks at every job that is waiting. How many are so after it. */
static size_t look_at_waiting(struct capture *capture, struct capture_run *run)
{
    size_t waiting = 0;
    for (size_t i = 0; i < run->count; i++) {
        struct capture_job *job = &run->jobs[i];
        if (!job->waiting)
            continue;
        if (asks_everybody(capture))
            job->why = capture->look.hidden ? capture->look.hidden : "not asked";
        else if (now_ns() >= run->deadline_ns)
            deliver_partial(run, i, "time budget used up");
        else
            run_look(capture, run, i);
        waiting += job->waiting;
    }
    return waiting;
}

static void pause_until(uint64_t time_ns)
{
    while (now_ns() < time_ns)
        sched_yield();
}

/* What a question has come to. A silent thread may only not have had its turn on a processor. */
static void take_reply(struct capture *capture, struct capture_run *run, size_t index,
                       const struct ask_question *question, bool last)
{
    struct capture_job *job = &run->jobs[index];
    int status = question->status;
    job->why = question->out.why;
    if (status == ASK_LOOK_AGAIN || (status == ASK_SILENT && !last))
        return;
    if (status == ASK_SILENT)
        status = 0;
    bool partial = status == 0 && question->out.how == CAPTURE_PARTIAL;
    if (partial && capture->mode == SIGNAL_ALWAYS && !capture->look.hidden)
        run_look(capture, run, index);
    if (job->waiting)
        run_deliver(run, index, status, &question->out);
}

static void ask_batch(struct capture *capture, struct capture_run *run, const size_t *indices,
                      size_t count, bool last)
{
    struct ask_question questions[ASK_BATCH];
    for (size_t i = 0; i < count; i++) {
        struct capture_job *job = &run->jobs[indices[i]];
        questions[i] = (struct ask_question){
            .tid = job->tid,
            .out = { .how = CAPTURE_PARTIAL, .why = job->why },
        };
        run->asking(run->user, indices[i]);
    }
    ask_threads(&capture->asker, questions, count, !asks_everybody(capture), run->deadline_ns);
    for (size_t i = 0; i < count; i++)
        take_reply(capture, run, indices[i], &questions[i], last);
}

static void ask_waiting(struct capture *capture, struct capture_run *run, bool last)
{
    size_t batch[ASK_BATCH];
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (run->jobs[i].waiting)
            batch[count++] = i;
        bool full = count == ASK_BATCH || i + 1 == run->count;
        if (count == 0 || !full)
            continue;
        if (now_ns() >= run->deadline_ns)
            return;
        ask_batch(capture, run, batch, count, last);
        count = 0;
    }
}

/* Those of the own process that run: looked at again, and asked. */
static void ask_running(struct capture *capture, struct capture_run *run, size_t waiting)
{
    uint64_t round = now_ns();
    for (int i = 0; i < ROUNDS && waiting > 0 && !asks_everybody(capture); i++) {
        pause_until(round + ROUND_NS);
        round = now_ns();
        waiting = look_at_waiting(capture, run);
    }
    for (int i = 0; i < ASKING_ROUNDS && waiting > 0 && may_ask(capture); i++) {
        ask_waiting(capture, run, i + 1 == ASKING_ROUNDS);
        waiting = look_at_waiting(capture, run);
    }
}

void capture_threads(struct capture *capture, struct capture_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        run->jobs[i].waiting = true;
    size_t waiting = look_at_waiting(capture, run);
    if (waiting > 0 && capture->target->self)
        ask_running(capture, run, waiting);
    else if (waiting > 0 && !asks_everybody(capture))
        sample_waiting(capture, run);
    bool late = now_ns() >= run->deadline_ns;
    for (size_t i = 0; i < run->count; i++)
        if (run->jobs[i].waiting)
            deliver_partial(run, i, late ? "time budget used up" : run->jobs[i].why);
}

int capture_stillness(struct capture *capture, pid_t tid, struct thread_files *files,
                      struct stillness *out)
{
    return procfs_stillness(&capture->look.descriptors, capture->look.counters, tid, files, out);
}

bool capture_is_still(struct capture *capture, pid_t tid, struct thread_files *files,
                      const struct captured *captured)
{
    struct stillness now;
    return captured->is_still && capture_stillness(capture, tid, files, &now) == 0 &&
           stillness_equal(&captured->still, &now);
}

const char *capture_hidden(const struct capture *capture)
{
    return capture->look.hidden;
}

ssize_t capture_read_file(struct capture *capture, pid_t tid, const char *name, char *text,
                          size_t size)
{
    return procfs_read(&capture->look.descriptors, tid, name, text, size);
}

bool thread_files_kept(const struct capture *capture, const struct thread_files *files)
{
    return files->epoch == capture->look.descriptors.epoch;
}

void thread_files_close(struct capture *capture, struct thread_files *files)
{
    if (thread_files_kept(capture, files))
        descriptors_close(&capture->look.descriptors, files->schedstat);
    files->epoch = 0;
}
