/* test_capture.c proves that a thread is captured as it is: a blocked one
 * without its noticing, a running one by a signal that it answers with its
 * true registers, and nobody's stack lands in another's capture, however late
 * an answer comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "capture/ask.h"
#include "capture/capture.h"
#include "capture/descriptors.h"
#include "capture/procfs.h"
#include "capture/slot.h"
#include "capture/stack_copy.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static struct target target;

static struct capture *new_capture(enum signal_mode mode)
{
    assert_int_equal(target_open(&target, 0), 0);
    struct capture *capture = capture_new(&target, mode);
    assert_non_null(capture);
    capture_begin(capture);
    return capture;
}

static void end_capture(struct capture *capture)
{
    capture_free(capture);
    target_close(&target);
}

/* What became of one job. */
struct result {
    int status;
    int calls;
    int asked;
    struct captured captured;
    size_t length;
    unsigned char bytes[SLOT_BYTES];
};

static void asking(void *user, size_t index)
{
    struct result *results = user;
    results[index].asked++;
}

static bool taken(void *user, size_t index, int status, const struct captured *captured)
{
    struct result *result = &((struct result *)user)[index];
    result->calls++;
    result->status = status;
    result->captured = *captured;
    result->length = captured->stack.length;
    if (result->length > sizeof result->bytes)
        result->length = sizeof result->bytes;
    if (result->length > 0)
        memcpy(result->bytes, captured->stack.bytes, result->length);
    result->captured.stack.bytes = result->bytes;
    return true;
}

static void capture_many(struct capture *capture, const pid_t *tids, size_t count,
                         struct thread_files *files, struct result *results)
{
    struct capture_job jobs[128];
    assert_true(count <= 128);
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct capture_job){ .tid = tids[i], .files = &files[i] };
        results[i].calls = results[i].asked = 0;
    }
    struct capture_run run = {
        .jobs = jobs,
        .count = count,
        .deadline_ns = now_ns() + 10 * SECOND,
        .user = results,
        .asking = asking,
        .taken = taken,
    };
    capture_threads(capture, &run);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(results[i].calls, 1);
}

static const struct captured *capture_one(struct capture *capture, pid_t tid)
{
    static struct result result;
    struct thread_files files = { 0 };
    capture_many(capture, &tid, 1, &files, &result);
    thread_files_close(capture, &files);
    assert_int_equal(result.status, 0);
    return &result.captured;
}

static void assert_why(const struct captured *captured, const char *why)
{
    if (captured->how != CAPTURE_PARTIAL)
        fail_msg("captured by %s, expected partial: %s",
                 captured->how == CAPTURE_SIGNAL ? "signal" : "procfs", why);
    assert_string_equal(captured->why, why);
}

/* The registers and the stack of a worker in spin_with_registers. */
static bool is_spinning(const struct captured *captured, const struct worker *worker)
{
    const struct registers *registers = &captured->stack.registers;
    if (captured->how != CAPTURE_SIGNAL || captured->stack.length < 256)
        return false;
    if (!SPIN_HAS_REGISTERS)
        return true;
    if (registers->ip < (uintptr_t)spin_first || registers->ip >= (uintptr_t)spin_last ||
        registers->known != (1u << SAVED_COUNT) - 1)
        return false;
    static const int number[SAVED_COUNT] = {
        [SAVED_RBX] = 0, [SAVED_RBP] = 1, [SAVED_R12] = 2,
        [SAVED_R13] = 3, [SAVED_R14] = 4, [SAVED_R15] = 5,
    };
    for (int i = 0; i < SAVED_COUNT; i++)
        if (registers->saved[i] != register_value(worker->seed, number[i]))
            return false;
    /* values[6] lies above the stack pointer, in the caller's frame */
    for (size_t at = 0; at + 48 <= captured->stack.length && at < 1024; at += 8) {
        uint64_t first;
        memcpy(&first, captured->stack.bytes + at, sizeof first);
        if (first == register_value(worker->seed, 0))
            return captured->stack.low + at > registers->sp;
    }
    return false;
}

/* A thread that runs may be off its processor for a moment whenever it is looked at: a few tries.
 */
static bool captured_spinning(struct capture *capture, const struct worker *worker)
{
    wait_until_it_spins(worker);
    for (uint64_t until = now_ns() + 20 * SECOND; now_ns() < until;) {
        const struct captured *captured = capture_one(capture, worker->tid);
        if (captured->how == CAPTURE_SIGNAL)
            return is_spinning(captured, worker);
    }
    return false;
}

