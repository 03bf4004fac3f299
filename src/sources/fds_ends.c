/* fds_ends.c: the ends of pipes; see fds_ends.h.
 *
 * Both ends of a pipe have the same inode; the one that was opened for
 * writing is the writing end. That is in fdinfo, and also in the permissions of the link
 * itself, at a third of the price. FIFOs are the same, but an inode number is only one's
 * own within a file system, so the path must be the same too. */
#include "sources/fds_ends.h"

#include "sources/fds.h"
#include "sources/fds_borrow.h"
#include "sources/fds_kinds.h"
#include "sources/fds_place.h"
#include "sources/fds_words.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void find_access(struct descriptor *descriptor, const struct fd_place *place)
{
    char name[16];
    struct stat link;
    if (descriptor->access >= 0)
        return;
    snprintf(name, sizeof name, "%d", descriptor->fd);
    if (fstatat(place->fd, name, &link, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    bool reads = link.st_mode & S_IRUSR;
    bool writes = link.st_mode & S_IWUSR;
    if (reads || writes)
        descriptor->access = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
}

static int compare_pipes(const void *left, const void *right)
{
    const struct descriptor *a = *(struct descriptor *const *)left;
    const struct descriptor *b = *(struct descriptor *const *)right;
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    int order = strcmp(a->target, b->target);
    return order ? order : (a->fd > b->fd) - (a->fd < b->fd);
}

static bool is_same_pipe(const struct descriptor *a, const struct descriptor *b)
{
    return a->inode == b->inode && strcmp(a->target, b->target) == 0;
}

/* The first of PIPES that can do what DESCRIPTOR cannot; one that can do both is its own other
 * end, and has none. */
static int other_end(const struct descriptor *descriptor, struct descriptor *const *pipes,
                     size_t count)
{
    const int wanted = descriptor->access == O_RDONLY ? O_WRONLY : O_RDONLY;
    if (descriptor->access != O_RDONLY && descriptor->access != O_WRONLY)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (pipes[i]->access == wanted || pipes[i]->access == O_RDWR)
            return pipes[i]->fd;
    return -1;
}

/* What waits in the pipe has arrived for whoever reads, and is not taken yet for whoever writes. */
static void fill_queues(struct descriptor *descriptor, uint64_t bytes)
{
    descriptor->queues_known = true;
    if (descriptor->access == O_WRONLY)
        descriptor->unsent = bytes;
    else
        descriptor->unread = bytes;
}

/* The COUNT descriptors of one pipe. */
static void join(struct descriptor **pipes, size_t count, const struct fd_place *place,
                 struct borrower *borrower, struct arena *arena)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        find_access(pipes[i], place);
    bool known =
        pipes[0]->kind == kind_pipe && borrow_pipe(borrower, pipes[0]->fd, pipes[0]->inode, &bytes);
    for (size_t i = 0; i < count; i++) {
        pipes[i]->other_end = other_end(pipes[i], pipes, count);
        if (known)
            fill_queues(pipes[i], bytes);
    }
    for (size_t i = 0; i < count; i++)
        fd_words_make(pipes[i], NULL, arena);
}

void fd_ends_find(struct fd_dump *dump, const struct fd_place *place, struct borrower *borrower)
{
    size_t count = 0;
    for (size_t i = 0; i < dump->count; i++)
        count += dump->descriptors[i].kind == kind_pipe || dump->descriptors[i].kind == kind_fifo;
    struct descriptor **pipes = arena_array(&dump->arena, count, sizeof *pipes);
    if (count == 0 || !pipes)
        return;
    size_t at = 0;
    for (size_t i = 0; i < dump->count; i++)
        if (dump->descriptors[i].kind == kind_pipe || dump->descriptors[i].kind == kind_fifo)
            pipes[at++] = &dump->descriptors[i];
    qsort(pipes, count, sizeof *pipes, compare_pipes);
    size_t run;
    for (size_t i = 0; i < count; i += run) {
        for (run = 1; i + run < count && is_same_pipe(pipes[i], pipes[i + run]);)
            run++;
        join(&pipes[i], run, place, borrower, &dump->arena);
    }
}
