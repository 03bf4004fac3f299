/* file_locks.c: flock and fcntl: which process holds the lock on a file.
 *
 * /proc/locks has a line for each lock and, right below it, one with "->" for each process that
 * waits for it, by the number in front:
 *     3: FLOCK  ADVISORY  WRITE 4711 fd:01:131090 0 EOF
 *     3: -> FLOCK  ADVISORY  WRITE 4712 fd:01:131090 0 EOF
 * It is read once for a dump, and only when somebody waits so. */
#include "waits/finder.h"

#include "base/target.h"
#include "sources/fds.h"
#include "sources/threads.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 8

struct lock_line {
    uint64_t number;
    bool waits;
    const char *type; /* "FLOCK", "POSIX", "OFDLCK", then a space */
    pid_t pid;        /* -1: no one process's */
    uint64_t inode;
};

/* By hand: scanf would want a locale of this thread. */
static uint64_t number_at(const char *at)
{
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

/* The starts of the words of LINE; how many there are of at most FIELDS. */
static size_t split(const char *line, const char **fields)
{
    size_t count = 0;
    size_t length = strcspn(line, "\n");
    for (size_t at = 0; at < length && count < FIELDS; at++)
        if (line[at] != ' ' && (at == 0 || line[at - 1] == ' '))
            fields[count++] = line + at;
    return count;
}

static bool parse_line(const char *line, struct lock_line *lock)
{
    const char *fields[FIELDS];
    size_t count = split(line, fields);
    lock->waits = count > 1 && strncmp(fields[1], "-> ", 3) == 0;
    size_t first = lock->waits ? 2 : 1;
    if (count < first + 5)
        return false;
    lock->number = number_at(line);
    lock->type = fields[first];
    lock->pid = fields[first + 3][0] == '-' ? -1 : (pid_t)number_at(fields[first + 3]);
    const char *file = fields[first + 4]; /* major:minor:inode */
    const char *minor = strchr(file, ':');
    const char *inode = minor ? strchr(minor + 1, ':') : NULL;
    lock->inode = inode ? number_at(inode + 1) : 0;
    return inode != NULL;
}

/* The lock that a process of ours waits for, of this TYPE and, where it is known, on this file. */
static bool find_waiting(const char *text, const char *type, uint64_t inode, pid_t pid,
                         struct lock_line *found)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (parse_line(line, found) && found->waits &&
            strncmp(found->type, type, strlen(type)) == 0 &&
            (found->pid == pid || found->pid == -1) && (inode == 0 || found->inode == inode))
            return true;
    }
    return false;
}

static bool find_holding(const char *text, uint64_t number, struct lock_line *found)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (parse_line(line, found) && !found->waits && found->number == number)
            return true;
    }
    return false;
}

static const char *lock_type(const struct thread_sample *thread)
{
    const char *name = syscall_name(thread->syscall_number);
    if (name && strcmp(name, "flock") == 0)
        return "FLOCK ";
    return int_argument(thread->arguments[1]) == F_OFD_SETLKW ? "OFDLCK " : "POSIX ";
}

/* Who holds what THREAD waits for, on the file with INODE; 0: it is not known. */
static pid_t find_holder(struct finder *finder, const struct thread_sample *thread, uint64_t inode)
{
    struct lock_line line;
    if (!finder->locks_read)
        proc_read_whole(finder->target->proc_fd, "../locks", &finder->file_locks);
    finder->locks_read = true;
    if (!finder->file_locks ||
        !find_waiting(finder->file_locks, lock_type(thread), inode, finder->target->pid, &line) ||
        !find_holding(finder->file_locks, line.number, &line) || line.pid <= 0)
        return 0;
    return line.pid;
}

bool file_lock_waits(const struct thread_sample *thread)
{
    const char *name = syscall_name(thread->syscall_number);
    int command = int_argument(thread->arguments[1]);
    return name && (strcmp(name, "flock") == 0 || command == F_SETLKW || command == F_OFD_SETLKW);
}

void file_lock_name(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    const struct descriptor *descriptor =
        finder->set->fds ? fd_dump_find(finder->set->fds, wait->fd) : NULL;
    const char *file = descriptor ? descriptor->target : "a file";
    wait->holder =
        find_holder(finder, &finder->threads->threads[index], descriptor ? descriptor->inode : 0);
    const char *name = wait->holder ? process_name(finder, wait->holder) : NULL;
    if (wait->holder == finder->target->pid)
        wait->text = "file lock held by this process";
    else if (name)
        wait->text = finder_text(finder, "file lock held by process %s", name);
    else
        wait->text = "file lock";
    const char *process =
        wait->holder ? finder_text(finder, ", process %d", (int)wait->holder) : "";
    wait->detail = finder_text(finder, "%s (on %s, fd %d%s)", wait->text, file, wait->fd, process);
}
