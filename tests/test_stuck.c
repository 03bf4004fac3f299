/* test_stuck.c proves that a diagnosis finds what is stuck, says it with the right figures, and
 * finds nothing in a service whose threads only wait for work.
 *
 * The waits are real; that they have lasted for an hour is made up, by moving the clocks of the
 * dump. Each scene is a process of its own (this program, called with its name). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/sink.h"
#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "stuck/stuck.h"
#include "views/stuck_view.h"
#include "waits/waits.h"
#include "workers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define HOUR UINT64_C(3600000000000)

static void start(const char *name, void *(*body)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument))
        abort();
    pthread_setname_np(thread, name);
    pthread_detach(thread);
}

static void settle(void)
{
    sleep_ms(200);
}

/* ---- a diagnosis ---- */

static struct lab lab;

struct looked {
    struct picture *picture;
    struct stuck_facts facts;
    struct stuck_list *list;
};

/* What waits in pipes is for a thread with a table of its own to see, as the listener is. */
static void look_into_pipes(struct fd_dump *fds)
{
    for (size_t i = 0; i < fds->count; i++) {
        struct descriptor *descriptor = &fds->descriptors[i];
        int waiting = 0;
        if (strcmp(descriptor->kind, "pipe") != 0 || descriptor->access != O_RDONLY)
            continue;
        descriptor->queues_known = ioctl(descriptor->fd, FIONREAD, &waiting) == 0;
        descriptor->unread = (uint64_t)waiting;
    }
}

/* As if everybody had been blocked for BLOCKED_NS longer, and it were LATER_NS later. */
static struct looked look(uint64_t blocked_ns, uint64_t later_ns)
{
    struct looked looked = { 0 };
    assert_int_equal(picture_take(&lab, true, &looked.picture), 0);
    struct thread_dump *threads = looked.picture->threads;
    for (size_t i = 0; i < threads->count; i++)
        if (threads->threads[i].state != 'R')
            threads->threads[i].blocked_ns += blocked_ns;
    looked.picture->fds->monotonic_ns += later_ns;
    look_into_pipes(looked.picture->fds);
    looked.facts = (struct stuck_facts){
        .threads = threads,
        .waits = looked.picture->waits,
        .fds = looked.picture->fds,
        .tracking = tracking_refresh(lab.tracking) ? lab.tracking : NULL,
        .symbolizer = lab.symbolizer,
    };
    looked.list = stuck_find(lab.stuck, &looked.facts);
    assert_non_null(looked.list);
    return looked;
}

static void look_away(struct looked *looked)
{
    stuck_free(looked->list);
    picture_free(looked->picture);
}

static void print_all(const struct looked *looked)
{
    struct sink_buffer text;
    sink_buffer_init(&text);
    stuck_write_text(&text.sink, looked->list, &looked->facts);
    fprintf(stderr, "%s", text.bytes);
    sink_buffer_free(&text);
}

static void expect_count(const struct looked *looked, size_t count)
{
    if (looked->list->count == count)
        return;
    print_all(looked);
    fail_msg("%zu findings, expected %zu", looked->list->count, count);
}

/* Without tracking, as in builds for sanitizers, no opener is known: PATTERN without its words. */
static char *known_part(const struct looked *looked, const char *pattern)
{
    static const char begin[] = ", opened by ";
    static const char end[] = ".c:*";
    char *copy = strdup(pattern);
    char *opener = looked->facts.tracking ? NULL : strstr(copy, begin);
    char *after = opener ? strstr(opener, end) : NULL;
    if (after)
        memmove(opener, after + strlen(end), strlen(after + strlen(end)) + 1);
    return copy;
}

