/* own_threads.c: snag's own threads, from outside; see own_threads.h.
 *
 * The process says which they are, by the ids that it knows itself: in a container others than
 * /proc shows here. What it says may be old, so a thread must have the name, too, and the id that
 * it has within. A thread of the service's with that name alone stays in the lists. */
#include "sources/own_threads.h"

#include "base/own_threads.h"
#include "base/target.h"
#include "sources/task_list.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_SIZE 8192

static bool has_name(const struct target *target, pid_t tid, const char *name)
{
    char path[32];
    char text[64];
    snprintf(path, sizeof path, "%d/comm", (int)tid);
    ssize_t length = proc_read(target->task_fd, path, text, sizeof text);
    return length > 0 && (size_t)length == strlen(name) + 1 &&
           strncmp(text, name, strlen(name)) == 0;
}

/* The last number of the line behind LABEL: the id in the innermost namespace. *COUNT: how many. */
static pid_t innermost(const char *status, const char *label, int *count)
{
    const char *at = strstr(status, label);
    pid_t last = 0;
    *count = 0;
    if (!at)
        return 0;
    for (at += strlen(label); *at == '\t' || (*at >= '0' && *at <= '9');) {
        if (*at == '\t') {
            at++;
            continue;
        }
        char *end;
        last = (pid_t)strtol(at, &end, 10);
        at = end;
        ++*count;
    }
    return last;
}

static bool is_in_namespace(const struct target *target)
{
    char status[STATUS_SIZE];
    int count;
    if (proc_read(target->proc_fd, "status", status, sizeof status) <= 0)
        return false;
    innermost(status, "\nNSpid:", &count);
    return count > 1;
}

static pid_t id_within(const struct target *target, pid_t tid)
{
    char path[32];
    char status[STATUS_SIZE];
    int count;
    snprintf(path, sizeof path, "%d/status", (int)tid);
    return proc_read(target->task_fd, path, status, sizeof status) > 0
               ? innermost(status, "\nNSpid:", &count)
               : 0;
}

/* The thread that is called NAME and knows itself as ID; 0. */
static pid_t search(struct target *target, pid_t id, const char *name)
{
    struct task_list list = { 0 };
    pid_t found = 0;
    if (task_list_read(&list, target) == 0)
        for (size_t i = 0; i < list.count && found == 0; i++) {
            pid_t tid = list.tasks[i].tid;
            if (has_name(target, tid, name) && id_within(target, tid) == id)
                found = tid;
        }
    task_list_free(&list);
    return found;
}

static pid_t find(struct target *target, pid_t id, const char *name)
{
    if (id <= 0)
        return 0;
    if (is_in_namespace(target))
        return search(target, id, name);
    return has_name(target, id, name) ? id : 0;
}

void own_threads_find(struct target *target, uint64_t root)
{
    struct own_threads own;
    target->own_tid = target->voice_tid = 0;
    if (root == 0 || !target_read_all(target, root, &own, sizeof own) ||
        own.magic != OWN_THREADS_MAGIC || own.version != OWN_THREADS_VERSION ||
        own.size != sizeof own)
        return;
    /* A copy of ours: its plain values. */
    pid_t engine = atomic_load_explicit(&own.engine, memory_order_relaxed);
    pid_t log = atomic_load_explicit(&own.log, memory_order_relaxed);
    engine = find(target, engine, ENGINE_THREAD_NAME);
    log = find(target, log, LOG_THREAD_NAME);
    target->own_tid = engine;
    target->voice_tid = log;
}
