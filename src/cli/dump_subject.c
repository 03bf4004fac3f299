/* dump_subject.c: whether a number is the id of a process that has stacks to show.
 *
 * A number may as well be that of a thread, of a kernel thread, of a process that has ended and is
 * only waited for, or of one that /proc hides. Each is told by what /proc/PID/stat and status say,
 * so that the answer is a sentence and not an empty dump. */
#include "cli/commands.h"
#include "cli/dump.h"

#include "base/proc_file.h"
#include "base/sink.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_SIZE 8192
#define CALLED_SHOWN 16           /* processes of the same name */
#define KERNEL_THREAD 0x00200000u /* PF_KTHREAD, a flag of stat */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#endif

/* Reads /proc/PROCESS/NAME; the length, or a negative errno. */
static ssize_t read_of(pid_t process, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, name);
    return proc_read(AT_FDCWD, path, text, size);
}

/* The number behind LABEL of a status file; -1 without. */
static long number_behind(const char *status, const char *label)
{
    const char *at = strstr(status, label);
    return at ? strtol(at + strlen(label), NULL, 10) : -1;
}

static char state_of(const char *status)
{
    static const char label[] = "\nState:\t";
    const char *at = strstr(status, label);
    return at ? at[sizeof label - 1] : '?';
}

void dump_subject_name(pid_t process, char name[DUMP_NAME_SIZE])
{
    ssize_t length = read_of(process, "comm", name, DUMP_NAME_SIZE);
    if (length <= 0) {
        snprintf(name, DUMP_NAME_SIZE, "?");
        return;
    }
    if (name[length - 1] == '\n')
        name[length - 1] = 0;
    struct sink_buffer plain; /* it was chosen by somebody else */
    sink_buffer_init(&plain);
    sink_plain(&plain.sink, name);
    if (plain.sink.error == 0 && plain.length > 0)
        snprintf(name, DUMP_NAME_SIZE, "%.*s", (int)plain.length, plain.bytes);
    sink_buffer_free(&plain);
}

/* The leader is a zombie, too, while other threads go on. */
static bool is_over(const char *status)
{
    char state = state_of(status);
    return (state == 'Z' || state == 'X') && number_behind(status, "\nThreads:\t") <= 1;
}

bool dump_subject_has_ended(pid_t process)
{
    char status[STATUS_SIZE];
    ssize_t length = read_of(process, "status", status, sizeof status);
    /* Without a descriptor or memory of our own, nothing is known of it. */
    return length > 0 ? is_over(status) : length == 0 || length == -ENOENT || length == -ESRCH;
}

/* Field 9 of stat, counted from the bracket behind the name, which may hold anything. */
static bool is_kernel_thread(pid_t process)
{
    char text[1024];
    if (read_of(process, "stat", text, sizeof text) <= 0)
        return false;
    const char *field = strrchr(text, ')');
    for (int number = 2; field && number < 9; number++)
        field = strchr(field + 1, ' ');
    return field && (strtoul(field, NULL, 10) & KERNEL_THREAD);
}

static int refuse_unseen(pid_t process, ssize_t error)
{
    if (error != -ENOENT && error != -ESRCH)
        complain("dump",
                 "cannot read /proc/%d: %s (a /proc that is mounted with hidepid shows a "
                 "process to its own user only: run it as that user or with sudo)",
                 (int)process, strerror((int)-error));
    else if (kill(process, 0) == 0 || errno == EPERM)
        complain("dump",
                 "process %d is there, but /proc hides it (mounted with hidepid): run it "
                 "as the process's user or with sudo",
                 (int)process);
    else
        complain("dump", "there is no process %d", (int)process);
    return STATUS_FAILED;
}

