/* test_capture_sample.c proves that a thread which runs in another process is
 * captured from outside as it is, at whatever instruction, that the process
 * does not notice, and that a thread which cannot be caught is said to be running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/sink.h"
#include "base/target.h"
#include "capture/capture.h"
#include "modules/modules.h"
#include "reports/reports.h"
#include "symbolize/symbolize.h"
#include "unwind/unwind.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define NOBODY 65534

/* ---- the truth, from programs that know it ---- */

static const struct {
    const char *compiler, *flags;
} builds[] = {
    { "gcc", "-O0" },
    { "gcc", "-O2" },
    { "gcc", "-O2 -fno-omit-frame-pointer -fcf-protection=full" },
    { "clang", "-O2" },
};
#define BUILDS (sizeof builds / sizeof *builds)

static void program_path(size_t build, char *path, size_t size)
{
    snprintf(path, size, "%s/tests/truth/sampled-%zu", getenv("SNAG_BUILD"), build);
}

/* False: there is no such compiler. */
static bool make_program(size_t build)
{
    char path[500], command[2000];
    snprintf(command, sizeof command, "command -v %s >/dev/null", builds[build].compiler);
    if (system(command) != 0)
        return false;
    program_path(build, path, sizeof path);
    snprintf(command, sizeof command,
             "mkdir -p '%s/tests/truth' && bash '%s/tests/truth/build.sh' '%s' spinners %s '%s'",
             getenv("SNAG_BUILD"), getenv("SNAG_SOURCE"), path, builds[build].compiler,
             builds[build].flags);
    assert_int_equal(system(command), 0);
    return true;
}

/* Whether this kernel lets the caller sample at all: containers often forbid it, and some kernels
 * do so to all but root. What is said then has a test of its own. */
