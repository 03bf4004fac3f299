/* handles_ways.h: a thousand ways to one place, 18 frames each, for the
 * benchmarks of inventories. Three of the functions on the way are each one of ten, whose frames
 * have ten sizes; the others are the same on all. */
#ifndef SNAG_BENCH_HANDLES_WAYS_H
#define SNAG_BENCH_HANDLES_WAYS_H

#include <execinfo.h>

#define WAYS 1000
#define WAY_FRAMES 18
#define WAY_LEVELS 3
#define NOINLINE __attribute__((noinline))
#define KEEP(local) __asm__ volatile("" : : "r"(local) : "memory")

/* A way: its number, and what is done at its end. */
struct way {
    int number;
    int level;
    void (*end)(struct way *way);
    void *argument;
};

typedef void way_function(struct way *way);

static way_function *const *const way_levels[WAY_LEVELS];

static NOINLINE void way_on(struct way *way)
{
    char local[32];
    KEEP(local);
    if (way->level == WAY_LEVELS) {
        way->end(way);
    } else {
        int number = way->number;
        for (int i = 0; i < way->level; i++)
            number /= 10;
        way_levels[way->level++][number % 10](way);
    }
    KEEP(local);
}

#define WAY_FUNCTION(name, bytes)                                                                  \
    static NOINLINE void name(struct way *way)                                                     \
    {                                                                                              \
        char local[bytes];                                                                         \
        __asm__ volatile("# " #name : : "r"(local) : "memory");                                    \
        way_on(way);                                                                               \
        KEEP(local);                                                                               \
    }
#define WAY_TEN(name)                                                                              \
    WAY_FUNCTION(name##0, 24)                                                                      \
    WAY_FUNCTION(name##1, 40)                                                                      \
    WAY_FUNCTION(name##2, 56)                                                                      \
    WAY_FUNCTION(name##3, 72)                                                                      \
    WAY_FUNCTION(name##4, 104)                                                                     \
    WAY_FUNCTION(name##5, 136)                                                                     \
    WAY_FUNCTION(name##6, 168)                                                                     \
    WAY_FUNCTION(name##7, 232)                                                                     \
    WAY_FUNCTION(name##8, 264)                                                                     \
    WAY_FUNCTION(name##9, 328)                                                                     \
    static way_function *const name##_ten[] = { name##0, name##1, name##2, name##3, name##4,       \
                                                name##5, name##6, name##7, name##8, name##9 };
WAY_TEN(way_handler_)
WAY_TEN(way_step_)
WAY_TEN(way_store_)

static way_function *const *const way_levels[WAY_LEVELS] = { way_handler__ten, way_step__ten,
                                                             way_store__ten };

/* More frames, the same on each way. */
static NOINLINE void way_deeper(int frames, struct way *way)
{
    char local[40];
    KEEP(local);
    if (frames > 0)
        way_deeper(frames - 1, way);
    else
        way_on(way);
    KEEP(local);
}

static NOINLINE void way_count(struct way *way)
{
    void *frames[64];
    *(int *)way->argument = backtrace(frames, 64);
    KEEP(frames);
}

/* How many frames way_deeper has to add below a function that is called where this one is, for
 * there to be WAY_FRAMES. */
static NOINLINE int way_frames_missing(void)
{
    int count = 0;
    struct way way = { .end = way_count, .argument = &count };
    way_deeper(0, &way);
    return count < WAY_FRAMES ? WAY_FRAMES - count : 0;
}

/* Goes way NUMBER, and calls END there. MISSING is of way_frames_missing. */
static inline void way_go(int number, int missing, void (*end)(struct way *way), void *argument)
{
    struct way way = { .number = number, .end = end, .argument = argument };
    way_deeper(missing, &way);
}

#endif
