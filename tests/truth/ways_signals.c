/* ways_signals.c: waiting for signals, and blocked inside handlers of them: the
 * stack then goes through a frame the kernel made, maybe from one memory to another. */
#include "truth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LONG_TIME 3600

/* Each kind of handler has a signal of its own: dispositions belong to the process. */
static int signal_of(int kind)
{
    return SIGRTMIN + 8 + kind;
}

static sigset_t one_signal(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

static sigset_t block_one(int number)
{
    sigset_t set = one_signal(number);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

static NOINLINE void in_sigwait(void)
{
    int number;
    sigset_t set = block_one(signal_of(0));
    truth_mark();
    sigwait(&set, &number);
    STAY();
}

static NOINLINE void in_sigwaitinfo(void)
{
    siginfo_t info;
    sigset_t set = block_one(signal_of(0));
    truth_mark();
    sigwaitinfo(&set, &info);
    STAY();
}

static NOINLINE void in_sigtimedwait(void)
{
    siginfo_t info;
    struct timespec time = { LONG_TIME, 0 };
    sigset_t set = block_one(signal_of(0));
    truth_mark();
    sigtimedwait(&set, &info, &time);
    STAY();
}

static NOINLINE void in_sigsuspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    truth_mark();
    sigsuspend(&none);
    STAY();
}

static NOINLINE void blocking_handler(int number)
{
    char bytes[32];
    truth_mark();
    if (read(scene.empty_pipe[0], bytes, sizeof bytes))
        STAY();
    (void)number;
}

static NOINLINE void blocking_handler_with_info(int number, siginfo_t *info, void *context)
{
    char bytes[32];
    truth_mark();
    if (read(scene.empty_pipe[0], bytes, sizeof bytes))
        STAY();
    (void)number;
    (void)info;
    (void)context;
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    sigaction(number, &action, NULL);
}

static void handle_with_info(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };
    sigaction(number, &action, NULL);
}

static void use_other_stack(void)
{
    size_t size = 65536;
    stack_t stack = { .ss_sp = malloc(size), .ss_size = size };
    sigaltstack(&stack, NULL);
}

static NOINLINE void in_handler(void)
{
    handle(signal_of(1), blocking_handler, 0);
    pthread_kill(pthread_self(), signal_of(1));
    STAY();
}

static NOINLINE void in_handler_on_other_stack(void)
{
    use_other_stack();
    handle_with_info(signal_of(2), blocking_handler_with_info, SA_ONSTACK);
    pthread_kill(pthread_self(), signal_of(2));
    STAY();
}

static NOINLINE void handler_that_is_interrupted(int number)
{
    char local[100];
    memset(local, number, sizeof local);
    pthread_kill(pthread_self(), signal_of(1));
    STAY();
}

static NOINLINE void in_handler_in_handler(void)
{
    use_other_stack();
    handle(signal_of(1), blocking_handler, 0);
    handle(signal_of(3), handler_that_is_interrupted, SA_ONSTACK);
    pthread_kill(pthread_self(), signal_of(3));
    STAY();
}

/* A fault: the interrupted address is that of the instruction, not behind a call. */
static NOINLINE int touch(volatile int *address, int depth)
{
    volatile int local[16];
    local[depth & 15] = depth;
    int value = *address;
    return value + local[depth & 15];
}

static void *unreadable(void)
{
    return mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static NOINLINE void in_fault(void)
{
    handle(SIGSEGV, blocking_handler, SA_ONSTACK | SA_NODEFER);
    touch(unreadable(), 3);
    STAY();
}

static NOINLINE void in_fault_on_other_stack(void)
{
    use_other_stack();
    handle(SIGSEGV, blocking_handler, SA_ONSTACK | SA_NODEFER);
    touch(unreadable(), 3);
    STAY();
}

/* A signal that finds the thread at an instruction nobody chose: it spins in
 * small calls until the alarm of a timer comes. */
static volatile int spinning = 1;
static volatile unsigned spun;

static NOINLINE unsigned small_call(unsigned value)
{
    volatile unsigned local = value * 2654435761u;
    return local ^ value;
}

static NOINLINE void in_handler_of_timer(void)
{
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal_of(4) };
    event._sigev_un._tid = gettid();
    handle(signal_of(4), blocking_handler, 0);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer))
        truth_skip("no timer");
    struct itimerspec time = { .it_value = { 0, 5000000 } };
    timer_settime(timer, 0, &time, NULL);
    while (spinning)
        spun += small_call(spun);
}

static void *interrupt_reader(void *thread)
{
    usleep(50000);
    pthread_kill(*(pthread_t *)thread, signal_of(5));
    return NULL;
}

/* A handler that interrupted a blocked read: below the kernel's frame is libc. */
static NOINLINE void in_handler_in_read(void)
{
    char bytes[16];
    static pthread_t self;
    pthread_t other;
    self = pthread_self();
    handle(signal_of(5), blocking_handler, SA_RESTART);
    if (pthread_create(&other, NULL, interrupt_reader, &self))
        truth_skip("no thread");
    if (read(scene.empty_pipe[0], bytes, sizeof bytes))
        STAY();
}

static NOINLINE void in_raise(void)
{
    handle(signal_of(6), blocking_handler, 0);
    raise(signal_of(6));
    STAY();
}

static NOINLINE void in_sigqueue(void)
{
    handle_with_info(signal_of(7), blocking_handler_with_info, 0);
    sigset_t set = block_one(signal_of(7));
    pthread_kill(pthread_self(), signal_of(7));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* delivered on the way out of this call */
    STAY();
}

const struct way ways_signals[] = {
    { "sigwait", in_sigwait, 3, STACK_USUAL },
    { "sigwaitinfo", in_sigwaitinfo, 3, STACK_USUAL },
    { "sigtimedwait", in_sigtimedwait, 2, STACK_USUAL },
    { "sigsuspend", in_sigsuspend, 2, STACK_USUAL },
    { "handler", in_handler, 2, STACK_USUAL },
    { "handler on another stack", in_handler_on_other_stack, 2, STACK_USUAL },
    { "handler in a handler", in_handler_in_handler, 2, STACK_USUAL },
    { "handler of a fault", in_fault, 2, STACK_USUAL },
    { "handler of a fault, other stack", in_fault_on_other_stack, 2, STACK_USUAL },
    { "handler of a timer", in_handler_of_timer, 2, STACK_USUAL },
    { "handler in a read", in_handler_in_read, 2, STACK_USUAL },
    { "handler, raised", in_raise, 2, STACK_USUAL },
    { "handler, unblocked", in_sigqueue, 2, STACK_USUAL },
    { NULL, NULL, 0, STACK_USUAL },
};
