/* once.c: who runs the initialisation that others wait for.
 *
 * pthread_once records nobody. But whoever runs the function is still inside
 * pthread_once, whose frame holds the address of the control that it will mark as
 * done. A thread whose own init function calls pthread_once again on the same
 * control waits for itself. */
#include "waits/finder.h"

#include "base/stack.h"
#include "base/target.h"
#include "sources/threads.h"
#include "unwind/unwind.h"

/* Below are the system call and, of one who waits, pthread_once itself. */
#define INNERMOST 2
#define FRAME_MAX 1024 /* bytes of pthread_once's own frame that are looked through */

/* glibc's pthread_once.c: the two low bits of the control. */
#define ONCE_STATE 3u
#define ONCE_IN_PROGRESS 1u

/* Whether ADDRESS is among the words from LOW to HIGH. */
static bool holds(struct finder *finder, uint64_t low, uint64_t high, uint64_t address)
{
    uint64_t words[FRAME_MAX / 8];
    size_t size = high - low < sizeof words ? (size_t)(high - low) : sizeof words;
    ssize_t got = target_read(finder->target, low, words, size & ~(size_t)7);
    for (ssize_t i = 0; i < got / (ssize_t)sizeof *words; i++)
        if (words[i] == address)
            return true;
    return false;
}

static bool is_once(const struct called *called)
{
    return called && called->class == CALLED_ONCE;
}

/* Whether THREAD is inside an init function that pthread_once(CONTROL) called. */
static bool runs(struct finder *finder, const struct thread_sample *thread, uint64_t control)
{
    const struct namer *namer = &finder->namer;
    bool may = false;
    for (size_t i = INNERMOST; i < thread->frame_count && !may; i++)
        may = is_once(called_at(namer, thread->frames, thread->frame_count, i));
    struct stack_trace trace;
    if (!may || !finder_walk(finder, thread, &trace))
        return false;
    for (size_t i = INNERMOST; i + 1 < trace.count; i++)
        if (is_once(called_at(namer, trace.frames, trace.count, i)) &&
            holds(finder, trace.sps[i], trace.sps[i + 1], control))
            return true;
    return false;
}

void object_once(struct finder *finder, size_t index, const struct futex_call *call)
{
    struct wait *wait = &finder->set->waits[index];
    struct clue *clue = &finder->clues[index];
    const struct thread_dump *threads = finder->threads;
    wait->kind = WAIT_ONCE;
    wait->object = call->address;
    clue->what = "once";
    clue->relation = "run by";
    if (!clue_read(finder, clue, call->address, 4) || (clue->word & ONCE_STATE) != ONCE_IN_PROGRESS)
        return;
    for (size_t i = 0; i < threads->count; i++)
        if (runs(finder, &threads->threads[i], call->address)) {
            owner_set_thread(finder, index, threads->threads[i].tid);
            return;
        }
}
