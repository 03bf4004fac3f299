/* test_thread_source.c proves that a dump holds every thread as it is, that a
 * thread which has not run costs nothing but a look at its counters, and that
 * nobody who is blocked notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "modules/modules.h"
#include "sources/task_list.h"
#include "sources/thread_facts.h"
#include "sources/threads.h"
#include "unwind/unwind.h"
#include "workers.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* Threads that are there anyway: the leader, which waits in pthread_join, and what a sanitizer
 * has running. */
static size_t others;

/* What looks at this process. */
struct looker {
    struct target *target; /* the source keeps its address */
    struct modules *modules;
    struct unwinder *unwinder;
    struct thread_source *source;
};

static struct looker looker_open(enum signal_mode mode)
{
    struct looker looker = { .target = calloc(1, sizeof *looker.target) };
    assert_non_null(looker.target);
    assert_int_equal(target_open(looker.target, 0), 0);
    looker.modules = modules_new(looker.target);
    looker.unwinder = unwinder_new(looker.target, looker.modules);
    looker.source = thread_source_new(looker.target, looker.modules, looker.unwinder, mode);
    assert_non_null(looker.source);
    return looker;
}

static void looker_close(struct looker *looker)
{
    thread_source_free(looker->source);
    unwinder_free(looker->unwinder);
    modules_free(looker->modules);
    target_close(looker->target);
    free(looker->target);
}

static struct thread_dump *take(struct looker *looker)
{
    struct thread_dump *dump = NULL;
    assert_int_equal(thread_source_dump(looker->source, 10 * SECOND, &dump), 0);
    assert_int_equal(dump->by_procfs + dump->by_signal + dump->partial, dump->count);
    assert_true(dump->kept <= dump->by_procfs);
    for (size_t i = 1; i < dump->count; i++)
        assert_true(dump->threads[i - 1].tid < dump->threads[i].tid);
    for (size_t i = 0; i < dump->count; i++)
        assert_true((dump->threads[i].how == CAPTURE_PARTIAL) == (dump->threads[i].why != NULL));
    return dump;
}

static const struct thread_sample *find(const struct thread_dump *dump, pid_t tid)
{
    for (size_t i = 0; i < dump->count; i++)
        if (dump->threads[i].tid == tid)
            return &dump->threads[i];
    return NULL;
}

static bool same_frames(const struct thread_sample *a, const struct thread_sample *b)
{
    return a->frame_count == b->frame_count &&
           memcmp(a->frames, b->frames, a->frame_count * sizeof *a->frames) == 0;
}

static void start_hanging(struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        worker_start(&workers[i], hang, NULL, (size_t)64 << 10);
    for (size_t i = 0; i < count; i++)
        assert_true(wait_for_state(workers[i].tid, 'S'));
}

static void stop_all(struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        worker_stop(&workers[i]);
}

static void test_still_threads_are_kept(void **state)
{
    (void)state;
    enum { MANY = 50 };
    static struct worker workers[MANY];
    start_hanging(workers, MANY);
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *first = take(&looker);
    assert_int_equal(first->count, MANY + others);
    assert_true(first->by_procfs >= MANY + 1);
    assert_int_equal(first->kept, 0);
    assert_true(first->listed_all);
    assert_null(first->hidden);
    assert_int_equal(thread_source_count(looker.source), MANY + others);
    for (int i = 0; i < 40; i++) {
        struct thread_dump *again = take(&looker);
        assert_true(again->kept >= MANY + 1);
        for (size_t j = 0; j < MANY; j++) {
            const struct thread_sample *sample = find(again, workers[j].tid);
            assert_true(same_frames(sample, find(first, workers[j].tid)));
            assert_int_equal(sample->syscall_number, SYS_futex);
        }
        thread_dump_free(again);
    }
    /* One of them is woken and hangs again at the same place: captured anew. */
    syscall(SYS_futex, &workers[7].stop, 1 /* FUTEX_WAKE */ | 128, 1, NULL, NULL, 0);
    sleep_ms(20);
    assert_true(wait_for_state(workers[7].tid, 'S'));
    struct thread_dump *after = take(&looker);
    assert_true(after->kept >= MANY && after->kept < MANY + others);
    assert_true(same_frames(find(after, workers[7].tid), find(first, workers[7].tid)));
    assert_true(find(after, workers[7].tid)->blocked_ns < find(after, workers[8].tid)->blocked_ns);
    thread_dump_free(after);

    /* After a trim everything is read anew, and the same. */
    thread_source_trim(looker.source);
    after = take(&looker);
    assert_int_equal(after->kept, 0);
    assert_true(same_frames(find(after, workers[7].tid), find(first, workers[7].tid)));
    thread_dump_free(after);
    thread_dump_free(first);
    looker_close(&looker);
    stop_all(workers, MANY);
}