static void test_a_blocked_thread_is_read(void **state)
{
    (void)state;
    struct worker worker = { .seed = 0 };
    worker_start(&worker, hang, NULL, 0);
    assert_true(wait_for_state(worker.tid, 'S'));
    struct capture *capture = new_capture(SIGNAL_AUTO);
    const struct captured *captured = capture_one(capture, worker.tid);
    assert_int_equal(captured->how, CAPTURE_PROCFS);
    assert_null(captured->why);
    assert_true(captured->is_still);
    assert_true(captured->stack.live);
    assert_true(captured->in_syscall);
    assert_int_equal(captured->syscall_number, SYS_futex);
    assert_int_equal(captured->arguments[0], (uintptr_t)&worker.stop);
    assert_int_equal(captured->stack.low, captured->stack.registers.sp - 128);
    /* `worker` itself is the argument that worker_main was given: its address is on the stack */
    bool found = false;
    for (size_t at = 0; at + 8 <= captured->stack.length; at += 8) {
        uint64_t word;
        memcpy(&word, captured->stack.bytes + at, sizeof word);
        found |= word == (uintptr_t)&worker;
    }
    assert_true(found);
    struct sigaction action;
    assert_int_equal(sigaction(SIGURG, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL); /* nobody ran, so no handler was needed */
    end_capture(capture);
    worker_stop(&worker);
}

static void test_counters_tell_whether_a_thread_has_run(void **state)
{
    (void)state;
    struct worker still = { .seed = 0 };
    struct worker running = { .seed = 1 };
    worker_start(&still, hang, NULL, 0);
    worker_start(&running, spin_with_registers, NULL, 0);
    assert_true(wait_for_state(still.tid, 'S'));
    struct capture *capture = new_capture(SIGNAL_NEVER);
    struct thread_files files[2] = { { 0 }, { 0 } };
    struct stillness first[2];
    struct stillness now;
    assert_int_equal(capture_stillness(capture, still.tid, &files[0], &first[0]), 0);
    assert_int_equal(capture_stillness(capture, running.tid, &files[1], &first[1]), 0);
    assert_true(thread_files_kept(capture, &files[0]));
    for (int i = 0; i < 100; i++) {
        capture_one(capture, still.tid);
        assert_int_equal(capture_stillness(capture, still.tid, &files[0], &now), 0);
        assert_true(stillness_equal(&first[0], &now));
    }
    sleep_ms(50);
    assert_int_equal(capture_stillness(capture, running.tid, &files[1], &now), 0);
    assert_false(stillness_equal(&first[1], &now));
    worker_stop(&running);
    worker_stop(&still);
    assert_int_equal(capture_stillness(capture, still.tid, &files[0], &now), -ESRCH);
    assert_false(thread_files_kept(capture, &files[0]));
    end_capture(capture);
}

#define MOVING_WORDS 1800

/* Fills its stack with a number, sleeps for a moment, fills it with the next. */
static void keep_moving(struct worker *worker)
{
    volatile uint64_t words[MOVING_WORDS];
    for (uint64_t number = 1; !atomic_load(&worker->stop); number++) {
        for (int i = 0; i < MOVING_WORDS; i++)
            words[i] = UINT64_C(0xabcd) << 48 | number;
        __asm__ volatile("" : : "r"(words) : "memory");
        struct timespec time = { .tv_nsec = number % 7 * 10000 };
        nanosleep(&time, NULL);
    }
}

/* The number that the stack is full of; 0 when it holds more than one, or none. */
static uint64_t number_on_stack(const struct captured *captured)
{
    uint64_t number = 0;
    int count = 0;
    for (size_t at = 0; at + 8 <= captured->stack.length; at += 8) {
        uint64_t word;
        memcpy(&word, captured->stack.bytes + at, sizeof word);
        if (word >> 48 != 0xabcd || word << 16 == 0) /* a compiler may keep the bare mark there */
            continue;
        if (number != 0 && word != number)
            return 0;
        number = word;
        count++;
    }
    return count >= MOVING_WORDS / 2 ? number : 0; /* the copy may not hold all of it */
}

static void test_a_copy_is_of_one_moment(void **state)
{
    (void)state;
    enum { MANY = 4 };
    struct worker workers[MANY] = { { 0 } };
    for (int i = 0; i < MANY; i++)
        worker_start(&workers[i], keep_moving, NULL, 0);
    sleep_ms(20);
    struct capture *capture = new_capture(SIGNAL_NEVER);
    int blocked = 0;
    for (uint64_t until = now_ns() + 3 * SECOND; now_ns() < until;)
        for (int i = 0; i < MANY; i++) {
            const struct captured *captured = capture_one(capture, workers[i].tid);
            if (captured->how != CAPTURE_PROCFS || !captured->in_syscall ||
                captured->syscall_number != SYS_clock_nanosleep)
                continue;
            blocked++;
            if (number_on_stack(captured) == 0)
                fail_msg("a copy of two moments, after %d", blocked);
        }
    print_message("%d times blocked\n", blocked);
    assert_true(blocked > 100);
    end_capture(capture);
    for (int i = 0; i < MANY; i++)
        worker_stop(&workers[i]);
}

static void test_what_the_kernel_writes_is_understood(void **state)
{
    (void)state;
    struct captured captured = { 0 };
    assert_int_equal(procfs_parse_registers("running\n", &captured), PROCFS_RUNNING);
    assert_int_equal(procfs_parse_registers(
                         "202 0x7f00 0x189 0x0 0x0 0x0 0xffffffff 0x7ffe10 0x401000\n", &captured),
                     0);
    assert_true(captured.in_syscall);
    assert_int_equal(captured.syscall_number, 202);
    assert_int_equal(captured.arguments[0], 0x7f00);
    assert_int_equal(captured.arguments[5], 0xffffffff);
    assert_int_equal(captured.stack.registers.sp, 0x7ffe10);
    assert_int_equal(captured.stack.registers.ip, 0x401000);
    assert_int_equal(procfs_parse_registers("-1 0x7ffe20 0x402000\n", &captured), 0);
    assert_false(captured.in_syscall);
    assert_int_equal(captured.stack.registers.sp, 0x7ffe20);
    assert_int_equal(captured.stack.registers.ip, 0x402000);
    assert_int_equal(procfs_parse_registers("0 0x1 0x2\n", &captured), -EPROTO);
    assert_int_equal(procfs_parse_registers("", &captured), -EPROTO);
    struct stillness still;
    assert_true(procfs_parse_schedstat("12345 67 8\n", &still));
    assert_int_equal(still.run_ns, 12345);
    assert_int_equal(still.wait_ns, 67);
    assert_int_equal(still.slices, 8);
    assert_false(procfs_parse_schedstat("12345\n", &still));
    assert_true(procfs_parse_switches(
        "Name:\tx\nvoluntary_ctxt_switches:\t71\nnonvoluntary_ctxt_switches:\t4\n", &still));
    assert_int_equal(still.run_ns, 71);
    assert_int_equal(still.wait_ns, 4);
}

static void test_a_running_thread_answers_with_its_registers(void **state)
{
    (void)state;
    struct worker worker = { .seed = 7 };
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    for (int i = 0; i < 100; i++)
        assert_true(captured_spinning(capture, &worker));
    end_capture(capture);
    worker_stop(&worker);
}

static void test_never_means_no_signal(void **state)
{
    (void)state;
    struct worker worker = { .seed = 1 };
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_NEVER);
    uint32_t done = ask_table ? atomic_load(&ask_table->done) : 0;
    for (int i = 0; i < 20; i++) {
        const struct captured *captured = capture_one(capture, worker.tid);
        if (captured->how == CAPTURE_PARTIAL) /* not at the very moment that it was off */
            assert_why(captured, "running");
        else
            assert_int_equal(captured->how, CAPTURE_PROCFS);
    }
    assert_int_equal(ask_table ? atomic_load(&ask_table->done) : 0, done);
    end_capture(capture);
    worker_stop(&worker);
}

