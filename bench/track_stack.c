/* track_stack.c: what a thread's own walk costs, beside libgcc's unwinder.
 *   track_stack [FRAMES]     prints one line: walk NS number NS libgcc NS frames N
 * Each figure is the least of many short rounds. */
#include "api/inside.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unwind.h>

#define ROUNDS 3000
#define WALKS 50
#define FRAMES 256

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t frames[FRAMES];
static size_t count;

static void by_walk(void)
{
    count = snag_inside()->stack_here(STACK_FRAME, 0, frames, FRAMES).count;
}

static void by_number(void)
{
    snag_inside()->stack_number(STACK_FRAME, 0);
}

static _Unwind_Reason_Code take(struct _Unwind_Context *context, void *argument)
{
    size_t *taken = argument;
    if (*taken < FRAMES)
        frames[(*taken)++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

static void by_libgcc(void)
{
    size_t taken = 0;
    _Unwind_Backtrace(take, &taken);
}

static double least(void (*walk)(void), int rounds)
{
    double best = 1e12;
    for (int round = 0; round < rounds; round++) {
        uint64_t start = now_ns();
        for (int i = 0; i < WALKS; i++)
            walk();
        double each = (double)(now_ns() - start) / WALKS;
        if (each < best)
            best = each;
    }
    return best;
}

static __attribute__((noinline)) void at_depth(int depth)
{
    volatile char local[40];
    local[0] = 1;
    if (depth > 0) {
        at_depth(depth - 1);
    } else {
        double walk = least(by_walk, ROUNDS);
        double number = least(by_number, ROUNDS);
        double libgcc = least(by_libgcc, ROUNDS / 20);
        printf("walk %.0f number %.0f libgcc %.0f frames %zu\n", walk, number, libgcc, count);
    }
    __asm__ volatile("" : : "r"(local) : "memory");
}

int main(int argc, char **argv)
{
    int depth = argc > 1 ? atoi(argv[1]) - 4 : 14; /* the rest lies from here out to _start */
    at_depth(depth > 0 ? depth : 0);
    return 0;
}