/* STATUS_OK, or STATUS_FAILED after a line on stderr. */
static int check(pid_t process)
{
    char status[STATUS_SIZE];
    char name[DUMP_NAME_SIZE];
    ssize_t length = read_of(process, "status", status, sizeof status);
    if (length <= 0)
        return refuse_unseen(process, length);
    long leader = number_behind(status, "\nTgid:\t");
    dump_subject_name(process, name);
    if (process == getpid())
        complain("dump", "process %d is this command itself", (int)process);
    else if (leader > 0 && leader != process)
        complain("dump", "%d is no process but a thread (%s) of process %ld: snag dump %ld",
                 (int)process, name, leader, leader);
    else if (is_kernel_thread(process))
        complain("dump",
                 "process %d (%s) is a thread of the kernel: /proc/%d/stack is all there "
                 "is of it",
                 (int)process, name, (int)process);
    else if (is_over(status))
        complain("dump",
                 "process %d (%s) has ended and waits for process %ld to ask for its "
                 "status (a zombie): there is nothing left of it to show",
                 (int)process, name, number_behind(status, "\nPPid:\t"));
    else
        return STATUS_OK;
    return STATUS_FAILED;
}

/* Whether the process is called TEXT: the name that it has itself, or its program's, which its
 * first argument tells in full. */
static bool is_called(const char *process, const char *text)
{
    char path[64];
    char own[4096];
    snprintf(path, sizeof path, "/proc/%.20s/comm", process);
    ssize_t length = proc_read(AT_FDCWD, path, own, sizeof own);
    if (length > 0 && (size_t)length == strlen(text) + 1 && strncmp(own, text, strlen(text)) == 0)
        return true;
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", process);
    if (proc_read(AT_FDCWD, path, own, sizeof own) <= 0)
        return false;
    const char *slash = strrchr(own, '/');
    return strcmp(slash ? slash + 1 : own, text) == 0;
}

/* Puts the ids of the processes that are called TEXT into IDS; how many there are. */
static size_t find_called(const char *text, char *ids, size_t size)
{
    DIR *all = opendir("/proc");
    size_t count = 0;
    size_t length = 0;
    ids[0] = 0;
    for (const struct dirent *entry; all && (entry = readdir(all)) != NULL;) {
        const char *id = entry->d_name;
        if (*id < '0' || *id > '9' || !is_called(id, text))
            continue;
        if (++count <= CALLED_SHOWN)
            length += (size_t)snprintf(ids + length, size - length, " %.20s", id);
    }
    if (all)
        closedir(all);
    return count;
}

static int refuse_name(const char *text)
{
    char ids[CALLED_SHOWN * 24];
    size_t count = *text ? find_called(text, ids, sizeof ids) : 0;
    if (count == 0)
        complain("dump", "'%s' is no process id, which is a number, and no process is called so",
                 text);
    else if (count == 1)
        complain("dump", "'%s' is no process id; a process that is called so is%s: snag dump%s",
                 text, ids, ids);
    else
        complain("dump", "'%s' is no process id; %zu processes are called so:%s%s", text, count,
                 ids, count > CALLED_SHOWN ? " ..." : "");
    return STATUS_USAGE;
}

int dump_subject_find(const char *text, pid_t *process)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < 1 || number > INT_MAX)
        return refuse_name(text);
    *process = (pid_t)number;
    return check(*process);
}

/* The head of the program's file; false where it cannot be read, which proves nothing. */
static bool read_head(struct lab *lab, Elf64_Ehdr *head)
{
    char path[PATH_MAX];
    ssize_t length = readlinkat(lab->target.proc_fd, "exe", path, sizeof path - 1);
    if (length <= 0)
        return false;
    path[length] = 0;
    if (!target_path_answers(&lab->target, path))
        return false;
    int fd = openat(lab->target.proc_fd, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = pread(fd, head, sizeof *head, 0);
    close(fd);
    return got == sizeof *head && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0;
}

int dump_subject_check_program(struct lab *lab)
{
    Elf64_Ehdr head;
    if (!read_head(lab, &head))
        return STATUS_OK;
    bool is_wide = head.e_ident[EI_CLASS] == ELFCLASS64;
    if (is_wide && head.e_machine == OUR_MACHINE)
        return STATUS_OK;
    complain("dump", "process %d runs a program %s: snag reads 64-bit programs of this machine",
             (int)lab->target.pid,
             is_wide ? "for another machine" : "of 32 bits, whose stacks it cannot read");
    return STATUS_FAILED;
}