static bool may_sample(void)
{
    struct perf_event_attr event = { .size = sizeof event,
                                     .type = PERF_TYPE_SOFTWARE,
                                     .config = PERF_COUNT_SW_CPU_CLOCK,
                                     .disabled = 1,
                                     .exclude_kernel = 1 };
    int fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* One dump in blocks, written to FD behind its length. */
static bool send_dump(struct lab *lab, int fd)
{
    struct report_entry entry;
    struct sink_buffer text;
    void *dump;
    if (!report_look_up(lab, "threads", &entry) ||
        report_take(lab, entry.report, entry.part, true, &dump) != 0)
        return false;
    const struct report_query query = { .report = entry.report, .form = REPORT_BLOCKS };
    sink_buffer_init(&text);
    bool sent = report_write(lab, &query, NULL, dump, &text.sink) == 0;
    entry.report->release(dump);
    uint64_t length = text.length;
    sent = sent && write(fd, &length, sizeof length) == (ssize_t)sizeof length;
    for (size_t done = 0; sent && done < length;) {
        ssize_t put = write(fd, text.bytes + done, length - done);
        sent = put > 0;
        done += sent ? (size_t)put : 0;
    }
    sink_buffer_free(&text);
    return sent;
}

static pid_t start_program(const char *path, int requests[2], int replies[2])
{
    if (pipe2(requests, O_CLOEXEC) != 0 || pipe2(replies, O_CLOEXEC) != 0)
        abort();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int request = fcntl(requests[1], F_DUPFD, 20); /* out of the way of 3 and 4 */
    int reply = fcntl(replies[0], F_DUPFD, 20);
    dup2(request, 3);
    dup2(reply, 4);
    close(request);
    close(reply);
    execl(path, path, "outside", NULL);
    _exit(127);
}

/* Serves a program of tests/truth with dumps of itself, until it ends with its verdict. */
static bool serve(size_t build)
{
    char path[500], byte;
    int requests[2], replies[2];
    struct lab lab;
    program_path(build, path, sizeof path);
    pid_t pid = start_program(path, requests, replies);
    close(requests[1]);
    close(replies[0]);
    bool opened = false, served = true;
    while (served && read(requests[0], &byte, 1) == 1) {
        served = opened || lab_open(&lab, pid, SIGNAL_NEVER) == 0;
        opened |= served;
        served = served && send_dump(&lab, replies[1]);
    }
    if (opened)
        lab_close(&lab);
    close(requests[0]);
    close(replies[1]);
    return child_succeeds(pid) && opened && served;
}

static void test_running_stacks_are_true(void **state)
{
    (void)state;
    if (!may_sample())
        skip();
    size_t right = 0, made = 0;
    for (size_t i = 0; i < BUILDS; i++) {
        if (!make_program(i))
            continue;
        printf("%s %s\n", builds[i].compiler, builds[i].flags);
        fflush(stdout);
        made++;
        right += serve(i);
    }
    assert_true(made > 0);
    assert_int_equal(right, made);
}

/* With no locked memory of its own, and perhaps without a look at ticks in the kernel. */
static void test_true_for_a_user_without_rights(void **state)
{
    (void)state;
    if (geteuid() != 0 || !may_sample() || !make_program(1))
        skip();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char path[500];
        const struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_MEMLOCK, &none);
        if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
            _exit(2);
        program_path(1, path, sizeof path);
        if (access(path, X_OK) != 0 || !may_sample())
            _exit(77);
        _exit(serve(1) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- what can be had of many, and of those that cannot be caught ---- */

#define MANY 100

struct many {
    _Atomic int ready;
    pid_t tids[MANY];
};

/* A process with COUNT threads, thread I of which holds the register values of seed I. */
static pid_t start_spinning(struct many *many, int count)
{
    atomic_store(&many->ready, 0);
    pid_t pid = fork();
    if (pid != 0) {
        while (!atomic_load(&many->ready))
            sleep_ms(1);
        return pid;
    }
    static struct worker workers[MANY];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < count; i++) {
        workers[i].seed = i;
        worker_start(&workers[i], spin_with_registers, NULL, (size_t)64 << 10);
        many->tids[i] = workers[i].tid;
    }
    for (int i = 0; i < count; i++)
        wait_until_it_spins(&workers[i]);
    atomic_store(&many->ready, 1);
    for (;;)
        pause();
}

static struct many *new_many(void)
{
    struct many *many =
        mmap(NULL, sizeof *many, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(many != MAP_FAILED);
    return many;
}

static void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

struct result {
    int calls, status;
    enum capture_how how;
    const char *why;
    bool right; /* the registers are those of the thread's seed */
};

static bool has_registers(const struct stack_copy *stack, int seed)
{
    static const enum saved_register order[] = { SAVED_RBX, SAVED_RBP, SAVED_R12,
                                                 SAVED_R13, SAVED_R14, SAVED_R15 };
    const struct registers *registers = &stack->registers;
    bool right = registers->known == (1u << SAVED_COUNT) - 1 && stack->length >= 64;
    right &= registers->ip >= (uintptr_t)spin_first && registers->ip <= (uintptr_t)spin_last;
    for (int i = 0; i < 6; i++)
        right &= registers->saved[order[i]] == register_value(seed, i);
    return right;
}

static void asking(void *user, size_t index)
{
    (void)user, (void)index;
    abort(); /* nobody is asked from outside */
}

static bool taken(void *user, size_t index, int status, const struct captured *captured)
{
    struct result *result = &((struct result *)user)[index];
    result->calls++;
    result->status = status;
    result->how = captured->how;
    result->why = captured->why;
    result->right = status == 0 && has_registers(&captured->stack, (int)index);
    return true;
}

static int free_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

/* What comes of the first COUNT threads of PID, with no more than SPARE descriptors to do it. */
static void capture_many(pid_t pid, const struct many *many, int count, int spare,
                         struct result *results)
{
    struct rlimit before;
    struct target target;
    static struct thread_files files[MANY];
    struct capture_job jobs[MANY];
    assert_int_equal(target_open(&target, pid), 0);
    struct capture *capture = capture_new(&target, SIGNAL_NEVER);
    assert_non_null(capture);
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit few = { (rlim_t)(free_descriptor() + spare), before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    capture_begin(capture);
    memset(files, 0, sizeof files);
    memset(results, 0, (size_t)count * sizeof *results);
    for (int i = 0; i < count; i++)
        jobs[i] = (struct capture_job){ .tid = many->tids[i], .files = &files[i] };
    struct capture_run run = { .jobs = jobs,
                               .count = (size_t)count,
                               .deadline_ns = now_ns() + 60 * SECOND,
                               .user = results,
                               .asking = asking,
                               .taken = taken };
    capture_threads(capture, &run);
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < count; i++) {
        assert_int_equal(results[i].calls, 1);
        thread_files_close(capture, &files[i]);
    }
    capture_free(capture);
    target_close(&target);
}

/* How many were sampled; each of these is right, and every other one is said to run. */
static int count_sampled(const struct result *results, int count)
{
    int sampled = 0;
    for (int i = 0; i < count; i++) {
        assert_int_equal(results[i].status, 0);
        if (results[i].how == CAPTURE_PERF)
            assert_true(results[i].right);
        else if (results[i].how == CAPTURE_PARTIAL)
            assert_string_equal(results[i].why, "running");
        sampled += results[i].how == CAPTURE_PERF;
    }
    return sampled;
}

static void test_many_are_sampled_together(void **state)
{
    (void)state;
    if (!may_sample())
        skip();
    static struct result results[MANY];
    struct many *many = new_many();
    pid_t pid = start_spinning(many, MANY);
    uint64_t began = now_ns();
    capture_many(pid, many, MANY, 1000, results);
    uint64_t took = now_ns() - began;
    int sampled = count_sampled(results, MANY);
    print_message("%d of %d sampled in %.0f ms\n", sampled, MANY, (double)took / 1e6);
    assert_true(sampled > MANY / 2); /* they share the processors with us */
    end_process(pid);
}

/* One is for procfs: two are watched at a time. */
static void test_few_descriptors(void **state)
{
    (void)state;
    if (!may_sample())
        skip();
    enum { FEW = 8 };
    struct result results[FEW];
    struct many *many = new_many();
    pid_t pid = start_spinning(many, FEW);
    capture_many(pid, many, FEW, 3, results);
    assert_true(count_sampled(results, FEW) > FEW / 2);
    end_process(pid);
}

/* Refuses perf_event_open with ERROR to the calling process. */
static bool refuse(int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { sizeof rules / sizeof *rules, rules };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* A child that cannot sample says so; a thread that is off its processor at the right moment may
 * be captured all the same. */
static void assert_refused(pid_t spinning, const struct many *many, int error, const char *why)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct result results[3];
        if (!refuse(error))
            _exit(77);
        capture_many(spinning, many, 3, 1000, results);
        int right = 0;
        for (int i = 0; i < 3; i++)
            right += results[i].how == CAPTURE_PROCFS ||
                     (results[i].how == CAPTURE_PARTIAL && strcmp(results[i].why, why) == 0);
        for (int i = 0; right < 3 && i < 3; i++)
            fprintf(stderr, "how %d: %s\n", results[i].how, results[i].why);
        _exit(right == 3 ? 0 : 1);
    }
    assert_true(child_succeeds(pid));
}

static void test_what_is_refused_is_said(void **state)
{
    (void)state;
    struct many *many = new_many();
    pid_t pid = start_spinning(many, 3);
    assert_refused(pid, many, EACCES,
                   "running (perf_event_open is refused: kernel.perf_event_paranoid above 2, or "
                   "seccomp)");
    assert_refused(pid, many, ENOSYS, "running (this kernel has no perf_event_open)");
    assert_refused(pid, many, EMFILE, "running (no descriptor left to sample it)");
    end_process(pid);
}

/* ---- threads that come and go ---- */

static void *short_life(void *argument)
{
    uint64_t until = now_ns() + (uint64_t)(uintptr_t)argument;
    while (now_ns() < until)
        continue;
    return NULL;
}

static pid_t start_churning(void)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uintptr_t i = 1;; i++) {
        pthread_t threads[4];
        for (uintptr_t j = 0; j < 4; j++)
            pthread_create(&threads[j], NULL, short_life, (void *)((i + j) % 40 * 50000));
        for (size_t j = 0; j < 4; j++)
            pthread_join(threads[j], NULL);
    }
}

