/* sample.c: running threads of another process, caught by the kernel's profiler; see sample.h.
 *
 * As many as may be are watched at once (descriptors and locked memory are limited), and
 * whoever is caught makes room for the next. A thread that runs is caught within a tick; one
 * that waits for a processor when its turn comes; one whose control group has used up its share,
 * after as long as a tenth of a second. Where the kernel refuses, threads are only looked at
 * again, for a shorter while: most of those that compute make a system call now and then. */
#include "capture/sample.h"

#include "capture/run.h"

#include <errno.h>
#include <time.h>

#define PATIENCE_NS UINT64_C(300000000) /* without anybody taken, and the rest is left */
#define REFUSED_NS UINT64_C(50000000)   /* the same, where there is nothing but to look */
#define LOOK_FIRST_NS UINT64_C(500000)  /* looks are that far apart ... */
#define LOOK_LAST_NS UINT64_C(16000000) /* ... and ever farther, up to this ... */
#define LOOK_SHARE 8u                   /* ... or so many times as long as a look took */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void drop_watch(struct sampler *sampler, size_t watch)
{
    perf_watch_close(&sampler->watches[watch]);
    sampler->count--;
    sampler->watches[watch] = sampler->watches[sampler->count];
    sampler->jobs[watch] = sampler->jobs[sampler->count];
}

static bool is_want_of_room(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* Watches jobs while there is room. One that cannot be watched is left to procfs. */
static void fill_watches(struct sampler *sampler, const struct capture_run *run)
{
    for (; sampler->count < SAMPLE_WATCHES && sampler->next < run->count; sampler->next++) {
        const struct capture_job *job = &run->jobs[sampler->next];
        if (!job->waiting)
            continue;
        int error = perf_watch_open(&sampler->watches[sampler->count], &sampler->rights, job->tid);
        if (error && error != -ESRCH)
            sampler->error = error;
        if (is_want_of_room(error))
            return; /* until somebody is caught */
        if (error)
            continue;
        sampler->ever_armed = true;
        sampler->jobs[sampler->count++] = sampler->next;
    }
}

static void sleep_ns(uint64_t nanoseconds)
{
    const struct timespec time = { .tv_sec = 0, .tv_nsec = (long)nanoseconds };
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* Waits for a sample, at most so long. */
static void wait_for_sample(struct sampler *sampler, uint64_t nanoseconds)
{
    const struct timespec time = { .tv_sec = 0, .tv_nsec = (long)nanoseconds };
    for (size_t i = 0; i < sampler->count; i++)
        sampler->polled[i] = (struct pollfd){ .fd = sampler->watches[i].fd, .events = POLLIN };
    if (sampler->count == 0)
        sleep_ns(nanoseconds);
    else
        ppoll(sampler->polled, sampler->count, &time, NULL);
}

/* Delivers what has come. How many that were. A watch that has woken us and holds no sample gives
 * none any more: its thread is gone, or has no registers. */
static size_t take_samples(struct sampler *sampler, struct capture_run *run)
{
    size_t taken = 0;
    for (size_t i = sampler->count; i-- > 0;) {
        struct captured captured;
        if (sampler->polled[i].revents == 0)
            continue;
        if (perf_watch_take(&sampler->watches[i], &captured)) {
            run_deliver(run, sampler->jobs[i], 0, &captured);
            taken++;
        }
        drop_watch(sampler, i);
    }
    return taken;
}

/* Looks at everybody who waits. How many were taken so. */
static size_t look_again(struct capture *capture, struct capture_run *run)
{
    size_t taken = 0;
    for (size_t i = 0; i < run->count && now_ns() < run->deadline_ns; i++) {
        if (!run->jobs[i].waiting)
            continue;
        run_look(capture, run, i);
        taken += !run->jobs[i].waiting;
    }
    struct sampler *sampler = &capture->sampler;
    for (size_t i = sampler->count; i-- > 0;)
        if (!run->jobs[sampler->jobs[i]].waiting)
            drop_watch(sampler, i);
    return taken;
}

static bool anybody_waits(const struct capture_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (run->jobs[i].waiting)
            return true;
    return false;
}

/* What to say of threads that were never taken. */
static const char *why_not(const struct sampler *sampler)
{
    if (sampler->ever_armed || sampler->error == 0)
        return "running";
    switch (-sampler->error) {
    case EACCES:
    case EPERM:
        return "running (perf_event_open is refused: kernel.perf_event_paranoid above 2, or "
               "seccomp)";
    case EMFILE:
    case ENFILE: return "running (no descriptor left to sample it)";
    case ENOMEM: return "running (no locked memory left to sample it)";
    default: return "running (this kernel has no perf_event_open)";
    }
}

static void begin(struct sampler *sampler)
{
    sampler->count = sampler->next = 0;
    sampler->error = 0;
    sampler->ever_armed = false;
}

static void end(struct sampler *sampler, struct capture_run *run)
{
    while (sampler->count > 0)
        drop_watch(sampler, sampler->count - 1);
    for (size_t i = 0; i < run->count; i++)
        if (run->jobs[i].waiting)
            run->jobs[i].why = why_not(sampler);
}

/* How far apart the next two looks are, after one that took TOOK: on crowded processors a look at
 * many threads is dear, and would take from them what they are waited for. */
static uint64_t grown_apart(uint64_t apart, uint64_t took)
{
    apart = apart * 2 < LOOK_LAST_NS ? apart * 2 : LOOK_LAST_NS;
    return took * LOOK_SHARE > apart ? took * LOOK_SHARE : apart;
}

void sample_waiting(struct capture *capture, struct capture_run *run)
{
    struct sampler *sampler = &capture->sampler;
    uint64_t apart = LOOK_FIRST_NS;
    uint64_t now = now_ns();
    uint64_t last_taken = now;
    uint64_t next_look = now + apart;
    begin(sampler);
    while (anybody_waits(run) && now < run->deadline_ns) {
        fill_watches(sampler, run);
        if (now - last_taken > (sampler->ever_armed ? PATIENCE_NS : REFUSED_NS))
            break;
        wait_for_sample(sampler, next_look > now ? next_look - now : 1);
        size_t taken = take_samples(sampler, run);
        uint64_t woken = now = now_ns();
        if (now >= next_look) {
            taken += look_again(capture, run);
            now = now_ns();
            apart = grown_apart(apart, now - woken);
            next_look = now + apart;
        }
        if (taken > 0)
            last_taken = now;
    }
    end(sampler, run);
}