static void test_many_running_threads_are_asked_together(void **state)
{
    (void)state;
    enum { MANY = 100 };
    static struct worker workers[MANY];
    static struct result results[MANY];
    static struct thread_files files[MANY];
    pid_t tids[MANY];
    for (int i = 0; i < MANY; i++) {
        workers[i].seed = i;
        worker_start(&workers[i], spin_with_registers, NULL, (size_t)64 << 10);
        tids[i] = workers[i].tid;
    }
    for (int i = 0; i < MANY; i++)
        wait_until_it_spins(&workers[i]);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    uint64_t began = now_ns();
    capture_many(capture, tids, MANY, files, results);
    uint64_t took = now_ns() - began;
    int right = 0;
    for (int i = 0; i < MANY; i++) {
        if (results[i].captured.how == CAPTURE_SIGNAL)
            assert_true(is_spinning(&results[i].captured, &workers[i]));
        right += results[i].captured.how == CAPTURE_SIGNAL;
        thread_files_close(capture, &files[i]);
    }
    print_message("%d of %d answered in %.0f ms\n", right, MANY, (double)took / 1e6);
    assert_true(right > MANY / 8); /* they share the processors with us: not all in time */
    end_capture(capture);
    for (int i = 0; i < MANY; i++)
        worker_stop(&workers[i]);
}

