/* ways_io.c: blocked in the kernel for time, descriptors, children, messages. */
#include "truth.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_TIME 3600

static int expect(int result)
{
    if (result < 0)
        truth_skip(strerror(errno));
    return result;
}

static NOINLINE void in_nanosleep(void)
{
    struct timespec time = { LONG_TIME, 0 };
    truth_mark();
    nanosleep(&time, NULL);
    STAY();
}

static NOINLINE void in_clock_nanosleep(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LONG_TIME;
    truth_mark();
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    STAY();
}

static NOINLINE void in_sleep(void)
{
    truth_mark();
    sleep(LONG_TIME);
    STAY();
}

static NOINLINE void in_usleep(void)
{
    truth_mark();
    usleep(LONG_TIME * 1000000u);
    STAY();
}

static NOINLINE void in_read(void)
{
    char bytes[64];
    truth_mark();
    if (read(scene.empty_pipe[0], bytes, sizeof bytes))
        STAY();
}

static NOINLINE void in_readv(void)
{
    char bytes[64];
    struct iovec vector = { bytes, sizeof bytes };
    truth_mark();
    if (readv(scene.empty_pipe[0], &vector, 1))
        STAY();
}

static NOINLINE void in_splice(void)
{
    int out = expect(open("/dev/null", O_WRONLY | O_CLOEXEC));
    truth_mark();
    splice(scene.empty_pipe[0], NULL, out, NULL, 64, 0);
    STAY();
}

static NOINLINE void in_write(void)
{
    char page[4096] = { 0 };
    truth_mark();
    if (write(scene.full_pipe[1], page, sizeof page))
        STAY();
}

static NOINLINE void in_eventfd(void)
{
    eventfd_t value;
    int fd = expect(eventfd(0, EFD_CLOEXEC));
    truth_mark();
    eventfd_read(fd, &value);
    STAY();
}

static NOINLINE void in_timerfd(void)
{
    uint64_t times;
    int fd = expect(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    truth_mark();
    if (read(fd, &times, sizeof times))
        STAY();
}

static NOINLINE void in_signalfd(void)
{
    struct signalfd_siginfo info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = expect(signalfd(-1, &set, SFD_CLOEXEC));
    truth_mark();
    if (read(fd, &info, sizeof info))
        STAY();
}

static NOINLINE void in_inotify(void)
{
    char bytes[512];
    int fd = expect(inotify_init1(IN_CLOEXEC));
    truth_mark();
    if (read(fd, bytes, sizeof bytes))
        STAY();
}

static NOINLINE void in_poll(void)
{
    struct pollfd fd = { scene.empty_pipe[0], POLLIN, 0 };
    truth_mark();
    poll(&fd, 1, -1);
    STAY();
}

static NOINLINE void in_ppoll(void)
{
    struct pollfd fd = { scene.empty_pipe[0], POLLIN, 0 };
    struct timespec time = { LONG_TIME, 0 };
    sigset_t none;
    sigemptyset(&none);
    truth_mark();
    ppoll(&fd, 1, &time, &none);
    STAY();
}

static NOINLINE void in_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(scene.empty_pipe[0], &set);
    truth_mark();
    select(scene.empty_pipe[0] + 1, &set, NULL, NULL, NULL);
    STAY();
}

static NOINLINE void in_pselect(void)
{
    fd_set set;
    sigset_t none;
    sigemptyset(&none);
    FD_ZERO(&set);
    FD_SET(scene.empty_pipe[0], &set);
    truth_mark();
    pselect(scene.empty_pipe[0] + 1, &set, NULL, NULL, NULL, &none);
    STAY();
}

