/* stopped.c: threads that the C library has parked for ever.
 *
 * The kernel refuses a priority-inheriting mutex with EDEADLK when its owner waits,
 * directly or not, for the one who asks, and with ESRCH when its owner is dead. glibc then
 * has the thread wait, without end, for a word of its own stack: it can never go on. At which
 * mutex, only a register of the thread may still know. Where the caller's frames hold it
 * too, or the struct that it is in, it is found by its owner, of whom the kernel's word
 * must be true; else it is not named. */
#include "waits/finder.h"

#include "base/target.h"
#include "sources/threads.h"
#include "unwind/unwind.h"

#include <linux/futex.h>
#include <pthread.h>

#define CALLERS 2     /* frames outside the library that are looked through */
#define WORDS_MAX 512 /* of the stack */
#define NEAR_WORDS 32 /* behind a pointer, that a mutex may begin in */
#define MUTEX_WORDS (sizeof(pthread_mutex_t) / sizeof(uint64_t))

void stopped_find(struct finder *finder, size_t index, const struct futex_call *call)
{
    struct clue *clue = &finder->clues[index];
    struct stack_trace trace;
    uint32_t word;
    finder->set->waits[index].kind = WAIT_MUTEX;
    clue->what = "mutex";
    clue->type = "priority-inheriting";
    if (!finder_walk(finder, &finder->threads->threads[index], &trace) ||
        !target_read_all(finder->target, call->address, &word, sizeof word) || word != 0)
        return;
    size_t depth = called_depth(&finder->namer, trace.frames, trace.count);
    clue->stopped =
        depth < trace.count && call->address >= trace.sps[0] && call->address < trace.sps[depth];
}

/* Whether the thread with the id OWNER waits for that at INDEX, directly or not. */
static bool leads_to(struct finder *finder, pid_t owner, size_t index)
{
    size_t at = owner_index(finder, owner);
    for (size_t steps = 0; at != SIZE_MAX && steps <= finder->set->count; steps++) {
        if (at == index)
            return true;
        at = finder->set->waits[at].next;
    }
    return false;
}

/* What was found so far: the best is nearest to a pointer. */
struct candidate {
    uint64_t mutex; /* 0: none */
    size_t distance;
    bool ambiguous; /* another is as near */
};

/* How far MUTEX, DISTANCE words behind a pointer, is from what INDEX's thread cannot have;
 * SIZE_MAX: it is not that. */
static size_t rate(struct finder *finder, size_t index, const pthread_mutex_t *mutex,
                   size_t distance)
{
    pid_t owner = (pid_t)((unsigned)mutex->__data.__lock & FUTEX_TID_MASK);
    int kind = mutex->__data.__kind;
    if ((kind & ~KIND_KNOWN) || !(kind & KIND_INHERITS) || owner == 0 ||
        mutex->__data.__owner != owner || mutex->__data.__nusers == 0)
        return SIZE_MAX;
    if (owner_index(finder, owner) == index)
        return SIZE_MAX; /* mostly what it took before, on the way here */
    bool refused = leads_to(finder, owner, index) ||
                   (owner_index(finder, owner) == SIZE_MAX && !owner_exists(finder, owner));
    return refused ? distance : SIZE_MAX;
}

static void look_behind(struct finder *finder, size_t index, uint64_t pointer,
                        struct candidate *best)
{
    union {
        uint64_t words[NEAR_WORDS + MUTEX_WORDS];
        pthread_mutex_t mutex;
    } near;
    if (pointer % sizeof(uint64_t) != 0)
        return;
    ssize_t got = target_read(finder->target, pointer, near.words, sizeof near.words);
    for (size_t i = 0; (ssize_t)((i + MUTEX_WORDS) * sizeof(uint64_t)) <= got; i++) {
        uint64_t mutex = pointer + i * sizeof(uint64_t);
        size_t distance = rate(finder, index, (const void *)&near.words[i], i);
        if (distance == SIZE_MAX || (best->mutex && distance > best->distance))
            continue;
        bool as_near = best->mutex && distance == best->distance;
        best->ambiguous = as_near && (best->ambiguous || best->mutex != mutex);
        best->mutex = mutex;
        best->distance = distance;
    }
}

static void resolve(struct finder *finder, size_t index)
{
    struct stack_trace trace;
    uint64_t words[WORDS_MAX];
    if (!finder_walk(finder, &finder->threads->threads[index], &trace))
        return;
    size_t last = called_depth(&finder->namer, trace.frames, trace.count) + CALLERS;
    if (last >= trace.count)
        last = trace.count - 1;
    uint64_t size = trace.sps[last] - trace.sps[0];
    ssize_t got = target_read(finder->target, trace.sps[0], words,
                              size < sizeof words ? (size_t)size : sizeof words);
    struct candidate best = { 0 };
    for (ssize_t i = 0; i < got / (ssize_t)sizeof *words; i++)
        look_behind(finder, index, words[i], &best);
    if (best.mutex && !best.ambiguous)
        object_mutex_at(finder, index, best.mutex, true);
}

void stopped_resolve(struct finder *finder)
{
    for (size_t i = 0; i < finder->set->count; i++)
        if (finder->clues[i].stopped)
            resolve(finder, i);
}
