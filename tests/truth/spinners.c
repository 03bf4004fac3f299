/* spinners.c: threads that run while they are dumped, at any instruction.
 *
 * Each kind of running (in a leaf, through small calls, in libc, in the vdso,
 * in the allocator, below a callback ...) gets two threads; a hundred dumps are held against
 * what they recorded before they began. A thread may fail to answer in time, and then the
 * dump says so; what it does say must be true.
 *   spinners          running threads answer by signal
 *   spinners never    SNAG_SIGNAL=never: every running thread is partial
 *   spinners always   SNAG_SIGNAL=always: blocked threads, asked all the same
 *   spinners outside  without snag: each dump is asked for by a byte to descriptor 3 and comes
 *                     from another process by descriptor 4, its length in 8 bytes before it;
 * running threads are sampled, and nobody here is to notice */
#include "compare.h"

#include <snag/snag.h>

#include <alloca.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DUMPS 100
/* At least one stack in so many is whole. On a quiet machine all are; on a crowded one a thread may
 * get no processor for as long as a dump waits, and is then said to be running. */
#define WHOLE 3

static volatile int go_on;
static volatile unsigned long counter; /* shared and racy: only something to do */

static NOINLINE void spin_in_leaf(void)
{
    truth_mark();
    while (go_on)
        counter++;
}

static NOINLINE unsigned small_inner(unsigned value)
{
    volatile unsigned local[3] = { value, value + 1, value + 2 };
    return local[value % 3];
}

static NOINLINE unsigned small_outer(unsigned value, unsigned depth)
{
    unsigned sum = small_inner(value);
    if (depth > 0)
        sum += small_outer(value + 1, depth - 1);
    return sum + small_inner(sum);
}

static NOINLINE void spin_in_small_calls(void)
{
    truth_mark();
    while (go_on)
        counter += small_outer((unsigned)counter, 3);
}

static NOINLINE unsigned with_moving_frame(unsigned size)
{
    char *bytes = alloca(size % 256 + 16);
    __asm__ volatile("" : : "r"(bytes) : "memory");
    return small_inner(size) + (unsigned char)bytes[0];
}

static NOINLINE void spin_in_moving_frames(void)
{
    truth_mark();
    while (go_on)
        counter += with_moving_frame((unsigned)counter);
}

static NOINLINE void spin_in_libc(void)
{
    char text[300], copy[300];
    memset(text, '7', sizeof text - 1);
    text[sizeof text - 1] = 0;
    truth_mark();
    while (go_on) {
        counter += strlen(text);
        memcpy(copy, text, sizeof text);
        counter +=
            (unsigned long)strtol(copy + 285, NULL, 10) + (unsigned long)memcmp(copy, text, 300);
    }
}

static NOINLINE void spin_in_printf(void)
{
    char text[200];
    truth_mark();
    while (go_on)
        counter += (unsigned long)snprintf(text, sizeof text, "%f %s %d", (double)counter, "x", 3);
}

static NOINLINE void spin_in_clock(void)
{
    struct timespec time;
    truth_mark();
    while (go_on) {
        clock_gettime(CLOCK_MONOTONIC, &time);
        counter += (unsigned long)time.tv_nsec;
    }
}

static NOINLINE void spin_in_malloc(void)
{
    void *kept[16] = { NULL };
    truth_mark();
    for (unsigned i = 0; go_on; i++) {
        free(kept[i % 16]);
        kept[i % 16] = malloc(i % 3000 + 8);
    }
}

static NOINLINE void spin_in_system_calls(void)
{
    truth_mark();
    while (go_on)
        counter += (unsigned long)syscall(SYS_getppid);
}

static NOINLINE int spinning_compare(const void *left, const void *right)
{
    if (left == right)
        return 0;
    truth_mark();
    while (go_on)
        counter++;
    return *(const int *)left - *(const int *)right;
}

static NOINLINE void spin_below_qsort(void)
{
    int numbers[64] = { 3, 2, 1 };
    qsort(numbers, 64, sizeof *numbers, spinning_compare);
    STAY();
}

static NOINLINE void spin_deep_down(int depth)
{
    volatile char local[48];
    local[0] = (char)depth;
    if (depth > 0)
        spin_deep_down(depth - 1);
    else
        spin_in_small_calls();
    local[0]++;
}

