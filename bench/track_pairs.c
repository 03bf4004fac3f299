/* track_pairs.c: what a pair of open and close costs, at a given depth of the
 * stack, for bench/track_cost, which runs it with tracking preloaded and without.
 *   track_pairs [FRAMES]     prints one line: eventfd NS open NS dup NS
 * Each figure is the least of many short rounds: what other work on the machine
 * takes is left out. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3000
#define PAIRS 50
#define OWN_FRAMES 8 /* from the call out to _start, below and above the recursion */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int by_eventfd(void)
{
    return eventfd(0, EFD_CLOEXEC);
}

static int by_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int by_dup(void)
{
    return dup(0);
}

static double least(int (*opener)(void))
{
    double best = 1e12;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = now_ns();
        for (int i = 0; i < PAIRS; i++)
            close(opener());
        double each = (double)(now_ns() - start) / PAIRS;
        if (each < best)
            best = each;
    }
    return best;
}

static __attribute__((noinline)) void at_depth(int frames)
{
    volatile char local[40];
    local[0] = 1;
    if (frames > 0)
        at_depth(frames - 1);
    else
        printf("eventfd %.0f open %.0f dup %.0f\n", least(by_eventfd), least(by_open),
               least(by_dup));
    __asm__ volatile("" : : "r"(local) : "memory");
}

int main(int argc, char **argv)
{
    int frames = argc > 1 ? atoi(argv[1]) : 10;
    at_depth(frames > OWN_FRAMES ? frames - OWN_FRAMES : 0);
    return 0;
}