static void test_threads_end_while_watched(void **state)
{
    (void)state;
    struct lab lab;
    int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t pid = start_churning();
    assert_int_equal(lab_open(&lab, pid, SIGNAL_NEVER), 0);
    for (int i = 0; i < 200; i++)
        assert_true(send_dump(&lab, sink));
    lab_close(&lab);
    close(sink);
    end_process(pid);
}

/* ---- what is not in the copy ---- */

#if defined(__x86_64__)
/* As compilers write them: a function that has popped what it saved (its table goes on to name the
 * places), one whose frame hangs on the frame pointer, and the outermost. */
__asm__(".text\n"
        ".type on_its_way_out, @function\n"
        "on_its_way_out:\n    .cfi_startproc\n"
        "    push %rbp\n    .cfi_def_cfa_offset 16\n    .cfi_offset %rbp, -16\n"
        "    pop %rbp\n    .cfi_def_cfa_offset 8\n"
        "out_popped:\n"
        "    mov %rax, %rbp\n"
        "out_computes:\n"
        "    mov %rbp, %rax\n"
        "out_returns:\n"
        "    ret\n    .cfi_endproc\n    .size on_its_way_out, . - on_its_way_out\n"
        ".type framed, @function\n"
        "framed:\n    .cfi_startproc\n"
        "    push %rbp\n    .cfi_def_cfa_offset 16\n    .cfi_offset %rbp, -16\n"
        "    mov %rsp, %rbp\n    .cfi_def_cfa_register %rbp\n"
        "    sub $32, %rsp\n"
        "    call on_its_way_out\n"
        "framed_goes_on:\n"
        "    leave\n    .cfi_def_cfa %rsp, 8\n"
        "    ret\n    .cfi_endproc\n    .size framed, . - framed\n"
        ".type outermost, @function\n"
        "outermost:\n    .cfi_startproc\n    .cfi_undefined %rip\n"
        "    call framed\n"
        "outermost_goes_on:\n"
        "    hlt\n    .cfi_endproc\n    .size outermost, . - outermost\n");