static NOINLINE void spin_at_100(void)
{
    spin_deep_down(100);
    STAY();
}

static void set_other_stack(void)
{
    stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
    sigaltstack(&stack, NULL);
}

/* The question is asked on the other stack, about this one. */
static NOINLINE void spin_with_other_stack(void)
{
    set_other_stack();
    spin_in_small_calls();
    STAY();
}

static NOINLINE void spinning_handler(int number)
{
    truth_mark();
    while (go_on)
        counter += (unsigned long)number;
}

static NOINLINE void spin_in_handler(void)
{
    set_other_stack();
    struct sigaction action = { .sa_handler = spinning_handler, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR1, &action, NULL);
    pthread_kill(pthread_self(), SIGUSR1);
    STAY();
}

static NOINLINE void spin_and_refuse(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    truth_mark();
    while (go_on)
        counter++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static NOINLINE void spin_and_refuse_urg(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    truth_mark();
    while (go_on)
        counter++;
}

static const struct way kinds[] = {
    { "in a leaf", spin_in_leaf, 0, STACK_USUAL },
    { "in small calls", spin_in_small_calls, 6, STACK_USUAL },
    { "in moving frames", spin_in_moving_frames, 3, STACK_USUAL },
    { "in libc", spin_in_libc, 5, STACK_USUAL },
    { "in printf", spin_in_printf, 16, STACK_USUAL },
    { "in the clock", spin_in_clock, 4, STACK_USUAL },
    { "in malloc", spin_in_malloc, 10, STACK_USUAL },
    { "in system calls", spin_in_system_calls, 3, STACK_USUAL },
    { "below qsort", spin_below_qsort, 0, STACK_USUAL },
    { "100 frames down", spin_at_100, 6, STACK_USUAL },
    { "another stack set", spin_with_other_stack, 6, STACK_USUAL },
};

/* What the thread copies of its stack in a handler on another stack ends with that stack. */
static const struct way half_seen[] = {
    { "in a handler", spin_in_handler, 0, STACK_USUAL },
};

static const struct way refusers[] = {
    { "all signals blocked", spin_and_refuse, 0, STACK_USUAL },
    { "SIGURG blocked", spin_and_refuse_urg, 0, STACK_USUAL },
};

static NOINLINE void in_read(void)
{
    char byte;
    truth_mark();
    while (read(scene.empty_pipe[0], &byte, 1) != 1)
        STAY();
}

static NOINLINE void in_mutex(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex); /* its own: it waits for itself */
    truth_mark();
    pthread_mutex_lock(&mutex);
    STAY();
}

static NOINLINE void in_nanosleep(void)
{
    struct timespec left = { 3600, 0 };
    truth_mark();
    while (nanosleep(&left, &left) != 0)
        STAY();
}

static const struct way blocked[] = {
    { "read", in_read, 2, STACK_USUAL },
    { "mutex", in_mutex, 4, STACK_USUAL },
    { "nanosleep", in_nanosleep, 3, STACK_USUAL },
};

static NOINLINE int descend(const struct way *way, int depth)
{
    volatile char local[32];
    local[0] = (char)depth;
    if (depth > 0)
        return descend(way, depth - 1) + local[0];
    way->block();
    return local[0];
}

static void *thread_main(void *argument)
{
    struct truth *truth = argument;
    truth_belongs_to(truth);
    descend(truth->way, truth->kind ? 12 : 2);
    return NULL;
}

struct tally {
    size_t counts[VERDICT_COUNT];
    size_t by_signal, by_perf, refused, no_frames, dumps;
};

