/* task_list.c: the threads of the target; see task_list.h.
 *
 * The kernel walks its list of threads, which is in order of their creation,
 * while it fills the buffer. If the buffer is full, the next call goes on by
 * position, which deaths have moved; so all must fit into one call. And if the
 * thread that the walk stands on dies, the walk ends there as if that were the
 * last one. Two things show that it did not: the directory's position is the
 * number of entries seen (a thread that was dead already counts, but has no
 * entry), and the last entry's thread is alive afterwards. Then the walk has
 * reached the true end and has passed every thread that lived all the while.
 * Else the list is read again. */
#include "sources/task_list.h"

#include "base/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 16
#define DOTS 2 /* entries before the first thread */
#define FIRST_BUFFER ((size_t)32 << 10)
#define LAST_BUFFER ((size_t)256 << 20)
#define LARGEST_ENTRY 64u /* of a name of ten digits: 32 */

struct entry { /* as getdents64(2) has it */
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

void task_list_free(struct task_list *list)
{
    free(list->tasks);
    free(list->buffer);
    *list = (struct task_list){ 0 };
}

static int grow_buffer(struct task_list *list)
{
    size_t size = list->buffer_size ? list->buffer_size * 2 : FIRST_BUFFER;
    if (size > LAST_BUFFER)
        return -EOVERFLOW;
    free(list->buffer);
    list->buffer = malloc(size);
    list->buffer_size = list->buffer ? size : 0;
    return list->buffer ? 0 : -ENOMEM;
}

static int reserve(struct task_list *list, size_t more)
{
    if (list->capacity - list->count >= more)
        return 0;
    size_t capacity = (list->count + more) * 2;
    struct task *grown = realloc(list->tasks, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    list->tasks = grown;
    list->capacity = capacity;
    return 0;
}

/* All entries in one call; their length, or a negative errno. */
static long read_entries(struct task_list *list, const struct target *target)
{
    int error = list->buffer ? 0 : grow_buffer(list);
    while (!error) {
        if (lseek(target->task_fd, 0, SEEK_SET) < 0)
            return -errno;
        long length =
            syscall(SYS_getdents64, target->task_fd, list->buffer, (unsigned)list->buffer_size);
        if (length < 0)
            return -errno;
        if ((size_t)length + LARGEST_ENTRY <= list->buffer_size)
            return length;
        error = grow_buffer(list);
    }
    return error;
}

static pid_t tid_of(const char *name)
{
    pid_t tid = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        tid = tid * 10 + (*name - '0');
    return tid;
}

static bool is_alive(const struct target *target, pid_t tid)
{
    char name[16];
    snprintf(name, sizeof name, "%d", (int)tid);
    return faccessat(target->task_fd, name, F_OK, 0) == 0;
}

/* Whether the walk that has found COUNT threads, LAST at its end, has reached the end of the
 * kernel's list. */
static bool is_whole(const struct target *target, size_t count, pid_t last)
{
    off_t position = lseek(target->task_fd, 0, SEEK_CUR);
    return position == DOTS + (off_t)count && is_alive(target, last);
}

/* Adds what one walk of the kernel finds. 1 when it was complete, 0, or a negative errno. */
static int add_walk(struct task_list *list, const struct target *target)
{
    long length = read_entries(list, target);
    if (length < 0)
        return (int)length;
    int error = reserve(list, (size_t)length / sizeof(struct entry) + 1);
    if (error)
        return error;
    pid_t last = 0;
    size_t count = 0;
    const struct entry *entry;
    for (long at = 0; at < length; at += entry->length) {
        entry = (const void *)(list->buffer + at);
        pid_t tid = tid_of(entry->name);
        if (tid == 0) /* "." and ".."; in older kernels "0", for a dead one */
            continue;
        last = tid;
        count++;
        if (!target_is_own(target, tid))
            list->tasks[list->count++] = (struct task){ .tid = tid, .inode = entry->inode };
    }
    return is_whole(target, count, last);
}

static int by_tid(const void *a, const void *b)
{
    pid_t first = ((const struct task *)a)->tid;
    pid_t second = ((const struct task *)b)->tid;
    return first < second ? -1 : first > second;
}

/* The kernel lists in order of creation, which mostly is the order of ids. */
static void sort(struct task_list *list)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 1; i < list->count && sorted; i++)
        sorted = list->tasks[i - 1].tid < list->tasks[i].tid;
    if (sorted)
        return;
    qsort(list->tasks, list->count, sizeof *list->tasks, by_tid);
    for (size_t i = 0; i < list->count; i++)
        if (i == 0 || list->tasks[i].tid != list->tasks[kept - 1].tid)
            list->tasks[kept++] = list->tasks[i];
    list->count = kept;
}

int task_list_read(struct task_list *list, struct target *target)
{
    list->count = 0;
    list->complete = false;
    for (int i = 0; i < TRIES && !list->complete; i++) {
        size_t before = list->count;
        int status = add_walk(list, target);
        if (status < 0)
            return status == -ENOENT ? -ESRCH : status;
        list->complete = status == 1;
        if (list->complete) { /* what earlier walks found and this one did not is gone */
            list->count -= before;
            memmove(list->tasks, list->tasks + before, list->count * sizeof *list->tasks);
        }
    }
    sort(list);
    return 0;
}

int task_count(struct target *target)
{
    static const char label[] = "\nThreads:\t";
    char text[4096];
    ssize_t length = proc_read(target->proc_fd, "status", text, sizeof text);
    if (length < 0)
        return (int)length;
    const char *threads = strstr(text, label);
    if (!threads)
        return -EPROTO;
    return (int)tid_of(threads + strlen(label)) - (target->own_tid != 0) -
           (target->voice_tid != 0);
}
