/* sched_clock.c: the scheduler's clocks, as CLOCK_MONOTONIC; see
 * sched_clock.h.
 *
 * se.exec_start is on the task clock of the processor that the thread ran on,
 * and each processor has its own: it stands still while the hypervisor runs
 * somebody else (steal) and, on kernels that account for interrupts, while
 * those are served. /proc/stat tells both, by processor, to a hundredth of a
 * second. Which of the two are left out here shows by our own clock: it must
 * come out near CLOCK_MONOTONIC_RAW. What a processor loses while a thread is
 * blocked on it makes that thread's time come out that much short, never long. */
#include "sources/sched_clock.h"

#include "base/target.h"
#include "sources/thread_facts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STAT_SIZE ((size_t)128 << 10)
#define TRIES 4

struct losses {
    uint64_t steal[SCHED_PROCESSORS];
    uint64_t interrupts[SCHED_PROCESSORS];
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t number(const char **at)
{
    uint64_t value = 0;
    while (**at == ' ')
        (*at)++;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (uint64_t)(**at - '0');
    return value;
}

/* A line "cpuN user nice system idle iowait irq softirq steal ...", AT being at N. */
static void parse_processor(const char *at, uint64_t tick_ns, struct losses *losses)
{
    uint64_t processor = number(&at);
    if (processor >= SCHED_PROCESSORS)
        return;
    for (int i = 0; i < 5; i++)
        number(&at);
    uint64_t interrupts = number(&at);
    interrupts += number(&at);
    losses->interrupts[processor] = interrupts * tick_ns;
    losses->steal[processor] = number(&at) * tick_ns;
}

/* /proc/stat, also after a chroot; but not a file that a container's manager has
 * mounted over it, which may hang and tells of other processors. */
static int open_stat(const struct target *target)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV };
    return (int)syscall(SYS_openat2, target->proc_fd, "../stat", &how, sizeof how);
}

static void read_losses(const struct target *target, struct losses *losses)
{
    char *text = malloc(STAT_SIZE);
    int fd = open_stat(target);
    ssize_t length = text && fd >= 0 ? read(fd, text, STAT_SIZE - 1) : 0;
    if (fd >= 0)
        close(fd);
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    if (length > 0) {
        text[length] = 0;
        for (const char *at = text; (at = strstr(at, "\ncpu")) != NULL;) {
            at += strlen("\ncpu");
            parse_processor(at, tick_ns, losses);
        }
    }
    free(text);
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
static bool own_moment(const struct target *target, struct sched_clock *clock, unsigned *processor,
                       uint64_t *exec_start_ns)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned before;
        if (syscall(SYS_getcpu, &before, NULL, NULL) < 0)
            return false;
        clock->now_ns = clock_ns(CLOCK_MONOTONIC);
        if (!own_exec_start(target, exec_start_ns))
            return false;
        bool quick = clock_ns(CLOCK_MONOTONIC) - clock->now_ns < 1000000;
        if (syscall(SYS_getcpu, processor, NULL, NULL) == 0 && before == *processor && quick)
            return *processor < SCHED_PROCESSORS;
    }
    return *processor < SCHED_PROCESSORS; /* a busy machine: some milliseconds off */
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

void sched_clock_read(struct sched_clock *clock, const struct target *target)
{
    struct losses losses = { 0 };
    unsigned own;
    uint64_t exec_start;
    clock->usable = own_moment(target, clock, &own, &exec_start);
    if (!clock->usable)
        return;
    uint64_t raw = clock_ns(CLOCK_MONOTONIC_RAW) - (clock_ns(CLOCK_MONOTONIC) - clock->now_ns);
    read_losses(target, &losses);
    uint64_t without = exec_start + losses.steal[own];
    uint64_t with = without + losses.interrupts[own];
    bool interrupts = distance(with, raw) < distance(without, raw);
    for (size_t i = 0; i < SCHED_PROCESSORS; i++)
        clock->lost_ns[i] = losses.steal[i] + (interrupts ? losses.interrupts[i] : 0);
    clock->ahead_ns = (int64_t)(clock->now_ns - (interrupts ? with : without));
}

bool sched_clock_time(const struct sched_clock *clock, unsigned processor, uint64_t exec_start_ns,
                      uint64_t *time_ns)
{
    if (!clock->usable || processor >= SCHED_PROCESSORS || exec_start_ns == 0)
        return false;
    *time_ns = exec_start_ns + clock->lost_ns[processor] + (uint64_t)clock->ahead_ns;
    return true;
}