static void test_equal_stacks_are_in_a_dump_once(void **state)
{
    (void)state;
    enum { MANY = 20 };
    static struct worker workers[MANY];
    start_hanging(workers, MANY);
    struct looker looker = looker_open(SIGNAL_AUTO);
    for (int round = 0; round < 3; round++) {
        struct thread_dump *dump = take(&looker);
        const struct thread_sample *one = find(dump, workers[0].tid);
        assert_true(one->frame_count >= 3);
        for (int i = 1; i < MANY; i++)
            assert_ptr_equal(find(dump, workers[i].tid)->frames, one->frames);
        thread_dump_free(dump);
    }
    looker_close(&looker);
    stop_all(workers, MANY);
}

/* The ways to wait that a signal would end with EINTR. */
struct waits {
    int event_fd;
    int epoll_fd;
    int sockets[2];
    int queue;
    int semaphores;
};

static void outcome(struct worker *worker, long result)
{
    worker->error = result < 0 ? errno : 0;
}

static void wait_epoll(struct worker *worker)
{
    struct waits *waits = worker->argument;
    struct epoll_event events[4];
    outcome(worker, epoll_wait(waits->epoll_fd, events, 4, 60000));
}

static void wait_poll(struct worker *worker)
{
    struct waits *waits = worker->argument;
    struct pollfd poll_fd = { .fd = waits->event_fd, .events = POLLIN };
    outcome(worker, poll(&poll_fd, 1, 60000));
}

static void wait_select(struct worker *worker)
{
    struct waits *waits = worker->argument;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(waits->event_fd, &set);
    struct timeval timeout = { .tv_sec = 60 };
    outcome(worker, select(waits->event_fd + 1, &set, NULL, NULL, &timeout));
}