/* Partial is honest in a thread that did not answer; then nothing false may stand in it. */
static void judge(const struct truth *truth, const struct dump *dump, struct tally *tally)
{
    const struct dump_thread *thread = dump_find(dump, truth->tid);
    enum verdict verdict = truth_compare(truth, thread);
    tally->counts[verdict]++;
    if (!thread)
        printf("--- %s: not in the dump\n", truth->way->name);
    if (!thread)
        return;
    tally->by_signal += strcmp(thread->capture, "signal") == 0;
    tally->by_perf += strcmp(thread->capture, "perf") == 0;
    tally->refused += strcmp(thread->capture, "partial: signal blocked") == 0;
    tally->no_frames += thread->count == 0;
    if (verdict == VERDICT_DIFFERENT && tally->counts[verdict] <= 2)
        truth_print(truth, thread, verdict);
    if (verdict == VERDICT_PARTIAL && tally->counts[verdict] <= 1)
        printf("    %s: %s, %zu frames\n", truth->way->name, thread->capture, thread->count);
}

static bool from_outside;

static bool read_all(int fd, void *to, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = read(fd, (char *)to + done, length - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static int dump_from_outside(struct dump *dump)
{
    uint64_t length;
    memset(dump, 0, sizeof *dump);
    if (write(3, "?", 1) != 1 || !read_all(4, &length, sizeof length))
        return -EPIPE;
    char *text = calloc(1, length + 1);
    int status = text && read_all(4, text, length) ? dump_read_blocks(text, dump) : -EPIPE;
    free(text);
    return status;
}

static int take_dump(int number, struct dump *dump)
{
    if (from_outside)
        return dump_from_outside(dump);
    return number % 2 ? dump_by_http(snag_address(), "/debug/pprof/threads?debug=2", dump)
                      : dump_by_call(dump);
}

/* Two threads of one kind, DUMPS dumps. */
static struct tally run_kind(const struct way *way, bool running)
{
    struct tally tally = { .dumps = 0 };
    static struct truth truths[2];
    pthread_t threads[2];
    memset(truths, 0, sizeof truths);
    go_on = 1;
    for (unsigned i = 0; i < 2; i++) {
        truths[i].way = way;
        truths[i].kind = i;
        if (pthread_create(&threads[i], NULL, thread_main, &truths[i]))
            exit(2);
        while (!__atomic_load_n(&truths[i].marked, __ATOMIC_ACQUIRE))
            usleep(1000);
    }
    if (!running)
        truth_wait_blocked(truths, 2, 10);
    for (int i = 0; i < DUMPS; i++) {
        struct dump dump;
        int status = take_dump(i, &dump);
        if (status)
            printf("dump: %s\n", strerror(-status));
        for (unsigned j = 0; status == 0 && j < 2; j++)
            judge(&truths[j], &dump, &tally);
        tally.dumps += status == 0;
        dump_free(&dump);
    }
    go_on = 0;
    for (unsigned i = 0; running && i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("RESULT %-22s equal %zu partial %zu different %zu missing %zu by-signal %zu refused "
           "%zu by-perf %zu\n",
           way->name, tally.counts[VERDICT_EQUAL], tally.counts[VERDICT_PARTIAL],
           tally.counts[VERDICT_DIFFERENT], tally.counts[VERDICT_MISSING], tally.by_signal,
           tally.refused, tally.by_perf);
    return tally;
}

static size_t failed;

static void must(bool holds, const char *kind, const char *what)
{
    if (holds)
        return;
    printf("FAILED %s: %s\n", kind, what);
    failed++;
}

static void must_be_true(const struct way *way, const struct tally *tally)
{
    must(tally->dumps == DUMPS, way->name, "every dump succeeds");
    must(tally->counts[VERDICT_DIFFERENT] == 0, way->name, "nothing false is said");
    must(tally->counts[VERDICT_MISSING] == 0, way->name, "the thread is in every dump");
}

static void check_answering(void)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct tally tally = run_kind(&kinds[i], true);
        must_be_true(&kinds[i], &tally);
        must(tally.counts[VERDICT_EQUAL] * WHOLE >= 2 * DUMPS, kinds[i].name,
             "enough stacks are whole");
        must(tally.by_signal > 0, kinds[i].name, "a running thread is asked by signal");
    }
    for (size_t i = 0; i < sizeof half_seen / sizeof *half_seen; i++) {
        struct tally tally = run_kind(&half_seen[i], true);
        must_be_true(&half_seen[i], &tally);
        must(tally.no_frames * 10 <= 2 * DUMPS, half_seen[i].name, "it has frames, if not all");
    }
    for (size_t i = 0; i < sizeof refusers / sizeof *refusers; i++) {
        struct tally tally = run_kind(&refusers[i], true);
        must_be_true(&refusers[i], &tally);
        must(tally.refused >= 2 * DUMPS * 9 / 10, refusers[i].name,
             "it says: partial: signal blocked");
        must(tally.by_signal == 0, refusers[i].name, "it cannot have answered");
    }
}

static void check_never(void)
{
    struct sigaction before, after;
    sigaction(SIGURG, NULL, &before);
    struct tally tally = run_kind(&kinds[0], true);
    sigaction(SIGURG, NULL, &after);
    must_be_true(&kinds[0], &tally);
    must(tally.by_signal == 0, "never", "nobody is asked");
    must(tally.counts[VERDICT_PARTIAL] == 2 * DUMPS, "never", "every running thread is partial");
    must(before.sa_handler == after.sa_handler, "never", "no handler is installed");
}

static void check_always(void)
{
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++) {
        struct tally tally = run_kind(&blocked[i], false);
        must_be_true(&blocked[i], &tally);
        must(tally.counts[VERDICT_EQUAL] * WHOLE >= 2 * DUMPS, blocked[i].name,
             "enough stacks are whole");
        must(tally.by_signal * 10 >= 2 * DUMPS * 9, blocked[i].name, "it is asked by signal");
    }
}