/* Finding INDEX is of KIND, and its sentence is PATTERN, in which a * stands for anything. */
static const struct finding *expect(const struct looked *looked, size_t index,
                                    enum finding_kind kind, const char *pattern)
{
    if (index >= looked->list->count) {
        print_all(looked);
        fail_msg("finding %zu is not there: %s", index + 1, pattern);
    }
    const struct finding *finding = &looked->list->findings[index];
    const char *at = finding->sentence;
    bool good = finding->kind == kind;
    char *copy = known_part(looked, pattern);
    bool open_end = copy[0] && copy[strlen(copy) - 1] == '*';
    char *rest = copy;
    bool first = true;
    for (char *part; good && (part = strsep(&rest, "*")) != NULL; first = false) {
        const char *found = strstr(at, part);
        good = found && (!first || found == at);
        at = found ? found + strlen(part) : at;
    }
    good = good && (*at == 0 || open_end);
    free(copy);
    if (!good) {
        print_all(looked);
        fail_msg("finding %zu is \"%s\", expected \"%s\"", index + 1, finding->sentence, pattern);
    }
    return finding;
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((in_port_t)port);
    return address;
}

/* A peer in another process, which accepts everybody, and then writes BYTES and, if CLOSES, ends
 * its side. Returns its port. */
static int peer(size_t bytes, bool closes)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        abort();
    if (fork() == 0) {
        static char zeros[4096];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int accepted = accept(fd, NULL, NULL);
            if (bytes > 0 && write(accepted, zeros, bytes) != (ssize_t)bytes)
                abort();
            if (closes)
                shutdown(accepted, SHUT_WR);
        }
    }
    close(fd);
    return ntohs(address.sin_port);
}

static NOINLINE int call_peer(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        abort();
    return fd;
}

static void *reads(void *fd)
{
    char byte;
    recv((int)(intptr_t)fd, &byte, 1, 0);
    abort();
}

static void *writes(void *fd)
{
    static char zeros[1 << 20];
    if (write((int)(intptr_t)fd, zeros, sizeof zeros) >= 0)
        abort();
    return NULL;
}

/* ---- scenes ---- */

static pthread_mutex_t idle_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle_cond = PTHREAD_COND_INITIALIZER;

static void *waits_for_work(void *unused)
{
    pthread_mutex_lock(&idle_mutex);
    for (;;)
        pthread_cond_wait(&idle_cond, &idle_mutex);
    return unused;
}

static void *loops_in_epoll(void *unused)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd(0, EFD_CLOEXEC), &event);
    epoll_wait(epoll, &event, 1, -1);
    return unused;
}

static void *accepts(void *unused)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(fd, (struct sockaddr *)&address, sizeof address);
    listen(fd, 8);
    getsockname(fd, (struct sockaddr *)&address, &length);
    if (fork() == 0) { /* a client that keeps its connection and says nothing */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        call_peer(ntohs(address.sin_port));
        for (;;)
            pause();
    }
    start("handler", reads, (void *)(intptr_t)accept(fd, NULL, NULL));
    accept(fd, NULL, NULL);
    return unused;
}

static void *accepts_locally(void *unused)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "snag-idle-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(fd, (struct sockaddr *)&address, sizeof address);
    listen(fd, 8);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connect(client, (struct sockaddr *)&address, sizeof address);
    start("handler", reads, (void *)(intptr_t)accept(fd, NULL, NULL));
    accept(fd, NULL, NULL);
    return unused;
}

static void *waits_for_signals(void *unused)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &number);
    return unused;
}

static void *waits_for_a_timer(void *unused)
{
    uint64_t count;
    struct itimerspec time = { .it_value = { 7200, 0 } };
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(fd, 0, &time, NULL);
    if (read(fd, &count, sizeof count) < 0)
        abort();
    return unused;
}

static void *reads_orders(void *unused)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0 || read(ends[0], &byte, 1) < 0)
        abort();
    return unused;
}

static void *reads_pair(void *unused)
{
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    return reads((void *)(intptr_t)ends[0]) ? unused : NULL;
}

static void *polls(void *unused)
{
    struct pollfd fds[2] = { { eventfd(0, EFD_CLOEXEC), POLLIN, 0 },
                             { eventfd(0, EFD_CLOEXEC), POLLIN, 0 } };
    poll(fds, 2, -1);
    return unused;
}

static void *waits_for_a_post(void *unused)
{
    static sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    sem_wait(&semaphore);
    return unused;
}

static void *waits_for_the_others(void *unused)
{
    static pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void *sleeps(void *unused)
{
    sleep(7200);
    return unused;
}

static void *waits_for_a_child(void *unused)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    waitpid(pid, NULL, 0);
    return unused;
}

