/* thread_table.h: what is known of each thread, from dump to dump. */
#ifndef SNAG_SOURCES_THREAD_TABLE_H
#define SNAG_SOURCES_THREAD_TABLE_H

#include "capture/capture.h"
#include "sources/stack_store.h"
#include "sources/task_list.h"
#include "sources/thread_facts.h"

struct thread_record {
    pid_t tid;
    uint64_t inode;        /* see struct task; that of the last capture ... */
    uint64_t listed_inode; /* ... and now */
    struct thread_files files;
    struct thread_facts facts;

    /* Of the last capture. */
    enum capture_how how;
    const char *why;
    struct stillness still;
    bool is_still; /* `still` proves the stack, if it is unchanged */
    bool in_syscall;
    long syscall_number;
    uint64_t arguments[6];
    uint64_t stack_pointer;
    struct kept_stack *stack;
    bool blocked_known;        /* blocked_since is when it last ran; else when it was ... */
    uint64_t blocked_since_ns; /* ... first seen so (CLOCK_MONOTONIC) */

    /* Of the dump that is being made. */
    unsigned kept_dumps; /* in how many it was still since it was captured; 0: captured anew */
    uint64_t facts_dump; /* number of the dump that `facts` are from */
    bool gone;
    bool late; /* the time budget was used up before its turn */
};

struct thread_table {               /* all zero: empty */
    struct thread_record **records; /* by ascending tid */
    size_t count;
};

/* Makes TABLE have a record for each task of LIST and no other: those known
 * stay, new ones are empty. How many there was no memory for, or -ENOMEM with TABLE as it was. */
int thread_table_update(struct thread_table *table, const struct task_list *list,
                        struct capture *capture, struct stack_store *store);

/* Frees all records, their stacks and descriptors. */
void thread_table_clear(struct thread_table *table, struct capture *capture,
                        struct stack_store *store);

#endif
