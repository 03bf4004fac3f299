/* fds_list.c: the numbers of open descriptors, and their links; see fds_list.h.
 *
 * The kernel lists them by ascending number and goes on behind the last one
 * that it told, so what stays open all the while is listed once, whatever else is opened and
 * closed meanwhile. Names come in small portions and each portion's links are read at
 * once: what the kernel has just touched is then still in the processor's cache. */
#include "sources/fds_list.h"

#include "base/target.h"
#include "sources/fds.h"
#include "sources/fds_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PORTION 4096u
#define ENTRIES_A_CLOCK 64u

struct entry { /* as getdents64(2) has it */
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* The numbers of a directory of numbers, by portions. */
struct numbers {
    int directory;
    long length; /* of the portion */
    long at;     /* ... that has been used */
    int error;
    _Alignas(8) char portion[PORTION];
};

static void numbers_begin(struct numbers *numbers, int directory)
{
    numbers->directory = directory;
    numbers->length = numbers->at = 0;
    numbers->error = lseek(directory, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* The next name that is a number, "." and ".." left out; NULL at the end or after an error. */
static const char *numbers_next(struct numbers *numbers)
{
    for (;;) {
        if (numbers->error)
            return NULL;
        if (numbers->at >= numbers->length) {
            numbers->length =
                syscall(SYS_getdents64, numbers->directory, numbers->portion, PORTION);
            numbers->at = 0;
            if (numbers->length < 0)
                numbers->error = -errno;
            if (numbers->length <= 0)
                return NULL;
        }
        const struct entry *entry = (const void *)(numbers->portion + numbers->at);
        numbers->at += entry->length;
        if (entry->name[0] >= '0' && entry->name[0] <= '9')
            return entry->name;
    }
}

static int number_of(const char *name)
{
    int number = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return number;
}

static int open_directory(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A thread that has exited but is not gone yet (as a leader while others go on) has no
 * descriptors. The state is the word behind the name, which may hold anything. */
static bool lives(int task)
{
    char text[512];
    if (proc_read(task, "stat", text, sizeof text) <= 0)
        return false;
    const char *end = strrchr(text, ')');
    char state = end && end[1] ? end[2] : 'X';
    return state != 'Z' && state != 'X';
}

static bool is_named_snag(int task)
{
    char name[32];
    return proc_read(task, "comm", name, sizeof name) > 0 && strcmp(name, "snag\n") == 0;
}

/* A living thread other than the leader and the one that looks. In another process that has a
 * listener too, that one's table is its own: it is taken only when there is no other. -1 when
 * there is none. */
static int open_other_thread(struct target *target)
{
    struct numbers tids;
    int list = open_directory(target->proc_fd, "task");
    int found = -1;
    bool settled = false;
    if (list < 0)
        return -1;
    numbers_begin(&tids, list);
    for (const char *name; !settled && (name = numbers_next(&tids)) != NULL;) {
        pid_t tid = number_of(name);
        int task = tid != target->pid && tid != target->own_tid ? open_directory(list, name) : -1;
        if (task < 0)
            continue;
        settled = lives(task) && !is_named_snag(task);
        if (settled || (found < 0 && lives(task))) {
            if (found >= 0)
                close(found);
            found = task;
        } else {
            close(task);
        }
    }
    close(list);
    return found;
}

/* A descriptor of ours shows the same link through PLACE only if the table is the same; or if the
 * service has opened this very directory under this very number, and then it is safe to
 * think that the table is shared. */
static bool is_our_table(const struct fd_place *place, const struct target *target)
{
    char name[32];
    char ours[64];
    char link[64];
    snprintf(name, sizeof name, "fd/%d", place->fd);
    ssize_t length = readlinkat(target->live_fd, name, ours, sizeof ours); /* our thread's */
    if (length <= 0)
        return false;
    snprintf(name, sizeof name, "%d", place->fd);
    return readlinkat(place->fd, name, link, sizeof link) == length &&
           memcmp(ours, link, (size_t)length) == 0;
}

int fd_place_open(struct fd_place *place, struct target *target)
{
    *place = (struct fd_place){ .task = target->proc_fd, .owned = -1, .fd = -1, .fdinfo = -1 };
    if (!lives(target->proc_fd)) {
        place->owned = open_other_thread(target);
        if (place->owned >= 0)
            place->task = place->owned;
    }
    place->fd = open_directory(place->task, "fd");
    if (place->fd < 0) {
        int error = -errno;
        fd_place_close(place);
        return error;
    }
    place->fdinfo = open_directory(place->task, "fdinfo");
    place->is_ours = target->self && is_our_table(place, target);
    return 0;
}

void fd_place_close(struct fd_place *place)
{
    if (place->fdinfo >= 0)
        close(place->fdinfo);
    if (place->fd >= 0)
        close(place->fd);
    if (place->owned >= 0)
        close(place->owned);
    *place = (struct fd_place){ .task = -1, .owned = -1, .fd = -1, .fdinfo = -1 };
}

static bool is_late(uint64_t deadline_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec >= deadline_ns;
}

/* Room for one more in DUMP's list, doubled in the arena. */
static struct descriptor *next_descriptor(struct fd_dump *dump, size_t *capacity)
{
    if (dump->count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 256;
        struct descriptor *grown = arena_array(&dump->arena, larger, sizeof *grown);
        if (!grown)
            return NULL;
        if (dump->count > 0)
            memcpy(grown, dump->descriptors, dump->count * sizeof *grown);
        dump->descriptors = grown;
        *capacity = larger;
    }
    return &dump->descriptors[dump->count];
}

/* Reads where the descriptor leads. False when it has been closed since it was listed. */
static bool read_link(struct descriptor *descriptor, const struct fd_place *place, const char *name,
                      struct arena *arena, int *error)
{
    char link[PATH_MAX];
    ssize_t length = readlinkat(place->fd, name, link, sizeof link);
    if (length < 0 && errno == ENOENT)
        return false;
    if (length < 0 && errno != ENAMETOOLONG) {
        char text[64];
        snprintf(text, sizeof text, "its link cannot be read: errno %d", errno);
        fd_kind_unknown(descriptor, arena_strdup(arena, text));
    } else if (length < 0 || length == sizeof link) {
        fd_kind_of_long_path(descriptor);
    } else {
        fd_kind_of_link(descriptor, arena_strndup(arena, link, (size_t)length), (size_t)length);
    }
    if (!descriptor->target)
        *error = -ENOMEM;
    return true;
}

int fd_list_read(struct fd_dump *dump, const struct fd_place *place, uint64_t deadline_ns)
{
    struct numbers numbers;
    size_t capacity = 0;
    size_t seen = 0;
    bool late = false;
    int error = 0;
    numbers_begin(&numbers, place->fd);
    for (const char *name; !error && (name = numbers_next(&numbers)) != NULL;) {
        struct descriptor *descriptor = next_descriptor(dump, &capacity);
        if (!descriptor)
            return -ENOMEM;
        *descriptor = (struct descriptor){
            .fd = number_of(name), .access = -1, .flags = -1, .position = -1, .other_end = -1
        };
        late = late || (++seen % ENTRIES_A_CLOCK == 0 && is_late(deadline_ns));
        if (late)
            fd_kind_unknown(descriptor, "not looked at: the time for this dump was used up");
        else if (!read_link(descriptor, place, name, &dump->arena, &error))
            continue;
        dump->not_looked_at += late;
        dump->count++;
    }
    dump->listed_all = numbers.error == 0;
    if (!error && numbers.error && dump->count == 0)
        error = numbers.error;
    return error;
}

/* Since Linux 6.2 the size of the directory is the number of its entries. */
long fd_list_count(const struct fd_place *place)
{
    struct stat status;
    struct numbers numbers;
    long count = 0;
    if (fstat(place->fd, &status) == 0 && status.st_size > 0)
        return (long)status.st_size;
    numbers_begin(&numbers, place->fd);
    while (numbers_next(&numbers))
        count++;
    return numbers.error ? numbers.error : count;
}

uint64_t fd_list_limit(const struct fd_place *place)
{
    static const char name[] = "Max open files";
    char text[4096];
    if (proc_read(place->task, "limits", text, sizeof text) <= 0)
        return 0;
    const char *line = strstr(text, name);
    if (!line)
        return 0;
    uint64_t limit = 0;
    for (line += sizeof name - 1; *line == ' '; line++)
        continue;
    for (; *line >= '0' && *line <= '9'; line++)
        limit = limit * 10 + (uint64_t)(*line - '0');
    return limit; /* "unlimited" is 0 */
}
