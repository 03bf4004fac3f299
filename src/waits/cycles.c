/* cycles.c: who can never go on, and the proof of it.
 *
 * Each thread waits for at most one other, so a deadlock is found by following
 * `next`. The edges were read one after the other, from threads that may have run meanwhile;
 * a cycle of them need never have existed. It is believed only if none of its
 * threads has run since it was captured, when its lock is read once more
 * and says the same, and still none has run: then there was a moment at which all of
 * it was true at once. Who waits for a limited time is in no deadlock.
 *
 * From there it spreads: who waits without limit for a thread that can never go on, or
 * for a lock whose owner is gone, never will either. */
#include "waits/finder.h"

#include "base/arena.h"
#include "base/target.h"
#include "sources/threads.h"

static bool is_still(const struct finder *finder, size_t index)
{
    return thread_source_is_still(finder->thread_source, &finder->threads->threads[index]);
}

/* Whether the lock says now what it said before. */
static bool says_the_same(struct finder *finder, size_t index)
{
    const struct clue *clue = &finder->clues[index];
    uint64_t word = 0;
    return clue->word_address != 0 &&
           target_read_all(finder->target, clue->word_address, &word, clue->word_size) &&
           word == clue->word;
}

static bool is_proven(struct finder *finder, size_t index)
{
    return is_still(finder, index) && says_the_same(finder, index) && is_still(finder, index);
}

/* What was said of the owner of waits[index] may not have been true of one moment. */
static void forget_owner(struct finder *finder, size_t index)
{
    struct wait *wait = &finder->set->waits[index];
    wait->holder = 0;
    wait->holder_gone = false;
    wait->next = SIZE_MAX;
    finder->clues[index].owner = NULL;
}

static bool is_proven_gone(struct finder *finder, size_t index)
{
    const struct wait *wait = &finder->set->waits[index];
    bool is_listed = thread_index(finder->threads, wait->holder) != SIZE_MAX; /* as dead */
    return is_still(finder, index) &&
           (is_listed || !owner_exists(finder, finder->clues[index].owner_id)) &&
           says_the_same(finder, index) && is_still(finder, index);
}

static void prove_gone(struct finder *finder)
{
    for (size_t i = 0; i < finder->set->count; i++) {
        struct wait *wait = &finder->set->waits[i];
        const struct clue *clue = &finder->clues[i];
        if (clue->stopped && is_still(finder, i))
            wait->never = true;
        bool doubtful = wait->holder_gone ? !is_proven_gone(finder, i)
                                          : wait->next == i && wait->timed && !is_proven(finder, i);
        if (doubtful)
            forget_owner(finder, i);
        else if (wait->holder_gone)
            wait->never |= !wait->timed && !clue->kernel_helps;
    }
}

static bool cycle_is_proven(struct finder *finder, const size_t *threads, size_t count)
{
    bool proven = true;
    for (size_t i = 0; i < count && proven; i++)
        proven = is_still(finder, threads[i]);
    for (size_t i = 0; i < count && proven; i++)
        proven = says_the_same(finder, threads[i]) || finder->clues[threads[i]].stopped;
    for (size_t i = 0; i < count && proven; i++)
        proven = is_still(finder, threads[i]);
    return proven;
}

/* The wait that index's thread hangs on without limit; SIZE_MAX. */
static size_t follow(const struct finder *finder, size_t index)
{
    const struct wait *wait = &finder->set->waits[index];
    return wait->timed ? SIZE_MAX : wait->next;
}

static void add_cycle(struct finder *finder, size_t first, struct cycle *cycles)
{
    struct wait_set *set = finder->set;
    size_t count = 0;
    size_t lowest = first;
    for (size_t at = first; count == 0 || at != first; at = follow(finder, at), count++)
        lowest = at < lowest ? at : lowest;
    size_t *threads = arena_array(&set->arena, count, sizeof *threads);
    if (!threads)
        return;
    for (size_t i = 0, at = lowest; i < count; i++, at = follow(finder, at))
        threads[i] = at;
    if (!cycle_is_proven(finder, threads, count)) {
        if (count == 1) /* nobody holds what it waits for: it has moved */
            forget_owner(finder, first);
        return;
    }
    cycles[set->cycle_count] = (struct cycle){ .threads = threads, .count = count };
    for (size_t i = 0; i < count; i++) {
        set->waits[threads[i]].never = true;
        set->waits[threads[i]].cycle = set->cycle_count;
    }
    set->cycle_count++;
}

/* Every cycle of edges. SEEN[i] is 0, or the number of the walk that came by. */
static void find_cycles(struct finder *finder, size_t *seen)
{
    struct wait_set *set = finder->set;
    struct cycle *cycles = arena_array(&set->arena, set->count, sizeof *cycles);
    if (!cycles)
        return;
    set->cycles = cycles;
    for (size_t i = 0; i < set->count; i++) {
        size_t at = i;
        for (; at != SIZE_MAX && seen[at] == 0; at = follow(finder, at))
            seen[at] = i + 1;
        if (at != SIZE_MAX && seen[at] == i + 1)
            add_cycle(finder, at, cycles);
    }
}

/* Those behind: PATH is room for one walk along the edges. A walk ends at one
 * whose fate is known (KNOWN), and settles all that led there. */
static void spread(struct finder *finder, size_t *path, bool *known)
{
    struct wait_set *set = finder->set;
    for (size_t i = 0; i < set->count; i++) {
        size_t length = 0;
        size_t at = i;
        for (; at != SIZE_MAX && !known[at]; at = follow(finder, at)) {
            known[at] = true;
            path[length++] = at;
        }
        bool never = at != SIZE_MAX && set->waits[at].never;
        while (length > 0) {
            struct wait *wait = &set->waits[path[--length]];
            if (!wait->never && never)
                wait->never = is_proven(finder, path[length]);
            never = wait->never;
        }
    }
}

void cycles_find(struct finder *finder)
{
    size_t count = finder->set->count;
    size_t *numbers = arena_array(&finder->scratch, count + 1, sizeof *numbers);
    bool *known = arena_array(&finder->scratch, count + 1, sizeof *known);
    prove_gone(finder);
    if (!numbers || !known)
        return;
    find_cycles(finder, numbers);
    spread(finder, numbers, known);
}