static void spin_with_signal_blocked(struct worker *worker)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    atomic_store((_Atomic int *)worker->argument, 1);
    spin_with_registers(worker);
}

static void test_a_thread_that_blocks_the_signal_is_not_waited_for(void **state)
{
    (void)state;
    _Atomic int blocked = 0;
    struct worker worker = { .seed = 1 };
    worker_start(&worker, spin_with_signal_blocked, &blocked, 0);
    while (!atomic_load(&blocked))
        sched_yield();
    struct capture *capture = new_capture(SIGNAL_AUTO);
    const struct captured *captured = capture_one(capture, worker.tid);
    for (int i = 0; i < 20 && captured->how == CAPTURE_PROCFS; i++)
        captured = capture_one(capture, worker.tid);
    assert_why(captured, "signal blocked");
    end_capture(capture);
    worker_stop(&worker);
}

static void test_always_asks_blocked_threads_too(void **state)
{
    (void)state;
    _Atomic int blocked = 0;
    struct worker hanging = { .seed = 0 };
    struct worker deaf = { .seed = 1 };
    worker_start(&hanging, hang, NULL, 0);
    worker_start(&deaf, spin_with_signal_blocked, &blocked, 0);
    assert_true(wait_for_state(hanging.tid, 'S'));
    struct capture *capture = new_capture(SIGNAL_ALWAYS);
    assert_int_equal(capture_one(capture, hanging.tid)->how, CAPTURE_SIGNAL);
    const struct captured *captured = capture_one(capture, deaf.tid);
    if (captured->how == CAPTURE_PARTIAL)
        assert_why(captured, "signal blocked");
    worker_stop(&deaf);
    end_capture(capture);
    worker_stop(&hanging);
}

/* Lets no other thread of the lowest class onto its processor. */
static void hog(struct worker *worker)
{
    while (!atomic_load(&worker->stop))
        continue;
}

static void pin(pid_t tid, int policy)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    assert_int_equal(sched_setaffinity(tid, sizeof set, &set), 0);
    struct sched_param parameter = { 0 };
    if (policy != SCHED_OTHER)
        assert_int_equal(sched_setscheduler(tid, policy, &parameter), 0);
}

static void unpin(pid_t tid)
{
    cpu_set_t set;
    struct sched_param parameter = { 0 };
    memset(&set, 0xff, sizeof set);
    assert_int_equal(sched_setscheduler(tid, SCHED_OTHER, &parameter), 0);
    assert_int_equal(sched_setaffinity(tid, sizeof set, &set), 0);
}

static struct ask_slot *slot_bound_to(pid_t tid)
{
    for (int i = 0; i < SLOT_COUNT; i++)
        if (atomic_load(&ask_table->slots[i].tid) == tid &&
            slot_state_of(atomic_load(&ask_table->slots[i].word)) != SLOT_FREE)
            return &ask_table->slots[i];
    return NULL;
}

static enum slot_state state_of(const struct ask_slot *slot)
{
    return slot_state_of(atomic_load(&slot->word));
}

static void test_a_late_answer_lands_in_nobodys_capture(void **state)
{
    (void)state;
    enum { HOGS = 4 };
    struct worker silent = { .seed = 3 };
    struct worker other = { .seed = 4 };
    struct worker hogs[HOGS] = { { 0 } };
    worker_start(&silent, spin_with_registers, NULL, 0);
    wait_until_it_spins(&silent);
    pin(silent.tid, SCHED_IDLE);
    for (int i = 0; i < HOGS; i++) {
        worker_start(&hogs[i], hog, NULL, 0);
        pin(hogs[i].tid, SCHED_OTHER);
    }
    worker_start(&other, spin_with_registers, NULL, 0);
    wait_until_it_spins(&other);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    const struct captured *captured = NULL;
    for (int i = 0; i < 100; i++) {
        captured = capture_one(capture, silent.tid);
        if (captured->how == CAPTURE_PARTIAL)
            break;
        assert_true(is_spinning(captured, &silent));
    }
    assert_why(captured, "no answer to the signal");
    struct ask_slot *slot = slot_bound_to(silent.tid);
    assert_non_null(slot);

    /* Others are asked, more often than there are slots; whatever comes meanwhile is theirs. */
    uint64_t given_up = atomic_load(&slot->word);
    for (int i = 0; i < 2 * SLOT_COUNT; i++) {
        captured = capture_one(capture, other.tid);
        assert_true(captured->how != CAPTURE_SIGNAL || is_spinning(captured, &other));
        pid_t bound = atomic_load(&slot->tid);
        assert_true(bound == silent.tid || atomic_load(&slot->word) != given_up);
    }
    for (int i = 0; i < HOGS; i++)
        worker_stop(&hogs[i]);
    unpin(silent.tid);
    for (int i = 0; i < 20000 && atomic_load(&slot->word) == given_up; i++)
        sleep_ms(1);
    assert_int_not_equal(atomic_load(&slot->word), given_up); /* the late answer, noted */
    assert_true(captured_spinning(capture, &silent));
    assert_true(captured_spinning(capture, &other));

    /* A thread that is gone gives its slot back. */
    worker_stop(&silent);
    captured_spinning(capture, &other);
    assert_null(slot_bound_to(silent.tid));
    end_capture(capture);
    worker_stop(&other);
}