static void *joins(void *unused)
{
    pthread_t thread;
    pthread_create(&thread, NULL, waits_for_work, NULL);
    pthread_join(thread, NULL);
    return unused;
}

static void scene_idle(void)
{
    for (int i = 0; i < 8; i++)
        start("pool", waits_for_work, NULL);
    void *(*const others[])(void *) = { loops_in_epoll,
                                        accepts,
                                        accepts_locally,
                                        waits_for_signals,
                                        waits_for_a_timer,
                                        reads_orders,
                                        reads_pair,
                                        polls,
                                        waits_for_a_post,
                                        waits_for_the_others,
                                        sleeps,
                                        waits_for_a_child,
                                        joins };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        start("idle", others[i], NULL);
    settle();
    for (uint64_t later = 0; later < 3; later++) {
        struct looked looked = look(HOUR, later * HOUR);
        expect_count(&looked, 0);
        assert_true(looked.facts.threads->count >= 24);
        look_away(&looked);
    }
}

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void *locks_a_b(void *unused)
{
    pthread_mutex_lock(&a);
    sleep_ms(50);
    pthread_mutex_lock(&b);
    return unused;
}

static void *locks_b_a(void *unused)
{
    pthread_mutex_lock(&b);
    sleep_ms(50);
    pthread_mutex_lock(&a);
    return unused;
}

static void *locks_a(void *unused)
{
    sleep_ms(100);
    pthread_mutex_lock(&a);
    return unused;
}

static void scene_deadlock(void)
{
    start("first", locks_a_b, NULL);
    start("second", locks_b_a, NULL);
    for (int i = 0; i < 3; i++)
        start("third", locks_a, NULL);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 1);
    const struct finding *finding =
        expect(&looked, 0, FINDING_DEADLOCK,
               "threads first and second wait for each other and can never go on; 3 more threads "
               "wait behind");
    assert_int_equal(finding->thread_count, 5);
    assert_int_equal(finding->cycle, 0);
    look_away(&looked);
}

static void *locks_and_ends(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

static void *locks(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

static void scene_lost(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, locks_and_ends, &a);
    pthread_join(thread, NULL);
    for (int i = 0; i < 4; i++)
        start("waiter", locks, &a);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 1);
    const struct finding *finding =
        expect(&looked, 0, FINDING_LOST_LOCK,
               "4 threads can never go on: the thread that locked the mutex a is gone");
    assert_int_equal(finding->thread_count, 4);
    look_away(&looked);
}

static void *calls_with_lock(void *port)
{
    pthread_mutex_lock(&a);
    return reads((void *)(intptr_t)call_peer((int)(intptr_t)port));
}

static void scene_behind(void)
{
    int port = peer(0, false);
    char pattern[256];
    start("holder", calls_with_lock, (void *)(intptr_t)port);
    sleep_ms(100);
    for (int i = 0; i < 12; i++)
        start("waiter", locks, &a);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 0); /* not yet */
    look_away(&looked);
    looked = look(HOUR, 0);
    expect_count(&looked, 1);
    snprintf(pattern, sizeof pattern,
             "12 threads have waited for up to 60 min for a mutex held by holder, which has been "
             "in "
             "recvfrom() for 60 min on tcp 127.0.0.1:%d ESTABLISHED",
             port);
    const struct finding *finding = expect(&looked, 0, FINDING_BEHIND, pattern);
    assert_int_equal(finding->thread_count, 12);
    assert_string_equal(looked.facts.threads->threads[finding->holder].name, "holder");
    look_away(&looked);
}

/* ---- pools ---- */

static int listening(void)
{
    struct sockaddr_in address = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        abort();
    return fd;
}

static void accepts_one(void)
{
    accept(listening(), NULL, NULL);
}

static void polls_one_listener(void)
{
    struct pollfd one = { listening(), POLLIN, 0 };
    poll(&one, 1, -1);
}

static void polls_two(void)
{
    polls(NULL);
}

static void selects_two(void)
{
    int fds[] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    FD_SET(fds[1], &set);
    select((fds[0] > fds[1] ? fds[0] : fds[1]) + 1, &set, NULL, NULL, NULL);
}

