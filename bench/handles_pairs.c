/* handles_pairs.c: what it costs to enter a handle into an inventory and take
 * one out again, with a stack of 18 frames.
 *   handles_pairs LIVE STACKS THREADS     prints one line:
 *       pair NS least NS calls NS frames N live N
 * LIVE handles stay in the inventory meanwhile: each pair adds a new one and removes the oldest.
 * STACKS is 1, or up to 1000: then each pair goes another way down first, and the price of those
 * calls is measured by itself and taken off. THREADS threads work at once, each for itself. `pair`
 * is the median of many short rounds; `least` leaves out what other work on the machine takes. */
#include "handles_ways.h"

#include <snag/snag.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 301
#define THREADS_MAX 16
#define OBJECT_BYTES 64

struct worker {
    pthread_t thread;
    char *objects; /* live + 1 of them; never touched */
    size_t live;
    size_t next;
    bool work; /* or the calls alone */
    uint64_t took_ns;
};

static snag_profile *profile;
static pthread_barrier_t barrier;
static const size_t pairs = 2000; /* of a round */
static int stacks;
static _Atomic int frames;
static double round_ns[2][ROUNDS];

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline __attribute__((always_inline)) void add_next(struct worker *worker)
{
    size_t ring = worker->live + 1;
    snag_profile_add(profile, worker->objects + worker->next % ring * OBJECT_BYTES, 0, 0);
    worker->next++;
}

static inline __attribute__((always_inline)) void remove_oldest(struct worker *worker)
{
    size_t ring = worker->live + 1;
    size_t oldest = worker->next - 1 - worker->live;
    snag_profile_remove(profile, worker->objects + oldest % ring * OBJECT_BYTES);
}

static NOINLINE void pair_at_end(struct way *way)
{
    struct worker *worker = way->argument;
    if (!worker->work)
        return;
    add_next(worker);
    remove_oldest(worker);
    KEEP(worker);
}

static NOINLINE void add_at_end(struct way *way)
{
    add_next(way->argument);
    KEEP(way);
}

/* One stack: all pairs at the end of one way. */
static NOINLINE void pairs_at_end(struct way *way)
{
    struct worker *worker = way->argument;
    for (size_t i = 0; worker->work && i < pairs; i++) {
        add_next(worker);
        remove_oldest(worker);
    }
    KEEP(worker);
}

static NOINLINE void round_of(struct worker *worker, int missing, size_t first)
{
    if (stacks == 1) {
        way_go(0, missing, pairs_at_end, worker);
        return;
    }
    for (size_t i = 0; i < pairs; i++)
        way_go((int)((first + i) % (size_t)stacks), missing, pair_at_end, worker);
}

static NOINLINE int frames_of_way(int missing)
{
    int count = 0;
    way_go(0, missing, way_count, &count);
    return count;
}

static NOINLINE void *work(void *argument)
{
    struct worker *worker = argument;
    int missing = way_frames_missing();
    frames = frames_of_way(missing);
    for (size_t i = 0; i < worker->live; i++)
        way_go((int)(i % (size_t)stacks), missing, add_at_end, worker);
    for (int i = 0; i < 2 * ROUNDS; i++) {
        worker->work = i % 2;
        pthread_barrier_wait(&barrier);
        uint64_t start = now_ns();
        round_of(worker, missing, (size_t)i * 7);
        worker->took_ns = now_ns() - start;
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier); /* it has been read */
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    size_t live = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    stacks = argc > 2 ? atoi(argv[2]) : 1;
    int threads = argc > 3 ? atoi(argv[3]) : 1;
    if (stacks < 1 || stacks > WAYS || threads < 1 || threads > THREADS_MAX)
        return 2;
    profile = snag_profile_new("bench");
    if (!profile)
        return 1;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        workers[i].live = live / (size_t)threads;
        workers[i].objects = malloc((workers[i].live + 1) * OBJECT_BYTES);
        if (!workers[i].objects || pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            return 1;
    }
    for (int i = 0; i < 2 * ROUNDS; i++) {
        uint64_t longest = 0;
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        for (int j = 0; j < threads; j++)
            longest = workers[j].took_ns > longest ? workers[j].took_ns : longest;
        round_ns[i % 2][i / 2] = (double)longest / (double)pairs;
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    qsort(round_ns[0], ROUNDS, sizeof(double), by_value);
    qsort(round_ns[1], ROUNDS, sizeof(double), by_value);
    double calls = round_ns[0][ROUNDS / 2];
    printf("pair %.1f least %.1f calls %.1f frames %d live %zu\n", round_ns[1][ROUNDS / 2] - calls,
           round_ns[1][0] - round_ns[0][0], calls, frames, snag_profile_count(profile));
    return 0;
}
