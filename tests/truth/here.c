/* here.c: the ways of blocking again, for the stack that a thread walks itself.
 *
 * The linker puts __wrap_truth_mark in the place of truth_mark: each way, right
 * before it blocks, walks its own stack by libsnag's stack_here and by libgcc's unwinder, in the
 * same function, and the two must be equal, address by address, out to the end. So must be which
 * addresses are those of interrupted instructions. Then it asks for the stack's number, over and
 * over, as the later ones come without a walk: the stack that each is of must be the same, too.
 * Exit status 0 when all are. */
#include "truth.h"

#include "api/inside.h"
#include "base/stack.h"
#include "stacks/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#define MOST_WAYS 250
#define STACK_BYTES ((size_t)4 << 20)
#define NUMBERS 4

struct walked {
    const char *name;
    int marked; /* atomic: the rest is set */
    const char *skipped;
    enum stack_end end;
    size_t own_count, true_count;
    uint32_t numbers[NUMBERS];
    uint64_t own[TRUTH_FRAMES];
    uint64_t truth[TRUTH_FRAMES];
    unsigned char interrupted[TRUTH_FRAMES];
};

static struct truth truths[MOST_WAYS];
static struct walked walks[MOST_WAYS];
static size_t way_count;
static char bss_stack[262144] __attribute__((aligned(4096)));
static __thread struct walked *mine;

void __wrap_truth_mark(void);
void __wrap_truth_skip(const char *why);

static _Unwind_Reason_Code record_frame(struct _Unwind_Context *context, void *argument)
{
    struct walked *walk = argument;
    int interrupted = 0;
    uint64_t address = _Unwind_GetIPInfo(context, &interrupted);
    if (address != 0 && walk->true_count < TRUTH_FRAMES) {
        walk->interrupted[walk->true_count] = interrupted != 0;
        walk->truth[walk->true_count++] = address;
    }
    return _URC_NO_REASON;
}

NOINLINE void __wrap_truth_mark(void)
{
    struct walked *walk = mine;
    walk->true_count = 0;
    _Unwind_Backtrace(record_frame, walk);
    struct stack_walk own = snag_inside()->stack_here(STACK_FRAME, 0, walk->own, TRUTH_FRAMES);
    walk->own_count = own.count;
    walk->end = own.end;
    for (int i = 0; i < NUMBERS; i++)
        walk->numbers[i] = snag_inside()->stack_number(STACK_FRAME, 0);
    __atomic_store_n(&walk->marked, 1, __ATOMIC_RELEASE);
}