static void loops(void)
{
    loops_in_epoll(NULL);
}

static void sleeps_long(void)
{
    sleep(7200);
}

static void polls_one_peer(void)
{
    struct pollfd one = { call_peer(peer(0, false)), POLLIN, 0 };
    poll(&one, 1, -1);
}

/* A pool whose threads take turns at `what` under a mutex, or a rwlock. */
struct turns {
    void (*what)(void);
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
};

static void *takes_turns(void *argument)
{
    struct turns *turns = argument;
    pthread_mutex_lock(&turns->mutex);
    turns->what();
    abort();
}

static void *writes_in_turns(void *argument)
{
    struct turns *turns = argument;
    pthread_rwlock_wrlock(&turns->rwlock);
    turns->what();
    abort();
}

/* The holder is the first to start. */
static void start_pool(struct turns *turns, void *(*body)(void *), const char *holder)
{
    start(holder, body, turns);
    sleep_ms(100);
    for (int i = 0; i < 3; i++)
        start("follower", body, turns);
}

#define TURNS(what)                                                                                \
    {                                                                                              \
        (what), PTHREAD_MUTEX_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER                              \
    }

/* Whoever waits for a lock whose holder waits for work is at work, too. */
static void scene_pools(void)
{
    static struct turns mutexes[] = { TURNS(accepts_one), TURNS(polls_one_listener),
                                      TURNS(polls_two), TURNS(selects_two), TURNS(loops) };
    static struct turns rwlock = TURNS(accepts_one);
    size_t count = sizeof mutexes / sizeof *mutexes;
    for (size_t i = 0; i < count; i++)
        start_pool(&mutexes[i], takes_turns, "leader");
    start_pool(&rwlock, writes_in_turns, "leader");
    settle();
    struct looked looked = look(HOUR, 0);
    expect_count(&looked, 0);
    assert_true(looked.facts.threads->count >= 4 * (count + 1));
    look_away(&looked);
}

/* ... and whoever waits for one whose holder waits for anything else is not. */
static void scene_no_pools(void)
{
    static struct turns peer_polled = TURNS(polls_one_peer), asleep = TURNS(sleeps_long);
    start_pool(&peer_polled, takes_turns, "asks");
    start_pool(&asleep, writes_in_turns, "sleeps");
    settle();
    struct looked looked = look(HOUR, 0);
    expect_count(&looked, 2);
    bool sleep_first = strstr(looked.list->findings[0].sentence, "sleeps,") != NULL;
    expect(&looked, sleep_first ? 0 : 1, FINDING_BEHIND,
           "3 threads have waited for up to 60 min for a rwlock held by sleeps, which "
           "has been in * for 60 min, waiting for a sleep");
    expect(&looked, sleep_first ? 1 : 0, FINDING_BEHIND,
           "3 threads have waited for up to 60 min for a mutex held by asks, which "
           "has been in poll() for 60 min on tcp 127.0.0.1:* ESTABLISHED");
    look_away(&looked);
}

/* ---- chains ---- */

static void *locks_a_then(void *other)
{
    pthread_mutex_lock(&b);
    pthread_mutex_lock(other);
    return NULL;
}

/* One waits for one who waits for one who works. */
static void *spins_with_lock(void *unused)
{
    pthread_mutex_lock(&a);
    for (;;)
        __asm__ volatile("" ::: "memory");
    return unused;
}

static void scene_chain(void)
{
    start("worker", spins_with_lock, NULL);
    sleep_ms(50);
    start("middle", locks_a_then, &a);
    sleep_ms(50);
    start("last", locks, &b);
    settle();
    struct looked looked = look(HOUR, 0);
    expect_count(&looked, 1);
    const struct finding *finding =
        expect(&looked, 0, FINDING_BEHIND,
               "2 threads have waited for up to 60 min for locks that in the end wait for worker, "
               "which is running");
    assert_int_equal(finding->thread_count, 2);
    look_away(&looked);
}

static void *calls(void *port)
{
    return reads((void *)(intptr_t)call_peer((int)(intptr_t)port));
}

