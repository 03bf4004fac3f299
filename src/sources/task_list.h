/* task_list.h: the threads of the target, by name of their directories. */
#ifndef SNAG_SOURCES_TASK_LIST_H
#define SNAG_SOURCES_TASK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target;

struct task {
    pid_t tid;
    uint64_t inode; /* of /proc/PID/task/TID: another thread's is another */
};

struct task_list {
    struct task *tasks; /* by ascending tid, the looking thread left out */
    size_t count;
    bool complete; /* every thread that lived all the while is in it */

    size_t capacity;
    char *buffer; /* for the kernel's entries; all of them must fit */
    size_t buffer_size;
};

/* Lists anew. 0 or a negative errno. */
int task_list_read(struct task_list *list, struct target *target);
void task_list_free(struct task_list *list);

/* How many threads there are, the looking one left out; a negative errno. */
int task_count(struct target *target);

#endif