/* The asker gives up while the handler is at it: any of the ways that a late answer can meet the
 * slot, put in place by hand. */
static void test_a_slot_changes_hands_once(void **state)
{
    (void)state;
    struct worker worker = { .seed = 5 };
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    assert_true(captured_spinning(capture, &worker));
    struct ask_slot *slot = slot_bound_to(worker.tid);
    assert_non_null(slot);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    unsigned index = (unsigned)(slot - ask_table->slots);
    uint32_t generation = slot_generation_of(atomic_load(&slot->word));
    info.si_value.sival_ptr = (void *)(uintptr_t)cookie_make(ask_table->magic, index, generation);

    /* Bound to another thread by now: not a byte of it is touched. */
    atomic_store(&slot->tid, 1);
    atomic_store(&slot->word, slot_word(generation + 1, SLOT_ASKED));
    slot->registers.ip = UINT64_C(0x7777777777777777);
    uint32_t done = atomic_load(&ask_table->done);
    assert_int_equal(syscall(SYS_rt_tgsigqueueinfo, getpid(), worker.tid, SIGURG, &info), 0);
    sleep_ms(50);
    assert_int_equal(atomic_load(&slot->word), slot_word(generation + 1, SLOT_ASKED));
    assert_int_equal(slot->registers.ip, UINT64_C(0x7777777777777777));

    /* Given up on: noted, and nothing else. */
    atomic_store(&slot->tid, worker.tid);
    atomic_store(&slot->word, slot_word(generation, SLOT_GIVEN_UP));
    assert_int_equal(syscall(SYS_rt_tgsigqueueinfo, getpid(), worker.tid, SIGURG, &info), 0);
    for (int i = 0; i < 5000 && state_of(slot) == SLOT_GIVEN_UP; i++)
        sleep_ms(1);
    assert_int_equal(atomic_load(&slot->word), slot_word(generation, SLOT_ANSWERED));
    assert_int_equal(slot->registers.ip, UINT64_C(0x7777777777777777));
    assert_int_equal(atomic_load(&ask_table->done), done);

    /* Answered already, being answered, or free: nothing at all. */
    static const enum slot_state others[] = { SLOT_ANSWERED, SLOT_CLAIMED, SLOT_FREE };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        atomic_store(&slot->word, slot_word(generation, others[i]));
        assert_int_equal(syscall(SYS_rt_tgsigqueueinfo, getpid(), worker.tid, SIGURG, &info), 0);
        sleep_ms(50);
        assert_int_equal(atomic_load(&slot->word), slot_word(generation, others[i]));
        assert_int_equal(slot->registers.ip, UINT64_C(0x7777777777777777));
    }
    assert_true(captured_spinning(capture, &worker));
    end_capture(capture);
    worker_stop(&worker);
}

/* The service's own handlers. */
static _Atomic int calls_before, calls_after, calls_plain;
static _Atomic int last_code;
static struct sigaction saved;

static void handler_before(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    atomic_store(&last_code, info->si_code);
    atomic_fetch_add(&calls_before, 1);
}

static void handler_after(int number, siginfo_t *info, void *context)
{
    atomic_fetch_add(&calls_after, 1);
    if (saved.sa_flags & SA_SIGINFO)
        saved.sa_sigaction(number, info, context);
    else if (saved.sa_handler != SIG_DFL && saved.sa_handler != SIG_IGN)
        saved.sa_handler(number);
}

/* Hands on what it gets by the rules of another century. */
static void handler_plain(int number)
{
    atomic_fetch_add(&calls_plain, 1);
    if (saved.sa_handler != SIG_DFL && saved.sa_handler != SIG_IGN)
        saved.sa_handler(number);
}

static void set_handler(void (*function)(int, siginfo_t *, void *), void (*plain)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_RESTART | (function ? SA_SIGINFO : 0);
    if (function)
        action.sa_sigaction = function;
    else
        action.sa_handler = plain;
    if (sigaction(SIGURG, &action, &saved) != 0)
        abort();
}

