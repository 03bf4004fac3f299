/* procfs.c: what procfs tells of one thread that capturing needs; see procfs.h.
 *
 * Formats are those of proc_pid_syscall(5), proc_pid_status(5) and the
 * kernel's Documentation/scheduler/sched-stats.rst. The counters are chosen once: a kernel built
 * without scheduler information prints "0 0 0" for every thread, which would
 * prove every thread still. */
#include "capture/procfs.h"

#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_SIZE 4096

static bool parse_number(const char **text, uint64_t *value)
{
    const char *at = *text;
    while (*at == ' ' || *at == '\t')
        at++;
    if (*at < '0' || *at > '9')
        return false;
    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        *value = *value * 10 + (uint64_t)(*at - '0');
    *text = at;
    return true;
}

static bool parse_hex(const char **text, uint64_t *value)
{
    const char *at = *text;
    while (*at == ' ' || *at == '\t')
        at++;
    if (at[0] == '0' && at[1] == 'x')
        at += 2;
    const char *start = at;
    *value = 0;
    for (;; at++) {
        if (*at >= '0' && *at <= '9')
            *value = *value << 4 | (uint64_t)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            *value = *value << 4 | (uint64_t)(*at - 'a' + 10);
        else
            break;
    }
    *text = at;
    return at > start;
}

/* The text behind LABEL (which begins with a newline) in a status file, or NULL. */
static const char *field(const char *status, const char *label)
{
    const char *at = strstr(status, label);
    return at ? at + strlen(label) : NULL;
}

ssize_t procfs_read(struct descriptors *descriptors, pid_t tid, const char *name, char *text,
                    size_t size)
{
    text[0] = 0;
    int fd = descriptors_open(descriptors, tid, name);
    if (fd < 0)
        return fd;
    ssize_t length = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (length < 0)
        return -error;
    text[length] = 0;
    return length;
}

bool procfs_parse_schedstat(const char *text, struct stillness *out)
{
    return parse_number(&text, &out->run_ns) && parse_number(&text, &out->wait_ns) &&
           parse_number(&text, &out->slices);
}

bool procfs_parse_switches(const char *text, struct stillness *out)
{
    const char *voluntary = field(text, "\nvoluntary_ctxt_switches:");
    const char *forced = field(text, "\nnonvoluntary_ctxt_switches:");
    *out = (struct stillness){ 0 };
    return voluntary && forced && parse_number(&voluntary, &out->run_ns) &&
           parse_number(&forced, &out->wait_ns);
}

static bool counters_usable(const struct target *target, const char *name,
                            bool (*parse)(const char *text, struct stillness *out),
                            bool unless_zero)
{
    char path[64];
    char text[STATUS_SIZE];
    struct stillness own;
    snprintf(path, sizeof path, "/proc/thread-self/%s", name);
    int directory = AT_FDCWD;
    if (target->self) {
        snprintf(path, sizeof path, "%d/%s", (int)gettid(), name);
        directory = target->task_fd;
    }
    return proc_read(directory, path, text, sizeof text) > 0 && parse(text, &own) &&
           (!unless_zero || own.run_ns > 0 || own.wait_ns > 0 || own.slices > 0);
}

enum counters procfs_choose_counters(const struct target *target)
{
    if (counters_usable(target, "schedstat", procfs_parse_schedstat, true))
        return COUNTERS_SCHEDSTAT;
    if (counters_usable(target, "status", procfs_parse_switches, false))
        return COUNTERS_SWITCHES;
    return COUNTERS_NONE;
}

/* A kept descriptor answers ESRCH for ever once its thread is gone, whoever has its id now. */
static int read_kept(struct descriptors *descriptors, struct thread_files *files,
                     struct stillness *out)
{
    char text[96];
    ssize_t length = pread(files->schedstat, text, sizeof text - 1, 0);
    if (length <= 0) {
        int error = length < 0 ? -errno : -ESRCH;
        descriptors_close(descriptors, files->schedstat);
        files->epoch = 0;
        return error;
    }
    text[length] = 0;
    return procfs_parse_schedstat(text, out) ? 0 : -EPROTO;
}

static int read_schedstat(struct descriptors *descriptors, pid_t tid, struct thread_files *files,
                          struct stillness *out)
{
    if (files->epoch == descriptors->epoch)
        return read_kept(descriptors, files, out);
    char text[96];
    int fd = descriptors_open(descriptors, tid, "schedstat");
    if (fd < 0)
        return fd;
    ssize_t length = read(fd, text, sizeof text - 1);
    int error = length < 0 ? -errno : 0;
    if (!error && descriptors_keep(descriptors, fd))
        *files = (struct thread_files){ .schedstat = fd, .epoch = descriptors->epoch };
    else
        close(fd);
    if (error)
        return error;
    text[length] = 0;
    return procfs_parse_schedstat(text, out) ? 0 : -EPROTO;
}

int procfs_stillness(struct descriptors *descriptors, enum counters counters, pid_t tid,
                     struct thread_files *files, struct stillness *out)
{
    char text[STATUS_SIZE];
    if (counters == COUNTERS_SCHEDSTAT)
        return read_schedstat(descriptors, tid, files, out);
    ssize_t length = procfs_read(descriptors, tid, "status", text, sizeof text);
    if (length < 0)
        return (int)length;
    if (counters == COUNTERS_SWITCHES && procfs_parse_switches(text, out))
        return 0;
    return -EPROTO;
}

int procfs_parse_registers(const char *text, struct captured *out)
{
    if (strncmp(text, "running", 7) == 0)
        return PROCFS_RUNNING;
    uint64_t number = 0;
    out->in_syscall = text[0] != '-';
    if (!out->in_syscall) /* "-1 SP PC": blocked, but not in a system call */
        text++;
    if (!parse_number(&text, &number))
        return -EPROTO;
    out->syscall_number = out->in_syscall ? (long)number : -1;
    for (size_t i = 0; out->in_syscall && i < 6; i++)
        if (!parse_hex(&text, &out->arguments[i]))
            return -EPROTO;
    struct registers *registers = &out->stack.registers;
    *registers = (struct registers){ 0 };
    if (!parse_hex(&text, &registers->sp) || !parse_hex(&text, &registers->ip))
        return -EPROTO;
    return 0;
}

int procfs_registers(struct descriptors *descriptors, pid_t tid, struct captured *out)
{
    char text[256];
    ssize_t length = procfs_read(descriptors, tid, "syscall", text, sizeof text);
    return length < 0 ? (int)length : procfs_parse_registers(text, out);
}

int procfs_signal_state(struct descriptors *descriptors, pid_t tid, struct signal_state *out)
{
    char text[STATUS_SIZE];
    ssize_t length = procfs_read(descriptors, tid, "status", text, sizeof text);
    if (length < 0)
        return (int)length;
    const char *state = field(text, "\nState:\t");
    const char *blocked = field(text, "\nSigBlk:");
    const char *mode = field(text, "\nSeccomp:");
    const char *filters = field(text, "\nSeccomp_filters:");
    uint64_t number;
    *out = (struct signal_state){ .state = state ? *state : '?' };
    if (!blocked || !parse_hex(&blocked, &out->blocked))
        return -EPROTO;
    if (mode && parse_number(&mode, &number))
        out->seccomp_mode = (unsigned)number;
    if (filters && parse_number(&filters, &number))
        out->seccomp_filters = (unsigned)number;
    return 0;
}