void __wrap_truth_skip(const char *why)
{
    mine->skipped = why;
    __atomic_store_n(&mine->marked, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static NOINLINE void enter(void (*function)(void), int kind)
{
    char local[200];
    memset(local, kind, sizeof local);
    __asm__ volatile("" : : "r"(local) : "memory");
    function();
    STAY();
}

static void *thread_main(void *argument)
{
    size_t index = (size_t)(uintptr_t)argument;
    mine = &walks[index];
    truth_belongs_to(&truths[index]);
    enter(truths[index].way->block, (int)index);
    for (;;)
        pause();
    return NULL;
}

static void choose_stack(pthread_attr_t *attributes, enum way_stack stack)
{
    static int used;
    switch (stack) {
    case STACK_SMALLEST: pthread_attr_setstacksize(attributes, 16384); break;
    case STACK_IN_HEAP:
        pthread_attr_setstack(attributes, aligned_alloc(4096, 262144), 262144);
        break;
    case STACK_IN_BSS:
        if (!used++)
            pthread_attr_setstack(attributes, bss_stack, sizeof bss_stack);
        break;
    default: pthread_attr_setstacksize(attributes, STACK_BYTES);
    }
}

static void start_ways(const struct way *ways)
{
    for (; ways->name; ways++) {
        pthread_t thread;
        pthread_attr_t attributes;
        if (way_count == MOST_WAYS) {
            printf("more ways than MOST_WAYS\n");
            exit(2);
        }
        truths[way_count].way = ways;
        walks[way_count].name = ways->name;
        pthread_attr_init(&attributes);
        choose_stack(&attributes, ways->stack);
        if (pthread_create(&thread, &attributes, thread_main, (void *)(uintptr_t)way_count))
            exit(2);
        pthread_attr_destroy(&attributes);
        way_count++;
    }
}

/* Whether the stack numbered NUMBER is the one that was walked, as far as stacks are kept. */
static bool is_kept(const struct walked *walk, uint32_t number)
{
    const struct stack_pool *pool = snag_inside()->stack_pool();
    uint32_t place = pool->places[number];
    const uint64_t *chunk = (const uint64_t *)(uintptr_t)pool->chunks[place / POOL_CHUNK_WORDS];
    const struct stack_node *node = (const struct stack_node *)(chunk + place % POOL_CHUNK_WORDS);
    bool is_cut = walk->own_count > STACK_FRAMES_MAX;
    if (number < STACK_FIRST || node->end != (is_cut ? STACK_DEEPER : walk->end) ||
        node->count != (is_cut ? STACK_FRAMES_MAX : walk->own_count))
        return false;
    for (size_t i = 0; i < node->count; i++)
        if ((node->frames[i] & ~(FRAME_GUEST_MASK << FRAME_GUEST_SHIFT)) != walk->own[i])
            return false;
    return true;
}

/* The first frame of the truth is in __wrap_truth_mark itself. */
static bool is_equal(const struct walked *walk)
{
    if (walk->true_count == 0 || walk->own_count != walk->true_count - 1)
        return false;
    for (size_t i = 0; i < walk->own_count; i++) {
        bool exact = walk->own[i] & FRAME_EXACT;
        if (frame_address(walk->own[i]) != walk->truth[i + 1] ||
            (walk->interrupted[i + 1] && !exact))
            return false;
    }
    for (int i = 0; i < NUMBERS; i++)
        if (!is_kept(walk, walk->numbers[i]))
            return false;
    return true;
}

static void print(const struct walked *walk)
{
    printf("--- %s: ended by %s\n", walk->name, walk->end ? "a cut" : "the outermost frame");
    for (size_t i = 0; i < walk->own_count || i + 1 < walk->true_count; i++)
        printf("    0x%016lx 0x%016lx%s\n", i < walk->own_count ? (unsigned long)walk->own[i] : 0,
               i + 1 < walk->true_count ? (unsigned long)walk->truth[i + 1] : 0,
               i + 1 < walk->true_count && walk->interrupted[i + 1] ? " interrupted" : "");
}

static bool all_marked(void)
{
    for (int i = 0; i < 600; i++) {
        size_t marked = 0;
        for (size_t j = 0; j < way_count; j++)
            marked += (size_t)__atomic_load_n(&walks[j].marked, __ATOMIC_ACQUIRE);
        if (marked == way_count)
            return true;
        usleep(50000);
    }
    return false;
}

int main(void)
{
    size_t equal = 0, different = 0, cut = 0, skipped = 0;
    alarm(120);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    scene_set();
    start_ways(ways_io);
    start_ways(ways_locks);
    start_ways(ways_signals);
    start_ways(ways_frames);
    start_ways(ways_cpp);
    if (!all_marked())
        printf("not every way came to its mark\n");
    for (size_t i = 0; i < way_count; i++) {
        const struct walked *walk = &walks[i];
        if (walk->skipped || !walk->marked) {
            skipped++;
        } else if (is_equal(walk)) {
            equal++;
            cut += walk->end != STACK_WHOLE;
        } else {
            different++;
            print(walk);
        }
    }
    printf("RESULT equal %zu different %zu cut %zu skipped %zu\n", equal, different, cut, skipped);
    scene_end();
    fflush(stdout);
    _exit(different > 0 || equal == 0);
}