extern const char out_popped[], out_computes[], out_returns[], framed_goes_on[],
    outermost_goes_on[];

/* The stack at IP, as the profiler copies it: nothing below the stack pointer. */
static void unwind_at(const char *ip, struct stack_trace *trace)
{
    uint64_t words[8] = { (uintptr_t)framed_goes_on };
    struct target target;
    words[5] = 0; /* the frame pointer of the outermost */
    words[6] = (uintptr_t)outermost_goes_on;
    struct stack_copy copy = { .low = (uintptr_t)words,
                               .length = sizeof words,
                               .bytes = (unsigned char *)words };
    copy.registers.ip = (uintptr_t)ip;
    copy.registers.sp = (uintptr_t)words;
    copy.registers.saved[SAVED_RBP] = (uintptr_t)&words[5];
    copy.registers.known = (1u << SAVED_COUNT) - 1;
    assert_int_equal(target_open(&target, 0), 0);
    struct modules *modules = modules_new(&target);
    assert_int_equal(modules_refresh(modules), 0);
    struct unwinder *unwinder = unwinder_new(&target, modules);
    unwind_stack(unwinder, &copy, trace);
    unwinder_free(unwinder);
    modules_free(modules);
    target_close(&target);
}
#endif

static void test_a_popped_register_is_the_callers(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static struct stack_trace trace;
    const char *const whole[] = { out_computes, out_returns };
    for (int i = 0; i < 2; i++) {
        unwind_at(whole[i], &trace);
        assert_null(trace.partial);
        assert_int_equal(trace.count, 3);
        assert_true(frame_address(trace.frames[1]) == (uintptr_t)framed_goes_on);
        assert_true(frame_address(trace.frames[2]) == (uintptr_t)outermost_goes_on);
    }
    unwind_at(out_popped, &trace); /* what follows changes it: it is not believed */
    assert_string_equal(trace.partial, "a register was saved below the copy of the stack");
    assert_int_equal(trace.count, 2);
#endif
}

int main(void)
{
#if !defined(__x86_64__)
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running_stacks_are_true),
        cmocka_unit_test(test_true_for_a_user_without_rights),
        cmocka_unit_test(test_many_are_sampled_together),
        cmocka_unit_test(test_few_descriptors),
        cmocka_unit_test(test_what_is_refused_is_said),
        cmocka_unit_test(test_threads_end_while_watched),
        cmocka_unit_test(test_a_popped_register_is_the_callers),
    };
    signal(SIGPIPE, SIG_IGN);
    symbolizer_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
