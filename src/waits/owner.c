/* owner.c: who a lock's owner is, and the lock in words.
 *
 * An owner is a thread id that was written when the lock was taken. If it is no
 * thread of this process, that means one of several things, told apart here; only
 * one of them is that nobody will ever unlock. */
#include "waits/finder.h"

#include "base/inner_ids.h"
#include "base/target.h"
#include "sources/thread_facts.h"
#include "sources/threads.h"
#include "symbolize/symbolize.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_NS UINT64_C(1000000000)
#define FLAG_FORKED 0x00000040u /* the kernel's PF_FORKNOEXEC */

static int compare_tid(const void *tid, const void *thread)
{
    pid_t left = *(const pid_t *)tid;
    pid_t right = ((const struct thread_sample *)thread)->tid;
    return (left > right) - (left < right);
}

size_t thread_index(const struct thread_dump *threads, pid_t tid)
{
    const struct thread_sample *thread =
        bsearch(&tid, threads->threads, threads->count, sizeof *threads->threads, compare_tid);
    return thread ? (size_t)(thread - threads->threads) : SIZE_MAX;
}

size_t owner_index(struct finder *finder, pid_t id)
{
    pid_t tid = outer_tid(finder->target, id);
    return tid ? thread_index(finder->threads, tid) : SIZE_MAX;
}

/* In a pid namespace of its own all threads are asked for theirs, so what is gone is kept in mind:
 * thousands may wait for one. */
static bool exists_nested(struct finder *finder, pid_t id)
{
    if (id == finder->gone_id)
        return false;
    inner_ids_forget(finder->target);
    bool exists = outer_tid(finder->target, id) != 0;
    if (!exists)
        finder->gone_id = id;
    return exists;
}

bool owner_exists(struct finder *finder, pid_t id)
{
    char name[16];
    if (ids_are_nested(finder->target))
        return exists_nested(finder, id);
    snprintf(name, sizeof name, "%d", (int)id);
    return faccessat(finder->target->task_fd, name, F_OK, 0) == 0;
}

const char *process_name(struct finder *finder, pid_t pid)
{
    char path[32];
    char text[80];
    char name[64];
    snprintf(path, sizeof path, "../%d/comm", (int)pid);
    ssize_t length = proc_read(finder->target->proc_fd, path, text, sizeof text);
    if (length <= 0)
        return NULL;
    thread_name_parse(text, (size_t)length, name);
    return finder_text(finder, "%s", name);
}

/* Whether the process is a fork's child that has not called exec: what the forking
 * thread had locked then carries the id that it has in the parent. */
static bool is_forked(struct finder *finder)
{
    char text[1024];
    struct thread_facts facts;
    if (finder->forked < 0) {
        ssize_t length = proc_read(finder->target->proc_fd, "stat", text, sizeof text);
        bool known = length > 0 && thread_facts_parse(text, (size_t)length, &facts);
        finder->forked = !known || (facts.flags & FLAG_FORKED);
    }
    return finder->forked;
}

/* The owner is no thread of the dump. */
static void set_foreign(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    struct clue *clue = &finder->clues[index];
    bool is_leader = finder->threads->threads[index].tid == finder->target->pid;
    if (target_is_own(finder->target, wait->holder)) {
        clue->owner = "snag";
    } else if (owner_exists(finder, clue->owner_id)) {
        clue->owner = "a thread that has just begun";
    } else if (clue->shared) {
        const char *name = wait->holder ? process_name(finder, wait->holder) : NULL;
        clue->owner = name ? finder_text(finder, "process %s", name) : "another process";
    } else if (is_forked(finder) && !is_leader) {
        clue->owner = "a thread of before the fork";
    } else {
        wait->holder_gone = true;
    }
}

/* WAIT's holder and the owner's id are set. */
static void find_owner(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    wait->next = wait->holder ? thread_index(finder->threads, wait->holder) : SIZE_MAX;
    if (wait->next == SIZE_MAX) {
        set_foreign(finder, index);
        return;
    }
    char state = finder->threads->threads[wait->next].state;
    wait->holder_gone = state == 'Z' || state == 'X'; /* the first thread stays listed */
    if (wait->holder_gone)
        wait->next = SIZE_MAX;
}

void owner_set(struct finder *finder, size_t index, pid_t id)
{
    if (id <= 0)
        return;
    finder->clues[index].owner_id = id;
    finder->set->waits[index].holder = outer_tid(finder->target, id);
    find_owner(finder, index);
}

void owner_set_thread(struct finder *finder, size_t index, pid_t tid)
{
    finder->clues[index].owner_id = tid;
    finder->set->waits[index].holder = tid;
    find_owner(finder, index);
}

/* "mutex held by worker-3", whatever of it is known. */
static const char *label(struct finder *finder, size_t index)
{
    const struct wait *wait = &finder->set->waits[index];
    const struct clue *clue = &finder->clues[index];
    if (wait->holder_gone)
        return finder_text(finder, "%s whose owner is gone", clue->what);
    if (clue->stopped && wait->next == SIZE_MAX)
        return finder_text(finder, "%s that the kernel refuses for ever", clue->what);
    const char *owner = clue->owner;
    if (wait->next == index)
        owner = "itself";
    else if (wait->next != SIZE_MAX)
        owner = finder->threads->threads[wait->next].name;
    if (!owner)
        return clue->what;
    return finder_text(finder, "%s%s%s %s", clue->what, clue->relation ? " " : "",
                       clue->relation ? clue->relation : "", owner);
}

/* The static variable that the lock of waits[index] is in. Looked for only where somebody has
 * waited for some time, and will want to know. */
static const char *variable(struct finder *finder, size_t index)
{
    const struct wait *wait = &finder->set->waits[index];
    struct kept_variable *kept = &finder->variables[wait->object / sizeof(uint64_t) % MUTEXES_KEPT];
    bool is_wanted = wait->never || finder->threads->threads[index].blocked_ns >= LONG_NS;
    if (!is_wanted || wait->object == 0 || wait->kind == WAIT_JOIN)
        return NULL;
    if (kept->address != wait->object) {
        const char *name = symbolize_variable(finder->namer.symbolizer, wait->object);
        kept->name = name ? finder_text(finder, "%s", name) : NULL;
        kept->address = wait->object;
    }
    return kept->name;
}

void owner_name(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    const struct clue *clue = &finder->clues[index];
    wait->text = label(finder, index);
    wait->variable = variable(finder, index);
    struct sink *sink = finder_words(finder);
    sink_printf(sink, "%s (", wait->text);
    if (clue->type)
        sink_printf(sink, "%s, ", clue->type);
    if (wait->variable)
        sink_printf(sink, "%s ", wait->variable);
    if (wait->object)
        sink_printf(sink, "at 0x%" PRIx64, wait->object);
    else
        sink_puts(sink, "address not known");
    if (wait->holder)
        sink_printf(sink, ", thread %d", (int)wait->holder);
    sink_printf(sink, "%s)", wait->timed ? ", for a limited time" : "");
    wait->detail = finder_said(finder);
}
