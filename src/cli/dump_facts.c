/* dump_facts.c: what can be read of a process, and what its and the caller's rights are.
 *
 * Whether something is refused is tried, not concluded: rules of security modules are not to be
 * had. One thing is concluded: the kernel gives the files of a process that is not dumpable to root
 * (proc_pid(5)), so an owner of /proc/PID/status who is not the process's user tells it. */
#include "cli/dump_access.h"

#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define STATUS_SIZE 8192
#define CAP_SYS_PTRACE_BIT 19
#define FIRST_USER_NAMESPACE "user:[4026531837]" /* PROC_USER_INIT_INO */

static bool is_refusal(ssize_t error)
{
    return error == -EACCES || error == -EPERM;
}

/* The text behind LABEL, which begins with a newline; "" without. */
static const char *behind(const char *status, const char *label)
{
    const char *at = strstr(status, label);
    return at ? at + strlen(label) : "";
}

static uint64_t capabilities(const char *status, const char *label)
{
    return strtoull(behind(status, label), NULL, 16);
}

/* "real, effective, saved, file system" */
static void read_ids(const char *text, unsigned ids[IDS])
{
    for (int i = 0; i < IDS; i++) {
        char *end;
        ids[i] = (unsigned)strtoul(text, &end, 10);
        text = end;
    }
}

static void name_user(uid_t user, char *name, size_t size)
{
    const struct passwd *entry = getpwuid(user);
    if (entry)
        snprintf(name, size, "%s", entry->pw_name);
}

void access_facts_name_users(struct access_facts *facts)
{
    name_user(facts->users[EFFECTIVE], facts->user_name, sizeof facts->user_name);
    name_user(facts->own_user, facts->own_user_name, sizeof facts->own_user_name);
}

static void gather_process(struct access_facts *facts, const struct target *target)
{
    char status[STATUS_SIZE];
    struct stat owner;
    facts->is_dumpable = true;
    if (proc_read(target->proc_fd, "status", status, sizeof status) <= 0)
        return;
    read_ids(behind(status, "\nUid:"), facts->users);
    read_ids(behind(status, "\nGid:"), facts->groups);
    facts->capabilities = capabilities(status, "\nCapPrm:");
    if (fstatat(target->proc_fd, "status", &owner, 0) == 0)
        facts->is_dumpable = owner.st_uid == facts->users[EFFECTIVE];
}

static int yama_scope(void)
{
    char text[16];
    return proc_read(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", text, sizeof text) > 0
               ? atoi(text)
               : NO_YAMA;
}

static bool is_in_other_user_namespace(void)
{
    char link[64];
    ssize_t length = readlink("/proc/self/ns/user", link, sizeof link - 1);
    if (length <= 0)
        return false;
    link[length] = 0;
    return strcmp(link, FIRST_USER_NAMESPACE) != 0;
}

static void gather_own(struct access_facts *facts)
{
    char status[STATUS_SIZE];
    facts->own_user = geteuid();
    facts->own_group = getegid();
    facts->yama = yama_scope();
    facts->is_inside = is_in_other_user_namespace();
    facts->is_contained =
        access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
    if (proc_read(AT_FDCWD, "/proc/self/status", status, sizeof status) <= 0)
        return;
    facts->own_capabilities = capabilities(status, "\nCapPrm:");
    facts->may_trace = capabilities(status, "\nCapEff:") >> CAP_SYS_PTRACE_BIT & 1;
    facts->is_capped = !(capabilities(status, "\nCapBnd:") >> CAP_SYS_PTRACE_BIT & 1);
    facts->is_filtered = *behind(status, "\nSeccomp:\t") == '2';
}

/* A read at an address where nothing is: EFAULT where it is allowed. */
static bool memory_is_refused(const struct target *target)
{
    char byte;
    struct iovec to = { &byte, 1 };
    struct iovec from = { NULL, 1 };
    if (target->mem_fd >= 0)
        return false;
    return process_vm_readv(target->live_tid, &to, 1, &from, 1, 0) < 0 &&
           (errno == EPERM || errno == ENOSYS);
}

static bool list_is_refused(const struct target *target)
{
    int fd = openat(target->live_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return is_refusal(-errno);
    close(fd);
    return false;
}

void access_facts_gather(struct access_facts *facts, struct target *target, const char *name)
{
    char text[256];
    *facts = (struct access_facts){ .process = target->pid, .name = name };
    facts->lists_refused = list_is_refused(target);
    facts->registers_refused = is_refusal(proc_read(target->live_fd, "syscall", text, sizeof text));
    facts->memory_refused = memory_is_refused(target);
    gather_process(facts, target);
    gather_own(facts);
}
