/* mute.c: a service with memory that nobody ever brings.
 *
 *   mute WHAT WHERE DIRECTORY
 * WHAT is `file`, a file of a FUSE mount whose server answers everything but READ, as
 * a dead network mount does, `gone`, the same on a mount that was detached, or `fault`, anonymous
 * memory that a userfaultfd stands for and nobody serves. WHERE it is: `above` a thread's stack, or
 * that of one which runs
 * (`running`), at
 * the `poll` set of a thread, at its `futex`, as its `code`, or just `touched` by it. Prints
 * "address A" and "ready"; the mount is at DIRECTORY, for this process alone; calls snag_stop at a
 * newline and says "stopped". What the machine refuses is "skip WHY". */
#include <snag/snag.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE ((size_t)65536)
#define LIFE 60 /* seconds; nobody outlives a test */

static void skip(const char *what)
{
    printf("skip %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(0);
}

struct answer {
    struct fuse_out_header head;
    union {
        struct fuse_init_out init;
        struct fuse_entry_out entry;
        struct fuse_attr_out attributes;
        struct fuse_open_out open;
        char room[256];
    };
};

static void describe(struct fuse_attr *attributes, uint64_t node)
{
    attributes->ino = node;
    attributes->mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0755;
    attributes->nlink = 1;
    attributes->size = SIZE;
}

/* Fills in what QUESTION wants to know; 0: it gets no answer. */
static size_t answer_to(const struct fuse_in_header *question, struct answer *answer)
{
    size_t length = 0;
    switch (question->opcode) {
    case FUSE_INIT:
        answer->init.major = 7;
        answer->init.minor = 31;
        answer->init.max_write = 65536;
        length = sizeof answer->init;
        break;
    case FUSE_LOOKUP:
        answer->entry.nodeid = 2;
        answer->entry.entry_valid = answer->entry.attr_valid = 1000;
        describe(&answer->entry.attr, 2);
        length = sizeof answer->entry;
        break;
    case FUSE_GETATTR:
        answer->attributes.attr_valid = 1000;
        describe(&answer->attributes.attr, question->nodeid);
        length = sizeof answer->attributes;
        break;
    case FUSE_OPEN: length = sizeof answer->open; break;
    case FUSE_READ:
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: return 0;
    default: answer->head.error = -ENOSYS;
    }
    answer->head.unique = question->unique;
    answer->head.len = (uint32_t)(sizeof answer->head + length);
    return answer->head.len;
}

static _Noreturn void serve(int fd)
{
    static _Alignas(8) char bytes[1 << 17];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LIFE);
    for (;;) {
        struct answer answer;
        memset(&answer, 0, sizeof answer);
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got < 0 && errno != EINTR)
            _exit(0);
        size_t length = got > 0 ? answer_to((struct fuse_in_header *)bytes, &answer) : 0;
        if (length > 0 && write(fd, &answer, length) < 0)
            _exit(1);
    }
}

/* Mounts the mute file system where only this process sees it; its one file is opened. */
static int mount_mute(const char *directory, bool detached)
{
    char path[4096];
    char options[96];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        skip("/dev/fuse");
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        skip("a mount namespace of its own");
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (mount("mute", directory, "fuse", 0, options) != 0)
        skip("mount");
    if (fork() == 0)
        serve(fd);
    close(fd);
    snprintf(path, sizeof path, "%s/file", directory);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        skip("open");
    if (detached && umount2(directory, MNT_DETACH) != 0)
        skip("umount");
    return fd;
}

static void map_file(char *place, int protection, int fd)
{
    if (mmap(place, SIZE, protection, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
        skip("mmap");
}

static void map_fault(char *place, int protection)
{
    struct uffdio_api api = { .api = UFFD_API };
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
        skip("userfaultfd");
    if (mmap(place, SIZE, protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        skip("mmap");
    struct uffdio_register range = { .range = { (uintptr_t)place, SIZE },
                                     .mode = UFFDIO_REGISTER_MODE_MISSING };
    if (ioctl(fd, UFFDIO_REGISTER, &range) != 0)
        skip("UFFDIO_REGISTER");
}

static char *mute; /* SIZE bytes that nobody brings; as many before them are a stack */

static atomic_bool arrived;

static void arrive(const char *name)
{
    pthread_setname_np(pthread_self(), name);
    atomic_store(&arrived, true);
}

static void *stand_below(void *unused)
{
    arrive("below");
    pause();
    return unused;
}

static atomic_ulong turns;

static void *run_below(void *unused)
{
    arrive("runner");
    for (;;)
        atomic_fetch_add(&turns, 1);
    return unused;
}

static void *poll_it(void *unused)
{
    arrive("poller");
    poll((struct pollfd *)(void *)mute, 4, -1);
    return unused;
}

static void *wait_for_it(void *unused)
{
    arrive("waiter");
    syscall(SYS_futex, mute, FUTEX_WAIT, 0, NULL, NULL, 0);
    return unused;
}

static void *run_it(void *unused)
{
    arrive("runner");
    ((void (*)(void))(uintptr_t)(mute + 8192))();
    return unused;
}

static void *touch_it(void *unused)
{
    arrive("toucher");
    *(volatile char *)(mute + 100);
    return unused;
}

static const struct place {
    const char *name;
    int protection;
    void *(*run)(void *);
} places[] = {
    { "above", PROT_READ | PROT_WRITE, stand_below },
    { "running", PROT_READ | PROT_WRITE, run_below },
    { "poll", PROT_READ | PROT_WRITE, poll_it },
    { "futex", PROT_READ | PROT_WRITE, wait_for_it },
    { "code", PROT_READ | PROT_EXEC, run_it },
    { "touched", PROT_READ, touch_it },
};

static const struct place *place_called(const char *name)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].name, name) == 0)
            return &places[i];
    fprintf(stderr, "mute: no place is called %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    const struct place *place = place_called(argc > 3 ? argv[2] : "");
    pthread_attr_t attributes;
    pthread_t thread;
    alarm(LIFE);
    char *stack = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mute = stack + SIZE;
    if (strcmp(argv[1], "fault") == 0)
        map_fault(mute, place->protection);
    else
        map_file(mute, place->protection, mount_mute(argv[3], strcmp(argv[1], "gone") == 0));
    if (snag_start(NULL) != 0)
        return 1;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, SIZE);
    if (pthread_create(&thread, &attributes, place->run, NULL) != 0)
        return 1;
    while (!atomic_load(&arrived))
        usleep(10000);
    usleep(200000); /* for the one call that it makes then */
    printf("address %s\nready\n", snag_address());
    fflush(stdout);
    if (getchar() != '\n')
        return 1;
    snag_stop();
    unsigned long before = atomic_load(&turns);
    sleep(1);
    if (place->run == run_below && atomic_load(&turns) == before)
        printf("the thread that ran hangs\n");
    else
        printf("stopped\n");
    fflush(stdout);
    _exit(0);
}