static int epoll_of_one(void)
{
    int epoll = expect(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event = { .events = EPOLLIN };
    expect(epoll_ctl(epoll, EPOLL_CTL_ADD, scene.empty_pipe[0], &event));
    return epoll;
}

static NOINLINE void in_epoll_wait(void)
{
    struct epoll_event events[64];
    int epoll = epoll_of_one();
    truth_mark();
    epoll_wait(epoll, events, 64, -1);
    STAY();
}

static NOINLINE void in_epoll_pwait(void)
{
    struct epoll_event events[4];
    sigset_t none;
    sigemptyset(&none);
    int epoll = epoll_of_one();
    truth_mark();
    epoll_pwait(epoll, events, 4, -1, &none);
    STAY();
}

static NOINLINE void in_recv(void)
{
    char bytes[4000];
    truth_mark();
    recv(scene.never_ready, bytes, sizeof bytes, 0);
    STAY();
}

static NOINLINE void in_recvfrom(void)
{
    char bytes[16];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    int fd = expect(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in any = { .sin_family = AF_INET };
    expect(bind(fd, (struct sockaddr *)&any, sizeof any));
    truth_mark();
    recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
    STAY();
}

static NOINLINE void in_recvmsg(void)
{
    char bytes[128];
    struct iovec vector = { bytes, sizeof bytes };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    truth_mark();
    recvmsg(scene.never_ready, &message, 0);
    STAY();
}

static NOINLINE void in_recvmmsg(void)
{
    char bytes[128];
    struct iovec vector = { bytes, sizeof bytes };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };
    truth_mark();
    recvmmsg(scene.never_ready, &message, 1, 0, NULL);
    STAY();
}

static NOINLINE void in_accept(void)
{
    int fd = expect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    expect(listen(fd, 1));
    truth_mark();
    accept(fd, NULL, NULL);
    STAY();
}

static NOINLINE void in_accept4(void)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    int fd = expect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    expect(listen(fd, 1));
    truth_mark();
    accept4(fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    STAY();
}

/* A Unix listener with no room: the second connect waits until somebody accepts. */
static NOINLINE void in_connect(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t size = sizeof name.sun_family;
    int listener = expect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    expect(bind(listener, (struct sockaddr *)&name, size)); /* the kernel chooses */
    size = sizeof name;
    expect(getsockname(listener, (struct sockaddr *)&name, &size));
    expect(listen(listener, 0));
    int first = expect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    expect(connect(first, (struct sockaddr *)&name, size));
    int second = expect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    truth_mark();
    connect(second, (struct sockaddr *)&name, size);
    STAY();
}

static NOINLINE void in_send(void)
{
    static char much[1 << 20];
    int pair[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    truth_mark();
    for (;;)
        send(pair[0], much, sizeof much, 0);
}

static NOINLINE void in_sendmsg(void)
{
    static char much[1 << 20];
    int pair[2];
    struct iovec vector = { much, sizeof much };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    truth_mark();
    for (;;)
        sendmsg(pair[0], &message, 0);
}

static NOINLINE void in_open_fifo(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/snag-fifo-%d", (int)getpid());
    unlink(path);
    expect(mkfifo(path, 0600));
    truth_mark();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
}

static FILE *stream_of(int fd, const char *mode)
{
    FILE *stream = fdopen(dup(fd), mode);
    if (!stream)
        truth_skip("no stream");
    return stream;
}

static NOINLINE void in_fgets(void)
{
    char line[100];
    FILE *stream = stream_of(scene.empty_pipe[0], "r");
    truth_mark();
    if (fgets(line, sizeof line, stream))
        STAY();
}

static NOINLINE void in_fread(void)
{
    char bytes[10000];
    FILE *stream = stream_of(scene.empty_pipe[0], "r");
    truth_mark();
    if (fread(bytes, 1, sizeof bytes, stream))
        STAY();
}

static NOINLINE void in_fscanf(void)
{
    int number;
    FILE *stream = stream_of(scene.empty_pipe[0], "r");
    truth_mark();
    if (fscanf(stream, "%d", &number))
        STAY();
}

static NOINLINE void in_getline(void)
{
    char *line = NULL;
    size_t size = 0;
    FILE *stream = stream_of(scene.empty_pipe[0], "r");
    truth_mark();
    if (getline(&line, &size, stream))
        STAY();
}

/* printf with %f into a pipe that takes nothing: the deepest of stdio. */
static NOINLINE void in_fprintf(void)
{
    FILE *stream = stream_of(scene.full_pipe[1], "w");
    truth_mark();
    for (;;)
        fprintf(stream, "%f %s %d\n", 1.5, "text", 42);
}

static NOINLINE void in_fflush(void)
{
    FILE *stream = stream_of(scene.full_pipe[1], "w");
    fputs("something", stream);
    truth_mark();
    fflush(stream);
    STAY();
}

static ssize_t blocking_cookie(void *cookie, char *bytes, size_t size)
{
    (void)cookie;
    (void)size;
    truth_mark();
    ssize_t got = read(scene.empty_pipe[0], bytes, 1);
    STAY();
    return got;
}

/* The way is the stream's own read function, called from within libc. */
static NOINLINE void in_fopencookie(void)
{
    char line[100];
    FILE *stream = fopencookie(NULL, "r", (cookie_io_functions_t){ .read = blocking_cookie });
    if (stream && fgets(line, sizeof line, stream))
        STAY();
}

static FILE *locked_by_another;
static int is_locked;

static void *lock_stream(void *unused)
{
    flockfile(locked_by_another);
    __atomic_store_n(&is_locked, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return unused;
}

static NOINLINE void in_getc_locked(void)
{
    locked_by_another = stream_of(scene.empty_pipe[0], "r");
    pthread_t thread;
    if (pthread_create(&thread, NULL, lock_stream, NULL))
        truth_skip("no thread");
    while (!__atomic_load_n(&is_locked, __ATOMIC_ACQUIRE))
        usleep(1000);
    truth_mark();
    getc(locked_by_another);
    STAY();
}

static NOINLINE void in_flock(void)
{
    char path[] = "/tmp/snag-flock-XXXXXX";
    int holder = expect(mkostemp(path, O_CLOEXEC));
    int other = expect(open(path, O_RDWR | O_CLOEXEC));
    unlink(path);
    expect(flock(holder, LOCK_EX));
    truth_mark();
    flock(other, LOCK_EX);
    STAY();
}

/* A child that locks FD and says so by a byte into TELL. */
static void hold_lock_in_child(int fd, int tell)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    pid_t child = fork();
    if (child > 0)
        return;
    if (child < 0)
        truth_skip("no child");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fcntl(fd, F_SETLK, &lock) || write(tell, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

/* fcntl's locks belong to a process: a child holds it. */
static NOINLINE void in_fcntl_lock(void)
{
    char path[] = "/tmp/snag-fcntl-XXXXXX";
    int fd = expect(mkostemp(path, O_CLOEXEC));
    unlink(path);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int pair[2];
    expect(pipe2(pair, O_CLOEXEC));
    hold_lock_in_child(fd, pair[1]);
    char byte;
    if (read(pair[0], &byte, 1) != 1)
        truth_skip("the child has no lock");
    truth_mark();
    fcntl(fd, F_SETLKW, &lock);
    STAY();
}

static NOINLINE void in_ofd_lock(void)
{
    char path[] = "/tmp/snag-ofd-XXXXXX";
    int holder = expect(mkostemp(path, O_CLOEXEC));
    int other = expect(open(path, O_RDWR | O_CLOEXEC));
    unlink(path);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    expect(fcntl(holder, F_OFD_SETLK, &lock));
    truth_mark();
    fcntl(other, F_OFD_SETLKW, &lock);
    STAY();
}

static NOINLINE void in_waitpid(void)
{
    int status;
    pid_t child = expect(scene_child());
    truth_mark();
    waitpid(child, &status, 0);
    STAY();
}

static NOINLINE void in_waitid(void)
{
    siginfo_t info;
    pid_t child = expect(scene_child());
    truth_mark();
    waitid(P_PID, (id_t)child, &info, WEXITED);
    STAY();
}

static NOINLINE void in_pause(void)
{
    truth_mark();
    pause();
    STAY();
}

static NOINLINE void in_msgrcv(void)
{
    struct {
        long type;
        char text[8];
    } message;
    int queue = scene.queue = expect(msgget(IPC_PRIVATE, 0600));
    truth_mark();
    msgrcv(queue, &message, sizeof message.text, 0, 0);
    STAY();
}

static NOINLINE void in_semop(void)
{
    int set = scene.semaphores[0] = expect(semget(IPC_PRIVATE, 1, 0600));
    struct sembuf down = { 0, -1, 0 };
    truth_mark();
    semop(set, &down, 1);
    STAY();
}

static NOINLINE void in_semtimedop(void)
{
    int set = scene.semaphores[1] = expect(semget(IPC_PRIVATE, 1, 0600));
    struct sembuf down = { 0, -1, 0 };
    struct timespec time = { LONG_TIME, 0 };
    truth_mark();
    semtimedop(set, &down, 1, &time);
    STAY();
}

static NOINLINE void in_mq_receive(void)
{
    char name[64];
    char bytes[8192];
    snprintf(name, sizeof name, "/snag-%d", (int)getpid());
    struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = sizeof bytes };
    mqd_t queue = expect(mq_open(name, O_RDONLY | O_CREAT, 0600, &attributes));
    mq_unlink(name);
    truth_mark();
    mq_receive(queue, bytes, sizeof bytes, NULL);
    STAY();
}

static NOINLINE void in_aio_suspend(void)
{
    static char bytes[16];
    static struct aiocb block;
    block.aio_fildes = scene.empty_pipe[0];
    block.aio_buf = bytes;
    block.aio_nbytes = sizeof bytes;
    const struct aiocb *list[] = { &block };
    expect(aio_read(&block));
    truth_mark();
    aio_suspend(list, 1, NULL);
    STAY();
}

static NOINLINE void in_syscall(void)
{
    static int word;
    truth_mark();
    syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0);
    STAY();
}

#if defined(__x86_64__)
/* No libc in between, and a leaf: its locals may lie below the stack pointer. */
static NOINLINE long leaf_futex(int *word)
{
    volatile long below[6] = { 1, 2, 3, 4, 5, 6 };
    long result = SYS_futex;
    register long timeout __asm__("r10") = 0;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(word), "S"(0L), "d"(0L), "r"(timeout)
                     : "rcx", "r11", "memory");
    return result + below[2];
}

static NOINLINE void in_raw_syscall(void)
{
    static int word;
    truth_mark();
    leaf_futex(&word);
    STAY();
}
#endif

/* Blocked outside any system call: in a page fault that nobody resolves. */
static NOINLINE void in_page_fault(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = expect((int)syscall(SYS_userfaultfd, O_CLOEXEC));
    struct uffdio_api api = { .api = UFFD_API };
    expect(ioctl(fd, UFFDIO_API, &api));
    volatile char *memory =
        mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = { .range = { (uintptr_t)memory, page },
                                     .mode = UFFDIO_REGISTER_MODE_MISSING };
    expect(ioctl(fd, UFFDIO_REGISTER, &range));
    truth_mark();
    memory[1] = 1;
    STAY();
}

#if defined(SYS_io_uring_setup)
static NOINLINE void in_io_uring(void)
{
    char parameters[120] = { 0 };
    int ring = expect((int)syscall(SYS_io_uring_setup, 4, parameters));
    truth_mark();
    syscall(SYS_io_uring_enter, ring, 0, 1, 1 /* IORING_ENTER_GETEVENTS */, NULL, 0);
    STAY();
}
#endif

const struct way ways_io[] = {
    { "nanosleep", in_nanosleep, 3, STACK_USUAL },
    { "clock_nanosleep", in_clock_nanosleep, 2, STACK_USUAL },
    { "sleep", in_sleep, 4, STACK_USUAL },
    { "usleep", in_usleep, 4, STACK_USUAL },
    { "read", in_read, 2, STACK_USUAL },
    { "read, smallest stack", in_read, 2, STACK_SMALLEST },
    { "read, stack in the heap", in_read, 2, STACK_IN_HEAP },
    { "read, stack in .bss", in_read, 2, STACK_IN_BSS },
    { "readv", in_readv, 2, STACK_USUAL },
    { "splice", in_splice, 2, STACK_USUAL },
    { "write", in_write, 2, STACK_USUAL },
    { "eventfd_read", in_eventfd, 3, STACK_USUAL },
    { "timerfd read", in_timerfd, 2, STACK_USUAL },
    { "signalfd read", in_signalfd, 2, STACK_USUAL },
    { "inotify read", in_inotify, 2, STACK_USUAL },
    { "poll", in_poll, 2, STACK_USUAL },
    { "ppoll", in_ppoll, 2, STACK_USUAL },
    { "select", in_select, 3, STACK_USUAL },
    { "pselect", in_pselect, 3, STACK_USUAL },
    { "epoll_wait", in_epoll_wait, 2, STACK_USUAL },
    { "epoll_pwait", in_epoll_pwait, 2, STACK_USUAL },
    { "recv", in_recv, 3, STACK_USUAL },
    { "recvfrom", in_recvfrom, 2, STACK_USUAL },
    { "recvmsg", in_recvmsg, 2, STACK_USUAL },
    { "recvmmsg", in_recvmmsg, 3, STACK_USUAL },
    { "accept", in_accept, 2, STACK_USUAL },
    { "accept4", in_accept4, 2, STACK_USUAL },
    { "connect", in_connect, 2, STACK_USUAL },
    { "send", in_send, 3, STACK_USUAL },
    { "sendmsg", in_sendmsg, 2, STACK_USUAL },
    { "open of a FIFO", in_open_fifo, 3, STACK_USUAL },
    { "fgets", in_fgets, 8, STACK_USUAL },
    { "fread", in_fread, 8, STACK_USUAL },
    { "fscanf", in_fscanf, 8, STACK_USUAL },
    { "getline", in_getline, 8, STACK_USUAL },
    { "fprintf", in_fprintf, 14, STACK_USUAL },
    { "fflush", in_fflush, 8, STACK_USUAL },
    { "fopencookie", in_fopencookie, 2, STACK_USUAL },
    { "getc, locked stream", in_getc_locked, 4, STACK_USUAL },
    { "flock", in_flock, 2, STACK_USUAL },
    { "fcntl lock", in_fcntl_lock, 3, STACK_USUAL },
    { "open file lock", in_ofd_lock, 3, STACK_USUAL },
    { "waitpid", in_waitpid, 3, STACK_USUAL },
    { "waitid", in_waitid, 2, STACK_USUAL },
    { "pause", in_pause, 2, STACK_USUAL },
    { "msgrcv", in_msgrcv, 2, STACK_USUAL },
    { "semop", in_semop, 3, STACK_USUAL },
    { "semtimedop", in_semtimedop, 2, STACK_USUAL },
    { "mq_receive", in_mq_receive, 3, STACK_USUAL },
    { "aio_suspend", in_aio_suspend, 6, STACK_USUAL },
    { "syscall", in_syscall, 2, STACK_USUAL },
#if defined(__x86_64__)
    { "raw system call in a leaf", in_raw_syscall, 1, STACK_USUAL },
#endif
    { "page fault", in_page_fault, 0, STACK_USUAL },
#if defined(SYS_io_uring_setup)
    { "io_uring_enter", in_io_uring, 2, STACK_USUAL },
#endif
    { NULL, NULL, 0, STACK_USUAL },
};