static void wait_recv(struct worker *worker)
{
    struct waits *waits = worker->argument;
    struct timeval timeout = { .tv_sec = 60 };
    char byte;
    setsockopt(waits->sockets[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    outcome(worker, recv(waits->sockets[0], &byte, 1, 0));
}

struct message {
    long type;
    char text[8];
};

static void wait_msgrcv(struct worker *worker)
{
    struct waits *waits = worker->argument;
    struct message message;
    outcome(worker, msgrcv(waits->queue, &message, sizeof message.text, 0, 0));
}

static void wait_semop(struct worker *worker)
{
    struct waits *waits = worker->argument;
    struct sembuf down = { .sem_num = 0, .sem_op = -1 };
    outcome(worker, semop(waits->semaphores, &down, 1));
}

static void wait_nanosleep(struct worker *worker)
{
    struct timespec time = { .tv_sec = 4 };
    outcome(worker, nanosleep(&time, NULL));
}

static void end_waits(struct waits *waits)
{
    uint64_t one = 1;
    struct message message = { .type = 1 };
    struct sembuf up = { .sem_num = 0, .sem_op = 1 };
    assert_int_equal(write(waits->event_fd, &one, sizeof one), sizeof one);
    assert_int_equal(send(waits->sockets[1], "x", 1, 0), 1);
    assert_int_equal(msgsnd(waits->queue, &message, sizeof message.text, 0), 0);
    assert_int_equal(semop(waits->semaphores, &up, 1), 0);
}

static void test_nobody_who_waits_notices(void **state)
{
    (void)state;
    static void (*const bodies[])(struct worker *) = { wait_epoll,    wait_poll,   wait_select,
                                                       wait_recv,     wait_msgrcv, wait_semop,
                                                       wait_nanosleep };
    enum { WAYS = sizeof bodies / sizeof *bodies };
    static struct worker workers[WAYS];
    struct waits waits = {
        .event_fd = eventfd(0, 0),
        .epoll_fd = epoll_create1(0),
        .queue = msgget(IPC_PRIVATE, 0600),
        .semaphores = semget(IPC_PRIVATE, 1, 0600),
    };
    struct epoll_event event = { .events = EPOLLIN };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, waits.sockets), 0);
    assert_int_equal(epoll_ctl(waits.epoll_fd, EPOLL_CTL_ADD, waits.event_fd, &event), 0);
    for (int i = 0; i < WAYS; i++)
        worker_start(&workers[i], bodies[i], &waits, 0);
    for (int i = 0; i < WAYS; i++)
        assert_true(wait_for_state(workers[i].tid, 'S'));
    struct looker looker = looker_open(SIGNAL_AUTO);
    for (int round = 0; round < 300; round++) {
        struct thread_dump *dump = take(&looker);
        for (int i = 0; i < WAYS; i++) {
            const struct thread_sample *sample = find(dump, workers[i].tid);
            assert_int_equal(sample->how, CAPTURE_PROCFS);
            assert_true(sample->in_syscall);
        }
        thread_dump_free(dump);
        if (round % 2 == 0) /* else what is kept would answer for them */
            thread_source_trim(looker.source);
    }
    end_waits(&waits);
    for (int i = 0; i < WAYS; i++) {
        worker_join(&workers[i]);
        if (workers[i].error)
            fail_msg("way %d came back with %s", i, strerror(workers[i].error));
    }
    looker_close(&looker);
    msgctl(waits.queue, IPC_RMID, NULL);
    semctl(waits.semaphores, 0, IPC_RMID);
    close(waits.event_fd);
    close(waits.epoll_fd);
    close(waits.sockets[0]);
    close(waits.sockets[1]);
}

/* What the hypervisor took from all processors. */
static uint64_t stolen_ns(void)
{
    unsigned long long steal = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file && fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
        steal = 0;
    if (file)
        fclose(file);
    return steal * (SECOND / 100);
}

static void test_how_long_a_thread_is_blocked(void **state)
{
    (void)state;
    enum { MANY = 8 };
    static struct worker workers[MANY];
    start_hanging(workers, MANY);
    cpu_set_t set;
    for (int i = 0; i < MANY; i++) { /* on different processors, as far as there are */
        CPU_ZERO(&set);
        CPU_SET(i % 2, &set);
        sched_setaffinity(workers[i].tid, sizeof set, &set);
        syscall(SYS_futex, &workers[i].stop, 1 /* FUTEX_WAKE */ | 128, 1, NULL, NULL, 0);
    }
    sleep_ms(20);
    uint64_t since = now_ns();
    uint64_t stolen = stolen_ns();
    sleep_ms(3000);
    struct looker looker = looker_open(SIGNAL_AUTO);
    for (int round = 0; round < 3; round++) {
        uint64_t before = now_ns() - since;
        struct thread_dump *dump = take(&looker);
        uint64_t less =
            SECOND / 10 + stolen_ns() - stolen; /* what the hypervisor took is not seen */
        for (int i = 0; i < MANY; i++) {
            const struct thread_sample *sample = find(dump, workers[i].tid);
            assert_true(sample->blocked_known);
            if (sample->blocked_ns < before - less || sample->blocked_ns > before + SECOND / 10)
                fail_msg("blocked for %.3f s, expected %.3f s", (double)sample->blocked_ns / 1e9,
                         (double)before / 1e9);
        }
        thread_dump_free(dump);
        sleep_ms(200); /* the second and third are kept: no file tells */
    }
    looker_close(&looker);
    stop_all(workers, MANY);
}