static void send_own(pid_t tid)
{
    if (syscall(SYS_tgkill, getpid(), tid, SIGURG) != 0)
        abort();
    sleep_ms(20); /* SIGURG is not queued: one after the other */
}

static bool expect(const char *what, int got, int expected)
{
    if (got != expected)
        fprintf(stderr, "%s: %d, expected %d\n", what, got, expected);
    return got == expected;
}

static bool spins(struct capture *capture, struct worker *worker)
{
    bool right = captured_spinning(capture, worker);
    if (!right)
        fprintf(stderr, "not captured by signal\n");
    return right;
}

static bool play_handlers(void)
{
    struct worker worker = { .seed = 9 };
    set_handler(handler_before, NULL);
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    bool right = spins(capture, &worker);
    right &= expect("calls of ours", calls_before, 0);
    send_own(worker.tid);
    right &= expect("own signal", calls_before, 1);
    right &= expect("its code", last_code, SI_TKILL);

    /* Another handler above ours, which hands on. Before it is found ... */
    set_handler(handler_after, NULL);
    send_own(worker.tid);
    right &= expect("own signal, above", calls_after, 1);
    right &= expect("own signal, below", calls_before, 2);
    /* ... and after */
    for (int i = 0; i < 10; i++)
        right &= spins(capture, &worker);
    right &= expect("calls of ours, above", calls_after, 1);
    right &= expect("calls of ours, below", calls_before, 2);
    send_own(worker.tid);
    right &= expect("own signal, found, above", calls_after, 2);
    right &= expect("own signal, found, below", calls_before, 3);

    /* Ignored from now on: nobody is called, we still are. */
    signal(SIGURG, SIG_IGN);
    right &= spins(capture, &worker);
    send_own(worker.tid);
    right &= expect("ignored, above", calls_after, 2);
    right &= expect("ignored, below", calls_before, 3);
    end_capture(capture);
    worker_stop(&worker);
    return right;
}

/* Handlers that hand on without the arguments, and are set again above ours. */
static bool play_plain_handlers(void)
{
    struct worker worker = { .seed = 9 };
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    bool right = spins(capture, &worker);
    set_handler(NULL, handler_plain);
    send_own(worker.tid);
    right &= expect("not found yet", calls_plain, 1);
    right &= spins(capture, &worker);
    send_own(worker.tid);
    right &= expect("found", calls_plain, 2);

    /* Each has saved the other now: no circle. */
    set_handler(NULL, handler_plain);
    send_own(worker.tid);
    right &= expect("set again", calls_plain, 3);
    right &= spins(capture, &worker);
    send_own(worker.tid);
    right &= expect("set again and found", calls_plain, 4);
    end_capture(capture);
    worker_stop(&worker);
    return right;
}

static void test_the_services_handlers_are_called_as_before(void **state)
{
    (void)state;
    if (UNDER_THREAD_SANITIZER)
        skip();
    assert_true(play_scene("handlers", 60));
    assert_true(play_scene("plain handlers", 60));
}

/* In a child of fork: the handler is there, the slots are the parent's. */
static int child_of_fork(void)
{
    struct worker worker = { .seed = 11 };
    raise(SIGURG);
    for (int i = 0; i < SLOT_COUNT; i++) {
        siginfo_t info;
        memset(&info, 0, sizeof info);
        info.si_code = SI_QUEUE;
        info.si_pid = getpid();
        info.si_value.sival_ptr = (void *)(uintptr_t)cookie_make(ask_table->magic, (unsigned)i, 1);
        syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGURG, &info);
    }
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    bool right = spins(capture, &worker);
    end_capture(capture);
    worker_stop(&worker);
    return right ? 0 : 1;
}

static void test_a_child_of_fork_is_left_alone(void **state)
{
    (void)state;
    if (UNDER_THREAD_SANITIZER)
        skip();
    struct worker worker = { .seed = 10 };
    worker_start(&worker, spin_with_registers, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    assert_true(captured_spinning(capture, &worker));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(30);
        _exit(run_as_listener(child_of_fork));
    }
    assert_true(child_succeeds(child));
    assert_true(captured_spinning(capture, &worker));
    end_capture(capture);
    worker_stop(&worker);
}

static bool not_dumpable(void)
{
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return false;
    return prctl(PR_SET_DUMPABLE, 0) == 0;
}