static void scene_blocked(void)
{
    int port = peer(0, false);
    int other = peer(0, false);
    int ends[2];
    char pattern[256];
    for (int i = 0; i < 5; i++)
        start("client", calls, (void *)(intptr_t)port);
    start("client", calls, (void *)(intptr_t)other);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    start("writer", writes, (void *)(intptr_t)ends[1]);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 0);
    look_away(&looked);
    looked = look(20 * UINT64_C(60000000000), 0);
    expect_count(&looked, 3);
    snprintf(pattern, sizeof pattern,
             "5 threads have been in recvfrom() for up to 20 min on tcp 127.0.0.1:%d ESTABLISHED, "
             "opened by call_peer() in test_stuck.c:*",
             port);
    const struct finding *finding = expect(&looked, 0, FINDING_BLOCKED, pattern);
    assert_int_equal(finding->thread_count, 5);
    assert_int_equal(finding->fd_count, 5);
    assert_int_equal(finding->opener != NULL, looked.facts.tracking != NULL);
    bool pipe_first = strstr(looked.list->findings[1].sentence, "pipe") != NULL;
    finding = expect(&looked, pipe_first ? 1 : 2, FINDING_BLOCKED,
                     "thread writer has been in write() for 20 min on a full pipe, opened by "
                     "scene_blocked() in test_stuck.c:*");
    assert_int_equal(finding->fds[0], ends[1]);
    look_away(&looked);
}

/* A page that nobody brings; false: the system lets nobody make one. */
static volatile char *missing_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = { .api = UFFD_API };
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = { .range = { (uintptr_t)page, size },
                                     .mode = UFFDIO_REGISTER_MODE_MISSING };
    if (fd < 0 || page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) < 0 ||
        ioctl(fd, UFFDIO_REGISTER, &range) < 0)
        return NULL;
    return page;
}

static NOINLINE void *touches(void *page)
{
    char byte = *(volatile char *)page;
    return (void *)(intptr_t)byte;
}

static void *touches_with_lock(void *page)
{
    pthread_mutex_lock(&b);
    return touches(page);
}

/* Outside of any system call, and asleep. */
static void scene_page_fault(void)
{
    volatile char *page = missing_page();
    if (!page) {
        print_message("not here: userfaultfd: %s\n", strerror(errno));
        return;
    }
    start("toucher", touches, (void *)(uintptr_t)page);
    start("holder", touches_with_lock, (void *)(uintptr_t)page);
    sleep_ms(100);
    start("waiter", locks, &b);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 0);
    look_away(&looked);
    looked = look(HOUR, 0);
    expect_count(&looked, 2);
    expect(&looked, 0, FINDING_BEHIND,
           "thread waiter has waited for 60 min for a mutex held by holder, which has been in "
           "a page fault for 60 min");
    expect(&looked, 1, FINDING_BLOCKED, "2 threads have been in a page fault for up to 60 min");
    struct sink_buffer text;
    sink_buffer_init(&text);
    stuck_write_text(&text.sink, looked.list, &looked.facts);
    assert_non_null(strstr(text.bytes, "\"toucher\" in page fault for 60 min"));
    assert_non_null(strstr(text.bytes, "waiting for memory page"));
    assert_null(strstr(text.bytes, " sleeping"));
    sink_buffer_free(&text);
    look_away(&looked);
}

static void scene_close_wait(void)
{
    int port = peer(1000, true);
    char pattern[256];
    for (int i = 0; i < 12; i++)
        call_peer(port);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 1);
    snprintf(pattern, sizeof pattern,
             "12 sockets to 127.0.0.1:%d are in CLOSE_WAIT: the peer has closed and this process "
             "has not; 12 kB unread, opened by call_peer() in test_stuck.c:*; no thread waits on "
             "them",
             port);
    const struct finding *finding = expect(&looked, 0, FINDING_CLOSE_WAIT, pattern);
    assert_int_equal(finding->fd_count, 12);
    assert_int_equal(finding->bytes, 12000);
    look_away(&looked);
}