static void test_a_running_thread_is_dumped(void **state)
{
    (void)state;
    struct worker running = { .seed = 3 };
    worker_start(&running, spin_with_registers, NULL, 0);
    wait_until_it_spins(&running);
    struct looker looker = looker_open(SIGNAL_AUTO);
    const struct thread_sample *sample = NULL;
    struct thread_dump *dump = NULL;
    for (int i = 0; i < 20; i++) {
        dump = take(&looker);
        sample = find(dump, running.tid);
        if (sample->how == CAPTURE_SIGNAL)
            break;
        thread_dump_free(dump);
    }
    assert_int_equal(sample->how, CAPTURE_SIGNAL);
    assert_int_equal(sample->state, 'R');
    assert_int_equal(sample->blocked_ns, 0);
    assert_false(sample->in_syscall);
    assert_true(sample->frame_count >= 4); /* spin, its caller, worker_main, start_thread ... */
    if (SPIN_HAS_REGISTERS) {
        assert_true(frame_address(sample->frames[0]) >= (uintptr_t)spin_first);
        assert_true(frame_address(sample->frames[0]) < (uintptr_t)spin_last);
        assert_true(sample->frames[0] & FRAME_EXACT);
    }
    assert_int_equal(dump->by_signal, 1);
    thread_dump_free(dump);
    looker_close(&looker);

    looker = looker_open(SIGNAL_NEVER);
    for (int i = 0; i < 20; i++) {
        dump = take(&looker);
        sample = find(dump, running.tid);
        if (sample->how == CAPTURE_PARTIAL)
            break;
        thread_dump_free(dump);
    }
    assert_int_equal(sample->how, CAPTURE_PARTIAL);
    assert_string_equal(sample->why, "running");
    assert_int_equal(sample->frame_count, 0);
    thread_dump_free(dump);
    looker_close(&looker);
    worker_stop(&running);
}

#define DEEP_BYTES 300000

static __attribute__((noinline)) void hang_below(struct worker *worker, volatile char *bytes)
{
    bytes[0] = 1;
    hang(worker);
    bytes[1] = 2;
}

static __attribute__((noinline)) void hang_deep(struct worker *worker)
{
    volatile char bytes[DEEP_BYTES];
    bytes[DEEP_BYTES - 1] = 0;
    hang_below(worker, bytes);
}

static __attribute__((noinline)) void spin_deep(struct worker *worker)
{
    volatile char bytes[DEEP_BYTES];
    bytes[0] = bytes[DEEP_BYTES - 1] = 0;
    spin_with_registers(worker);
    bytes[1] = 0;
}

static void test_frames_larger_than_the_copy(void **state)
{
    (void)state;
    struct worker deep = { .seed = 0 };
    struct worker shallow = { .seed = 0 };
    struct worker running = { .seed = 1 };
    worker_start(&deep, hang_deep, NULL, 0);
    worker_start(&shallow, hang, NULL, 0);
    assert_true(wait_for_state(deep.tid, 'S'));
    assert_true(wait_for_state(shallow.tid, 'S'));
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *dump = take(&looker);
    const struct thread_sample *sample = find(dump, deep.tid);
    const struct thread_sample *other = find(dump, shallow.tid);
    assert_int_equal(sample->how, CAPTURE_PROCFS);
    assert_int_equal(sample->frame_count, other->frame_count + 2);
    /* worker_main, start_thread and what is above are the same */
    assert_memory_equal(sample->frames + sample->frame_count - 3,
                        other->frames + other->frame_count - 3, 3 * sizeof *sample->frames);
    thread_dump_free(dump);

    /* A running thread copies no more than 64 KiB itself: that is said. */
    worker_start(&running, spin_deep, NULL, 0);
    wait_until_it_spins(&running);
    for (int i = 0; i < 20; i++) {
        dump = take(&looker);
        sample = find(dump, running.tid);
        if (sample->how == CAPTURE_PARTIAL)
            break;
        thread_dump_free(dump);
    }
    assert_int_equal(sample->how, CAPTURE_PARTIAL);
    assert_string_equal(sample->why, "stack longer than the copy");
    assert_true(sample->frame_count >= 2);
    thread_dump_free(dump);
    looker_close(&looker);
    worker_stop(&running);
    worker_stop(&shallow);
    worker_stop(&deep);
}