static bool play_not_dumpable(void)
{
    static const char hidden[] = "registers not readable (process is not dumpable)";
    struct worker hanging = { .seed = 1 };
    struct worker running = { .seed = 2 };
    if (!not_dumpable())
        return false;
    worker_start(&hanging, hang, NULL, 0);
    worker_start(&running, spin_with_registers, NULL, 0);
    if (!wait_for_state(hanging.tid, 'S'))
        return false;
    struct capture *capture = new_capture(SIGNAL_NEVER);
    const struct captured *captured = capture_one(capture, hanging.tid);
    bool right = captured->how == CAPTURE_PARTIAL && strcmp(captured->why, hidden) == 0;
    right &= expect("hidden", capture_hidden(capture) != NULL, 1);
    end_capture(capture);
    capture = new_capture(SIGNAL_AUTO);
    right &= spins(capture, &running);
    captured = capture_one(capture, hanging.tid);
    right &= expect("how", captured->how, CAPTURE_SIGNAL);
    right &= expect("stack", captured->stack.length > 256, 1);
    end_capture(capture);
    worker_stop(&hanging);
    worker_stop(&running);
    return right;
}

static void test_a_process_that_is_not_dumpable_says_so(void **state)
{
    (void)state;
    assert_true(play_scene("not dumpable", 30));
}

/* Every system call but a few ends the process. */
static void spin_filtered(struct worker *worker)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    _Atomic int *ready = worker->argument;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return;
    atomic_store(ready, 1);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        atomic_store(ready, -1);
        return;
    }
    spin_with_registers(worker);
}

static bool play_filtered(void)
{
    struct worker worker = { .seed = 12 };
    _Atomic int ready = 0;
    worker_start(&worker, spin_filtered, &ready, 0);
    while (atomic_load(&ready) == 0)
        sched_yield();
    sleep_ms(50);
    if (atomic_load(&ready) < 0) {
        print_message("seccomp is not to be had here\n");
        return true;
    }
    struct capture *capture = new_capture(SIGNAL_AUTO);
    bool right = true;
    for (int i = 0; i < 10; i++)
        right &= spins(capture, &worker);
    _exit(right ? 0 : 1); /* the worker cannot even end */
}

static void test_a_filtered_thread_makes_no_system_call(void **state)
{
    (void)state;
    assert_true(play_scene("filtered", 30));
}

static bool play_vm_refused(void)
{
    struct worker running = { .seed = 13 };
    struct worker hanging = { .seed = 14 };
    worker_start(&running, spin_with_registers, NULL, 0);
    worker_start(&hanging, hang, NULL, 0);
    struct capture *capture = new_capture(SIGNAL_AUTO);
    target.vm_refused = true;
    bool right = wait_for_state(hanging.tid, 'S') && spins(capture, &running);
    const struct captured *captured = capture_one(capture, hanging.tid);
    right &= expect("how", captured->how, CAPTURE_PROCFS);
    right &= expect("stack", captured->stack.length > 256, 1);
    end_capture(capture);
    worker_stop(&running);
    worker_stop(&hanging);
    return right;
}

static void test_without_process_vm_readv(void **state)
{
    (void)state;
    assert_true(play_scene("vm refused", 30));
}