/* ---- from outside ---- */

static volatile int signals, interrupts;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void *wait_in_epoll(void *argument)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (;;)
        interrupts += epoll_wait(epoll, &event, 1, -1) < 0 && errno == EINTR;
    return argument;
}

static void *wait_in_poll(void *argument)
{
    for (;;)
        interrupts += poll(NULL, 0, -1) < 0 && errno == EINTR;
    return argument;
}

static void *wait_in_nanosleep(void *argument)
{
    const struct timespec hour = { 3600, 0 };
    for (;;)
        interrupts += nanosleep(&hour, NULL) < 0 && errno == EINTR;
    return argument;
}

/* Whatever comes to this process is counted, and what is interrupted by it. */
static void stand_guard(void)
{
    void *(*const guards[])(void *) = { wait_in_epoll, wait_in_poll, wait_in_nanosleep };
    const struct sigaction action = { .sa_handler = count_signal };
    for (int i = 1; i < NSIG; i++)
        if (i != SIGALRM && i != SIGUSR1) /* the limit's; the one that a way sends to itself */
            sigaction(i, &action, NULL);
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, guards[i], NULL))
            exit(2);
    }
}

static void check_sampled(const struct way *way)
{
    struct tally tally = run_kind(way, true);
    must_be_true(way, &tally);
    must(tally.counts[VERDICT_EQUAL] * WHOLE >= 2 * DUMPS, way->name, "enough stacks are whole");
    must(tally.by_perf > 0, way->name, "a running thread is sampled");
    must(tally.by_signal == 0, way->name, "nobody is asked from outside");
}

static void check_outside(void)
{
    stand_guard();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_sampled(&kinds[i]);
    for (size_t i = 0; i < sizeof refusers / sizeof *refusers; i++)
        check_sampled(&refusers[i]);
    for (size_t i = 0; i < sizeof half_seen / sizeof *half_seen; i++) {
        struct tally tally = run_kind(&half_seen[i], true);
        must_be_true(&half_seen[i], &tally);
    }
    must(signals == 0, "outside", "no signal comes");
    must(interrupts == 0, "outside", "no call is interrupted");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    alarm(170);
    setvbuf(stdout, NULL, _IOLBF, 0);
    from_outside = strcmp(mode, "outside") == 0;
    if (from_outside) {
        check_outside();
        return failed > 0;
    }
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (strcmp(mode, "never") == 0)
        options.signal_mode = SNAG_SIGNAL_NEVER;
    if (strcmp(mode, "always") == 0)
        options.signal_mode = SNAG_SIGNAL_ALWAYS;
    if (snag_start(&options))
        return 2;
    scene_set();
    if (options.signal_mode == SNAG_SIGNAL_NEVER)
        check_never();
    else if (options.signal_mode == SNAG_SIGNAL_ALWAYS)
        check_always();
    else
        check_answering();
    return failed > 0;
}