static void test_names_are_what_they_are(void **state)
{
    (void)state;
    static const char *const names[] = { "plain", "two words",       "a) S (b",
                                         "((((",  "))) R 1",         "new\nline",
                                         " lead", "fifteen-letters", "\xff\xfe" };
    enum { NAMES = sizeof names / sizeof *names };
    static struct worker workers[NAMES];
    start_hanging(workers, NAMES);
    for (int i = 0; i < NAMES; i++)
        assert_int_equal(pthread_setname_np(workers[i].thread, names[i]), 0);
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *dump = take(&looker);
    for (int i = 0; i < NAMES; i++) {
        assert_string_equal(find(dump, workers[i].tid)->name, names[i]);
        assert_int_equal(find(dump, workers[i].tid)->state, 'S');
    }
    thread_dump_free(dump);

    /* Named by others while it is still: seen at the next dump, then within 16. */
    assert_int_equal(pthread_setname_np(workers[0].thread, "second"), 0);
    dump = take(&looker);
    assert_string_equal(find(dump, workers[0].tid)->name, "second");
    thread_dump_free(dump);
    assert_int_equal(pthread_setname_np(workers[0].thread, "third\n"), 0);
    bool seen = false;
    for (int i = 0; i < 16 && !seen; i++) {
        dump = take(&looker);
        assert_true(dump->kept >= NAMES + 1);
        seen = strcmp(find(dump, workers[0].tid)->name, "third\n") == 0;
        thread_dump_free(dump);
    }
    assert_true(seen);
    looker_close(&looker);
    stop_all(workers, NAMES);
}

static void test_what_the_kernel_writes_is_understood(void **state)
{
    (void)state;
    static const char line[] = "77 (x) S 1) D 76 70 70 0 -1 4210752 1 2 3 4 5 6 7 8 20 0 5 0 4711 "
                               "99 100 101 1 1 0 0 0 0 0 4096 0 0 0 0 17 3 0 0 0 0 0\n";
    struct thread_facts facts;
    assert_true(thread_facts_parse(line, strlen(line), &facts));
    assert_string_equal(facts.name, "x) S 1");
    assert_int_equal(facts.state, 'D');
    assert_int_equal(facts.start_ticks, 4711);
    assert_int_equal(facts.processor, 3);
    assert_true(thread_is_kernels(&facts)); /* 4210752 is 0x404040, PF_USER_WORKER is 0x4000 */
    assert_false(thread_facts_parse("77 (x", 5, &facts));
    assert_false(thread_facts_parse("", 0, &facts));
    uint64_t start;
    assert_true(exec_start_parse("\nse.exec_start: (7, #threads: 1)\n"
                                 "----------------------------------------\n"
                                 "se.exec_start      :    581300.856270\nse.vruntime : 1.5\n",
                                 &start));
    assert_int_equal(start, UINT64_C(581300856270));
    assert_false(exec_start_parse("x (7, #threads: 1)\n", &start));
    assert_false(exec_start_parse("x\n---------------------\nse.exec_start : 0.000000\n", &start));
}

/* Threads that live for a moment, as fast as they can be made. */
static void *do_nothing(void *argument)
{
    return argument;
}

static void churn(struct worker *worker)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)64 << 10);
    while (!atomic_load(&worker->stop)) {
        pthread_t threads[8];
        int made = 0;
        while (made < 8 && pthread_create(&threads[made], &attributes, do_nothing, NULL) == 0)
            made++;
        worker->seed += made;
        while (made > 0)
            pthread_join(threads[--made], NULL);
    }
    pthread_attr_destroy(&attributes);
}

