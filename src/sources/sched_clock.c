/* sched_clock.c: the scheduler's clocks, as CLOCK_MONOTONIC; see
 * sched_clock.h.
 *
 * se.exec_start is on the task clock of the processor that the thread ran on,
 * and each processor has its own: it stands still while the hypervisor runs
 * somebody else (steal) and, on kernels that account for interrupts, while those are served.
 * One's own clock can be compared with CLOCK_MONOTONIC at any moment; /proc/stat tells
 * what each processor has lost, so the others follow, to a hundredth of a
 * second. But of steal the kernel takes off less than it says (not more than has passed since it
 * looked last): where there is steal, a clock is compared on its own processor, for which the
 * calling thread goes there, if it may run there anyway.
 *
 * What a processor loses while a thread is blocked on it makes that thread's
 * time come out that much short. */
#include "sources/sched_clock.h"

#include "base/target.h"
#include "sources/thread_facts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRIES 4
#define QUICK_NS 1000000u   /* a comparison that took longer is made again */
#define STEAL_NS 50000000u  /* so much steal makes a clock uncertain ... */
#define DRIFT_NS 500000000u /* ... and so much more since it was compared */

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* When the calling thread last ran: now, as asking for its processor time brings the account up to
 * date. False when that cannot be read. */
static bool own_exec_start(const struct target *target, uint64_t *exec_start_ns)
{
    char path[64] = "/proc/thread-self/sched";
    char text[4096];
    int directory = AT_FDCWD;
    if (target->self) {
        snprintf(path, sizeof path, "%d/sched", (int)gettid());
        directory = target->task_fd;
    }
    clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return proc_read(directory, path, text, sizeof text) > 0 &&
           exec_start_parse(text, exec_start_ns);
}

/* The calling thread's clock and the time, from one moment on one processor. */
static bool own_moment(const struct target *target, unsigned *processor, uint64_t *now_ns,
                       uint64_t *exec_start_ns)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned before;
        if (syscall(SYS_getcpu, &before, NULL, NULL) < 0)
            return false;
        *now_ns = clock_ns(CLOCK_MONOTONIC);
        if (!own_exec_start(target, exec_start_ns))
            return false;
        bool quick = clock_ns(CLOCK_MONOTONIC) - *now_ns < QUICK_NS;
        if (syscall(SYS_getcpu, processor, NULL, NULL) == 0 && before == *processor && quick)
            return *processor < PROCESSORS_MAX;
    }
    return false;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Whether this kernel takes interrupts off the task clock: then only with them the clock comes out
 * near CLOCK_MONOTONIC_RAW, which runs as the scheduler's own clock does. */
static bool interrupts_count(const struct processor_losses *losses, unsigned own, uint64_t now_ns,
                             uint64_t exec_start_ns)
{
    uint64_t raw = clock_ns(CLOCK_MONOTONIC_RAW) - (clock_ns(CLOCK_MONOTONIC) - now_ns);
    uint64_t without = exec_start_ns + losses->steal[own];
    return distance(without + losses->interrupts[own], raw) < distance(without, raw);
}

static uint64_t lost_by(const struct sched_clock *clock, unsigned processor)
{
    return clock->losses.steal[processor] +
           (clock->counts_interrupts ? clock->losses.interrupts[processor] : 0);
}

/* Compares the clock of the processor that the calling thread is on. */
static bool compare(struct sched_clock *clock, unsigned *processor)
{
    uint64_t now;
    uint64_t exec_start;
    if (!own_moment(clock->target, processor, &now, &exec_start))
        return false;
    if (!clock->begun)
        clock->counts_interrupts = interrupts_count(&clock->losses, *processor, now, exec_start);
    clock->clocks[*processor] = (struct task_clock){
        .compared = true,
        .tried = true,
        .ahead_ns = (int64_t)(now - exec_start),
        .lost_ns = lost_by(clock, *processor),
    };
    return true;
}

void sched_clock_begin(struct sched_clock *clock, const struct target *target)
{
    clock->target = target;
    clock->begun = false;
    for (size_t i = 0; i < PROCESSORS_MAX; i++)
        clock->clocks[i].tried = false;
    processor_losses_read(target, &clock->losses);
    clock->begun = compare(clock, &clock->own);
}

void sched_clock_end(struct sched_clock *clock)
{
    if (clock->away)
        sched_setaffinity(0, sizeof clock->home, &clock->home);
    clock->away = false;
}

/* Goes to PROCESSOR, if it is one of those that the calling thread may run on. */
static bool go_to(struct sched_clock *clock, unsigned processor)
{
    cpu_set_t there;
    if (!clock->away && sched_getaffinity(0, sizeof clock->home, &clock->home) != 0)
        return false;
    if (processor >= CPU_SETSIZE || !CPU_ISSET(processor, &clock->home))
        return false;
    CPU_ZERO(&there);
    CPU_SET(processor, &there);
    if (sched_setaffinity(0, sizeof there, &there) != 0)
        return false;
    clock->away = true;
    return true;
}

/* Whether what /proc/stat says is all that can have moved PROCESSOR's clock since it was compared;
 * never compared, since boot. */
static bool is_certain(const struct sched_clock *clock, unsigned processor)
{
    const struct task_clock *own = &clock->clocks[clock->own];
    const struct task_clock *other = &clock->clocks[processor];
    if (other->compared)
        return distance(lost_by(clock, processor), other->lost_ns) < DRIFT_NS;
    return clock->losses.steal[processor] < STEAL_NS && own->compared &&
           clock->losses.steal[clock->own] < STEAL_NS;
}

bool sched_clock_time(struct sched_clock *clock, unsigned processor, uint64_t exec_start_ns,
                      uint64_t *time_ns)
{
    if (!clock->begun || processor >= PROCESSORS_MAX || exec_start_ns == 0)
        return false;
    struct task_clock *task = &clock->clocks[processor];
    if (!task->tried && !is_certain(clock, processor)) {
        unsigned reached;
        task->tried = true;
        if (go_to(clock, processor))
            compare(clock, &reached);
    }
    if (!is_certain(clock, processor))
        return false;
    const struct task_clock *known = task->compared ? task : &clock->clocks[clock->own];
    *time_ns =
        exec_start_ns + (uint64_t)known->ahead_ns + lost_by(clock, processor) - known->lost_ns;
    return true;
}
