/* dump_access.h: what the kernel refuses, why, and what to do about it.
 *
 * Facts are gathered in one place (dump_facts.c) and judged in another (dump_access.c), which asks
 * nobody: so every case can be tried on any machine. */
#ifndef SNAG_CLI_DUMP_ACCESS_H
#define SNAG_CLI_DUMP_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target;

enum { REAL, EFFECTIVE, SAVED, IDS };

#define NO_YAMA (-1)

struct access_facts {
    pid_t process;
    const char *name;   /* of the process */
    char user_name[48]; /* of its effective user, and of the caller's; "": it has none */
    char own_user_name[48];

    bool lists_refused;     /* what PTRACE_MODE_READ is for: maps, fd */
    bool registers_refused; /* what PTRACE_MODE_ATTACH is for: syscall ... */
    bool memory_refused;    /* ... and process_vm_readv, mem */
    bool is_dumpable;

    uid_t users[IDS]; /* of the process */
    gid_t groups[IDS];
    uint64_t capabilities; /* permitted */

    uid_t own_user; /* of the caller, effective */
    gid_t own_group;
    uint64_t own_capabilities; /* permitted */
    bool may_trace;            /* has CAP_SYS_PTRACE in effect */
    bool is_capped;            /* cannot get it either, by its bounding set */
    bool is_inside;            /* in a user namespace that is not the machine's first one */
    bool is_filtered;          /* under a seccomp filter */
    bool is_contained;         /* in a container, by its marks */
    int yama;                  /* kernel.yama.ptrace_scope, or NO_YAMA */
};

/* Whether a dump that needs STACKS, or lists alone, can be made. */
bool access_is_given(const struct access_facts *facts, bool stacks);

/* Why not, and what to do: one sentence. */
void access_explain(const struct access_facts *facts, char *text, size_t size);

/* Gathers them: opens nothing for writing, stops nobody. Names of users are to be asked for apart:
 * a directory service may take its time for them. */
void access_facts_gather(struct access_facts *facts, struct target *target, const char *name);
void access_facts_name_users(struct access_facts *facts);

#endif