static void test_threads_come_and_go(void **state)
{
    (void)state;
    enum { MANY = 16, CHURNERS = 6 };
    static struct worker workers[MANY];
    static struct worker churners[CHURNERS];
    for (int i = 0; i < CHURNERS; i++)
        worker_start(&churners[i], churn, NULL, 0);
    start_hanging(workers, MANY);
    struct looker looker = looker_open(SIGNAL_AUTO);
    size_t complete = 0;
    size_t dumps = 0;
    for (uint64_t until = now_ns() + 6 * SECOND; now_ns() < until; dumps++) {
        /* The youngest stands in the kernel's list behind some that are about to end. */
        struct worker *youngest = &workers[dumps % MANY];
        worker_stop(youngest);
        worker_start(youngest, hang, NULL, (size_t)64 << 10);
        struct thread_dump *dump = take(&looker);
        complete += dump->listed_all;
        for (int i = 0; i < MANY; i++) {
            const struct thread_sample *sample = find(dump, workers[i].tid);
            if (!sample && dump->listed_all)
                fail_msg("a thread is missing from dump %zu, which claims to have all", dumps);
            if (sample && &workers[i] != youngest)
                assert_int_equal(sample->how, CAPTURE_PROCFS);
        }
        thread_dump_free(dump);
    }
    int came = 0;
    for (int i = 0; i < CHURNERS; i++) {
        worker_stop(&churners[i]);
        came += churners[i].seed;
    }
    print_message("%zu dumps, %zu complete; %d threads came and went\n", dumps, complete, came);
    assert_true(complete > dumps / 2);
    looker_close(&looker);
    stop_all(workers, MANY);
}

static void test_the_budget_ends_a_dump(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static struct worker workers[MANY];
    start_hanging(workers, MANY);
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *dump = NULL;
    assert_int_equal(thread_source_dump(looker.source, 1000000, &dump), 0);
    assert_int_equal(dump->count, MANY + others);
    assert_true(dump->listed_all);
    assert_true(dump->partial > 0);
    size_t late = 0;
    for (size_t i = 0; i < dump->count; i++)
        late += dump->threads[i].how == CAPTURE_PARTIAL &&
                strcmp(dump->threads[i].why, "time budget used up") == 0;
    assert_int_equal(late, dump->partial);
    thread_dump_free(dump);
    assert_int_equal(thread_source_dump(looker.source, 0, &dump), 0);
    assert_int_equal(dump->partial, MANY + others);
    thread_dump_free(dump);
    dump = take(&looker); /* and the next one is whole */
    assert_true(dump->by_procfs >= MANY + 1);
    thread_dump_free(dump);
    looker_close(&looker);
    stop_all(workers, MANY);
}

/* Has the next thread get id TID, if this user may choose. */
static bool choose_next_tid(pid_t tid)
{
    FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "we");
    if (!file)
        return false;
    bool written = fprintf(file, "%d", (int)tid - 1) > 0;
    return fclose(file) == 0 && written;
}

static __attribute__((noinline)) void hang_elsewhere(struct worker *worker)
{
    hang_below(worker, (volatile char[2]){ 0, 0 });
}

static void test_another_thread_with_the_same_id(void **state)
{
    (void)state;
    struct worker worker = { .seed = 0 };
    worker_start(&worker, hang, NULL, 0);
    assert_true(wait_for_state(worker.tid, 'S'));
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *first = take(&looker);
    pid_t tid = worker.tid;
    worker_stop(&worker);
    for (int i = 0; i < 100; i++) {
        if (!choose_next_tid(tid)) {
            print_message("this user cannot choose thread ids\n");
            break;
        }
        worker_start(&worker, hang_elsewhere, NULL, 0);
        assert_true(wait_for_state(worker.tid, 'S'));
        if (worker.tid == tid)
            break;
        worker_stop(&worker);
    }
    if (worker.tid == tid) {
        struct thread_dump *second = take(&looker);
        assert_non_null(find(second, tid));
        assert_int_equal(find(second, tid)->frame_count, find(first, tid)->frame_count + 2);
        assert_true(find(second, tid)->blocked_ns < find(second, getpid())->blocked_ns);
        thread_dump_free(second);
        worker_stop(&worker);
    }
    thread_dump_free(first);
    looker_close(&looker);
}

static int read_a_byte(void *argument)
{
    const int *pipe_fds = argument;
    char byte;
    close(pipe_fds[1]); /* in our table: so that the read ends with the test, whatever happens */
    while (read(pipe_fds[0], &byte, 1) < 0)
        continue;
    _exit(0);
}

/* Who waits for a child that has its memory, as posix_spawn does, is in uninterruptible sleep. */
static void wait_as_in_vfork(struct worker *worker)
{
    static char stack[65536] __attribute__((aligned(16)));
    pid_t child = clone(read_a_byte, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
                        worker->argument);
    outcome(worker, waitpid(child, NULL, 0));
}