/* A few only when they stay. */
static void scene_few_close_wait(void)
{
    int port = peer(0, true);
    char pattern[256];
    int fds[2] = { call_peer(port), call_peer(port) };
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 0);
    look_away(&looked);
    looked = look(0, 40 * UINT64_C(1000000000));
    expect_count(&looked, 1);
    snprintf(pattern, sizeof pattern,
             "2 sockets to 127.0.0.1:%d are in CLOSE_WAIT: the peer has closed and this process "
             "has not, for at least 40 s*",
             port);
    expect(&looked, 0, FINDING_CLOSE_WAIT, pattern);
    look_away(&looked);
    close(fds[0]);
    close(fds[1]);
    looked = look(0, 80 * UINT64_C(1000000000));
    expect_count(&looked, 0);
    look_away(&looked);
}

static void scene_unread(void)
{
    int port = peer(3000, false);
    char pattern[256];
    char byte;
    int fd = call_peer(port);
    settle();
    struct looked looked = look(0, 0);
    expect_count(&looked, 0);
    look_away(&looked);
    assert_int_equal(recv(fd, &byte, 1, 0), 1); /* somebody does read */
    looked = look(0, 40 * UINT64_C(1000000000));
    expect_count(&looked, 0);
    look_away(&looked);
    looked = look(0, 80 * UINT64_C(1000000000));
    expect_count(&looked, 1);
    snprintf(pattern, sizeof pattern,
             "1 socket to 127.0.0.1:%d holds 2.9 kB that nobody reads, for at least 40 s*", port);
    expect(&looked, 0, FINDING_UNREAD, pattern);
    look_away(&looked);
}

/* A pipe from somebody else holds what nobody reads; one that both ends of are here, a token. */
static void scene_unread_pipes(void)
{
    int token[2], ends[2];
    assert_int_equal(pipe2(token, O_CLOEXEC), 0);
    assert_int_equal(write(token[1], "t", 1), 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "news", 4), 4);
    close(ends[1]);
    struct looked looked = look(0, 0);
    expect_count(&looked, 0);
    look_away(&looked);
    looked = look(0, 40 * UINT64_C(1000000000));
    expect_count(&looked, 1);
    expect(&looked, 0, FINDING_UNREAD,
           "1 pipe holds 4 bytes that nobody reads, for at least 40 s*");
    look_away(&looked);
}

static NOINLINE void open_many(int count)
{
    for (int i = 0; i < count; i++)
        if (eventfd(0, EFD_CLOEXEC) < 0)
            abort();
}