/* A stack that ends just above the stack pointer, and a red zone that is not mapped. */
static void test_the_edges_of_a_stack(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct stack_buffer buffer;
    assert_int_equal(target_open(&target, 0), 0);
    assert_true(stack_buffer_init(&buffer)); /* now, so that it does not fill the holes below */
    unsigned char *pages =
        mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    memset(pages + page, 0x5a, page);
    assert_int_equal(munmap(pages, page), 0);
    assert_int_equal(munmap(pages + 2 * page, page), 0);
    struct stack_copy copy = { .registers = { .sp = (uintptr_t)pages + page + 64 } };
    for (int i = 0; i < 2; i++) {
        target.vm_refused = i == 1;
        assert_true(stack_copy(&target, &buffer, &copy));
        assert_int_equal(copy.low, copy.registers.sp);
        assert_int_equal(copy.length, page - 64);
        assert_int_equal(copy.bytes[copy.length - 1], 0x5a);
    }
    copy.registers.sp = (uintptr_t)pages + 2 * page - 4;
    assert_false(stack_copy(&target, &buffer, &copy));
    copy.registers.sp = 8;
    assert_false(stack_copy(&target, &buffer, &copy));
    copy.registers.sp = UINT64_MAX - 7;
    assert_false(stack_copy(&target, &buffer, &copy));
    assert_int_equal(copy.length, 0);
    stack_buffer_free(&buffer);
    target_close(&target);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static bool play_descriptors(void)
{
    enum { MANY = 120 };
    static struct worker workers[MANY];
    static struct thread_files files[MANY];
    struct stillness still;
    for (int i = 0; i < MANY; i++)
        worker_start(&workers[i], hang, NULL, (size_t)64 << 10);
    struct rlimit limit = { 200, 4096 };
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    struct capture *capture = new_capture(SIGNAL_NEVER);
    unsigned before = open_descriptors();
    bool right = true;
    for (int i = 0; i < MANY; i++)
        right &= capture_stillness(capture, workers[i].tid, &files[i], &still) == 0;
    unsigned kept = open_descriptors() - before;
    right &= expect("at most half are kept, and many", kept > 60 && kept <= 100, 1);

    /* The service lowers its limit: all are given up, and asking still works. */
    limit.rlim_cur = 70;
    setrlimit(RLIMIT_NOFILE, &limit);
    capture_begin(capture);
    right &= expect("after the limit was lowered", (int)(open_descriptors() - before), 0);
    right &= expect("asking", capture_stillness(capture, workers[0].tid, &files[0], &still), 0);

    /* None left at all: what is kept makes room. */
    limit.rlim_cur = 1000;
    setrlimit(RLIMIT_NOFILE, &limit);
    capture_begin(capture);
    for (int i = 0; i < 50; i++)
        right &= capture_stillness(capture, workers[i].tid, &files[i], &still) == 0;
    limit.rlim_cur = 0;
    while (dup(0) >= 0 && limit.rlim_cur < 900)
        limit.rlim_cur++;
    setrlimit(RLIMIT_NOFILE, &limit); /* the lowest free number is beyond it now, or near */
    while (dup(0) >= 0)
        continue;
    right &= expect("full", capture_stillness(capture, workers[60].tid, &files[60], &still), 0);
    capture_free(capture);
    return right;
}

static void test_descriptors_are_kept_within_the_limit(void **state)
{
    (void)state;
    assert_true(play_scene("descriptors", 30));
}

static void test_a_shared_table_keeps_nothing(void **state)
{
    (void)state;
    struct descriptors descriptors;
    assert_int_equal(target_open(&target, 0), 0);
    descriptors_init(&descriptors, &target);
    assert_false(descriptors.shared); /* we run as the listener does */
    descriptors_free(&descriptors);
    target_close(&target);
}

static void test_of_the_leaders_table(void **state)
{
    (void)state;
    struct descriptors descriptors;
    assert_int_equal(target_open(&target, 0), 0);
    descriptors_init(&descriptors, &target);
    assert_true(descriptors.shared);
    int fd = descriptors_open(&descriptors, gettid(), "schedstat");
    assert_true(fd >= 0);
    assert_false(descriptors_keep(&descriptors, fd));
    close(fd);
    descriptors_free(&descriptors);
    target_close(&target);
}

static int all_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_blocked_thread_is_read),
        cmocka_unit_test(test_never_means_no_signal),
        cmocka_unit_test(test_the_services_handlers_are_called_as_before),
        cmocka_unit_test(test_counters_tell_whether_a_thread_has_run),
        cmocka_unit_test(test_a_copy_is_of_one_moment),
        cmocka_unit_test(test_what_the_kernel_writes_is_understood),
        cmocka_unit_test(test_a_running_thread_answers_with_its_registers),
        cmocka_unit_test(test_many_running_threads_are_asked_together),
        cmocka_unit_test(test_a_thread_that_blocks_the_signal_is_not_waited_for),
        cmocka_unit_test(test_always_asks_blocked_threads_too),
        cmocka_unit_test(test_a_late_answer_lands_in_nobodys_capture),
        cmocka_unit_test(test_a_slot_changes_hands_once),
        cmocka_unit_test(test_a_child_of_fork_is_left_alone),
        cmocka_unit_test(test_a_process_that_is_not_dumpable_says_so),
        cmocka_unit_test(test_a_filtered_thread_makes_no_system_call),
        cmocka_unit_test(test_without_process_vm_readv),
        cmocka_unit_test(test_the_edges_of_a_stack),
        cmocka_unit_test(test_descriptors_are_kept_within_the_limit),
        cmocka_unit_test(test_a_shared_table_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int count, char **arguments)
{
    static const struct scene scenes[] = {
        { "handlers", play_handlers },         { "plain handlers", play_plain_handlers },
        { "not dumpable", play_not_dumpable }, { "filtered", play_filtered },
        { "vm refused", play_vm_refused },     { "descriptors", play_descriptors },
    };
    scenes_main(count, arguments, scenes, sizeof scenes / sizeof *scenes);
    const struct CMUnitTest leader[] = {
        cmocka_unit_test(test_of_the_leaders_table),
    };
    int failed = cmocka_run_group_tests(leader, NULL, NULL);
    return run_as_listener(all_tests) + failed;
}