static void test_uninterruptible_sleep(void **state)
{
    (void)state;
    if (UNDER_THREAD_SANITIZER)
        skip();
    int pipe_fds[2];
    struct worker worker = { .seed = 0 };
    assert_int_equal(pipe(pipe_fds), 0);
    worker_start(&worker, wait_as_in_vfork, pipe_fds, 0);
    assert_true(wait_for_state(worker.tid, 'D'));
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *dump = take(&looker);
    const struct thread_sample *sample = find(dump, worker.tid);
    assert_int_equal(sample->state, 'D');
    assert_true(sample->how != CAPTURE_SIGNAL);
    assert_true(sample->frame_count >= 1); /* glibc's clone has no unwind table at this place */
    assert_string_equal(syscall_name(sample->syscall_number), "clone");
    thread_dump_free(dump);
    looker_close(&looker);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    worker_join(&worker);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* The tid of the thread whose name begins with PREFIX, or 0. */
static pid_t named(const struct thread_dump *dump, const char *prefix)
{
    for (size_t i = 0; i < dump->count; i++)
        if (strncmp(dump->threads[i].name, prefix, strlen(prefix)) == 0)
            return dump->threads[i].tid;
    return 0;
}

static void test_a_worker_of_the_kernel(void **state)
{
    (void)state;
    struct io_uring_params parameters = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1 };
    int fd = (int)syscall(SYS_io_uring_setup, 8, &parameters);
    if (fd < 0) {
        print_message("no io_uring here: %s\n", strerror(errno));
        skip();
    }
    sleep_ms(100);
    struct looker looker = looker_open(SIGNAL_AUTO);
    for (int i = 0; i < 2; i++) {
        struct thread_dump *dump = take(&looker);
        const struct thread_sample *sample = find(dump, named(dump, "iou-sqp-"));
        assert_non_null(sample);
        assert_int_equal(sample->how, CAPTURE_PARTIAL);
        assert_string_equal(sample->why, "kernel worker, no user stack");
        assert_int_equal(sample->frame_count, 0);
        thread_dump_free(dump);
    }
    looker_close(&looker);
    close(fd);
}

/* A process whose leader has ended: its thread looks. */
static void *outlive(void *argument)
{
    struct worker worker = { .seed = 0 };
    struct looker looker;
    (void)argument;
    wait_for_state(getpid(), 'Z');
    worker_start(&worker, hang, NULL, 0);
    wait_for_state(worker.tid, 'S');
    looker = looker_open(SIGNAL_AUTO);
    bool right = true;
    for (int i = 0; i < 3; i++) {
        struct thread_dump *dump = take(&looker);
        const struct thread_sample *leader = find(dump, getpid());
        const struct thread_sample *other = find(dump, worker.tid);
        right = right && leader && other && dump->listed_all && leader->state == 'Z' &&
                leader->how == CAPTURE_PARTIAL && strcmp(leader->why, "thread has exited") == 0 &&
                other->how == CAPTURE_PROCFS && other->frame_count >= 3;
        thread_dump_free(dump);
    }
    _exit(right ? 0 : 1);
}

static void test_the_leader_has_ended(void **state)
{
    (void)state;
    assert_true(play_scene("leader ends", 30));
}

static bool play_not_dumpable(void)
{
    enum { MANY = 40 };
    static struct worker workers[MANY];
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return false;
    prctl(PR_SET_DUMPABLE, 0);
    start_hanging(workers, MANY);
    sleep_ms(300);
    struct looker looker = looker_open(SIGNAL_AUTO);
    struct thread_dump *dump = take(&looker);
    bool right = dump->by_signal >= MANY + 1 && dump->hidden;
    for (size_t i = 0; i < MANY; i++) {
        const struct thread_sample *sample = find(dump, workers[i].tid);
        right = right && sample->how == CAPTURE_SIGNAL && sample->frame_count >= 3 &&
                sample->state == 'S' && sample->blocked_ns > SECOND / 10; /* read before asking */
    }
    thread_dump_free(dump);
    looker_close(&looker);
    looker = looker_open(SIGNAL_NEVER);
    dump = take(&looker);
    right = right && dump->partial == dump->count && dump->threads[0].frame_count == 0;
    thread_dump_free(dump);
    looker_close(&looker);
    return right;
}