static void limit_to(rlim_t limit)
{
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    now.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

/* The lab's own descriptors come and go among them: the share is about right. */
static void scene_many_descriptors(void)
{
    char pattern[256];
    open_many(170);
    struct looked looked = look(0, 0);
    expect_count(&looked, 0);
    size_t count = looked.facts.fds->count;
    look_away(&looked);
    limit_to(count * 100 / 85);
    looked = look(0, 0);
    expect_count(&looked, 1);
    snprintf(pattern, sizeof pattern,
             "%zu of %zu descriptors are open (8* %%), the most of one kind: 170 eventfd, opened "
             "by "
             "open_many() in test_stuck.c:*",
             looked.facts.fds->count, count * 100 / 85);
    expect(&looked, 0, FINDING_FDS_MANY, pattern);
    look_away(&looked);
    limit_to(count + 8);
    looked = look(0, 0);
    expect_count(&looked, 1);
    snprintf(pattern, sizeof pattern, "%zu of %zu descriptors are open (9* %%)*",
             looked.facts.fds->count, count + 8);
    expect(&looked, 0, FINDING_FDS_OUT, pattern);
    look_away(&looked);
}

static NOINLINE void close_it(int fd)
{
    close(fd);
    __asm__ volatile("" ::: "memory");
}

static void scene_double_close(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    for (int i = 0; i < 3; i++)
        close_it(fd);
    struct looked looked = look(0, 0);
    if (!looked.facts.tracking)
        skip();
    expect_count(&looked, 1);
    char pattern[128];
    snprintf(pattern, sizeof pattern,
             "2 closes of descriptors that were not open, the first of fd %d by close_it() in "
             "test_stuck.c:*",
             fd);
    const struct finding *finding = expect(&looked, 0, FINDING_DOUBLE_CLOSE, pattern);
    assert_int_equal(finding->times, 2);
    look_away(&looked);
}

/* The worst first, whatever was found first; the text begins with it. */
static void scene_all(void)
{
    struct sink_buffer text;
    scene_close_wait();
    start("first", locks_a_b, NULL);
    start("second", locks_b_a, NULL);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    start("writer", writes, (void *)(intptr_t)ends[1]);
    settle();
    struct looked looked = look(HOUR, 0);
    expect_count(&looked, 3);
    assert_int_equal(looked.list->findings[0].kind, FINDING_DEADLOCK);
    assert_int_equal(looked.list->findings[1].kind, FINDING_BLOCKED);
    assert_int_equal(looked.list->findings[2].kind, FINDING_CLOSE_WAIT);
    sink_buffer_init(&text);
    stuck_write_text(&text.sink, looked.list, &looked.facts);
    assert_int_equal(strncmp(text.bytes, "1. threads first and second wait for each other", 47), 0);
    assert_non_null(strstr(text.bytes, "locks_a_b at "));
    assert_non_null(strstr(text.bytes, "locks_b_a at "));
    assert_int_equal(strstr(text.bytes, "call_peer at ") != NULL, looked.facts.tracking != NULL);
    sink_buffer_free(&text);
    look_away(&looked);
}

static void play(void (*scene)(void))
{
    assert_int_equal(lab_open(&lab, 0, SIGNAL_NEVER), 0);
    scene();
}

/* Each as a test of its own, in the process that is made for it. */
#define SCENE(name)                                                                                \
    static void play_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        play(scene_##name);                                                                        \
    }
SCENE(idle)
SCENE(deadlock)
SCENE(lost)
SCENE(behind)
SCENE(pools)
SCENE(no_pools)
SCENE(chain)
SCENE(blocked)
SCENE(page_fault)
SCENE(close_wait)
SCENE(few_close_wait)
SCENE(unread)
SCENE(unread_pipes)
SCENE(many_descriptors)
SCENE(double_close)
SCENE(all)

static const struct CMUnitTest scenes[] = {
    cmocka_unit_test(play_idle),
    cmocka_unit_test(play_deadlock),
    cmocka_unit_test(play_lost),
    cmocka_unit_test(play_behind),
    cmocka_unit_test(play_pools),
    cmocka_unit_test(play_no_pools),
    cmocka_unit_test(play_chain),
    cmocka_unit_test(play_blocked),
    cmocka_unit_test(play_close_wait),
    cmocka_unit_test(play_few_close_wait),
    cmocka_unit_test(play_unread),
    cmocka_unit_test(play_unread_pipes),
    cmocka_unit_test(play_many_descriptors),
    cmocka_unit_test(play_double_close),
    cmocka_unit_test(play_page_fault),
    cmocka_unit_test(play_all),
};

#define SCENE_COUNT (sizeof scenes / sizeof *scenes)

static void *play_by_name(void *name)
{
    for (size_t i = 0; i < SCENE_COUNT; i++)
        if (strcmp(scenes[i].name, name) == 0) {
            struct CMUnitTest tests[] = { scenes[i] };
            fflush(stdout);
            _exit(cmocka_run_group_tests_name(name, tests, NULL, NULL));
        }
    _exit(126);
}

/* On a thread of its own, which is then left out of the dumps, with everything in it that the
 * scene has started. */
static int play_in_process(char *name)
{
    pthread_t thread;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    alarm(60);
    pthread_create(&thread, NULL, play_by_name, name);
    pthread_join(thread, NULL);
    return 1;
}

static void test_scene(void **state)
{
    const struct CMUnitTest *scene = *state;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_stuck", scene->name, (char *)NULL);
        _exit(127);
    }
    assert_true(child_succeeds(pid));
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCENE_COUNT];
    if (argc == 2)
        return play_in_process(argv[1]);
    for (size_t i = 0; i < SCENE_COUNT; i++)
        tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
                                        .test_func = test_scene,
                                        .initial_state = (void *)(uintptr_t)&scenes[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