static void test_a_process_that_is_not_dumpable(void **state)
{
    (void)state;
    assert_true(play_scene("not dumpable", 30));
}

/* Another process, which does not know of it. */
static void test_another_process(void **state)
{
    (void)state;
    if (UNDER_THREAD_SANITIZER)
        skip();
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static struct worker workers[3];
        start_hanging(workers, 2);
        worker_start(&workers[2], spin_with_registers, NULL, 0);
        if (write(pipe_fds[1], "x", 1) != 1)
            _exit(1);
        alarm(60);
        pause();
        _exit(1);
    }
    char byte;
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    struct target target;
    assert_int_equal(target_open(&target, child), 0);
    struct modules *modules = modules_new(&target);
    struct unwinder *unwinder = unwinder_new(&target, modules);
    struct thread_source *source = thread_source_new(&target, modules, unwinder, SIGNAL_AUTO);
    struct thread_dump *dump;
    assert_true(wait_for_state(gettid(), 'R'));
    sleep_ms(50);
    assert_int_equal(thread_source_dump(source, SECOND, &dump), 0);
    assert_true(dump->count >= 4);
    assert_int_equal(thread_source_count(source), dump->count);
    assert_int_equal(dump->by_signal, 0);
    assert_true(dump->by_procfs >= 3);
    for (size_t i = 0; i < dump->count; i++) {
        const struct thread_sample *sample = &dump->threads[i];
        assert_true(sample->how == CAPTURE_PARTIAL || sample->frame_count >= 2);
        assert_true(sample->blocked_known);
    }
    thread_dump_free(dump);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(thread_source_dump(source, SECOND, &dump) == -ESRCH);
    assert_true(thread_source_count(source) < 0);
    thread_source_free(source);
    unwinder_free(unwinder);
    modules_free(modules);
    target_close(&target);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void test_names_of_system_calls(void **state)
{
    (void)state;
    assert_string_equal(syscall_name(SYS_futex), "futex");
    assert_string_equal(syscall_name(SYS_read), "read");
    assert_string_equal(syscall_name(SYS_epoll_pwait), "epoll_pwait");
    assert_null(syscall_name(-1));
    assert_null(syscall_name(100000));
}

static int all_tests(void)
{
    struct target target;
    if (target_open(&target, 0) != 0)
        return 1;
    others = (size_t)task_count(&target);
    target_close(&target);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_still_threads_are_kept),
        cmocka_unit_test(test_equal_stacks_are_in_a_dump_once),
        cmocka_unit_test(test_nobody_who_waits_notices),
        cmocka_unit_test(test_how_long_a_thread_is_blocked),
        cmocka_unit_test(test_a_running_thread_is_dumped),
        cmocka_unit_test(test_frames_larger_than_the_copy),
        cmocka_unit_test(test_names_are_what_they_are),
        cmocka_unit_test(test_what_the_kernel_writes_is_understood),
        cmocka_unit_test(test_threads_come_and_go),
        cmocka_unit_test(test_the_budget_ends_a_dump),
        cmocka_unit_test(test_another_thread_with_the_same_id),
        cmocka_unit_test(test_uninterruptible_sleep),
        cmocka_unit_test(test_a_worker_of_the_kernel),
        cmocka_unit_test(test_the_leader_has_ended),
        cmocka_unit_test(test_a_process_that_is_not_dumpable),
        cmocka_unit_test(test_another_process),
        cmocka_unit_test(test_names_of_system_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int count, char **arguments)
{
    static const struct scene scenes[] = { { "not dumpable", play_not_dumpable } };
    pthread_t thread;
    if (count == 3 && strcmp(arguments[1], "leader ends") == 0) {
        alarm(30);
        if (pthread_create(&thread, NULL, outlive, NULL) != 0)
            return 1;
        syscall(SYS_exit, 0); /* of this thread, as pthread_exit does in the end */
    }
    scenes_main(count, arguments, scenes, sizeof scenes / sizeof *scenes);
    return run_as_listener(all_tests);
}
