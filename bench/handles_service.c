/* handles_service.c: a service with a million live handles from a thousand
 * stacks, to be asked for them.
 *   handles_service HANDLES [STACKS]
 * prints "ADDRESS PID" when they are there, and for each line that comes in how many bytes of
 * memory a handle took, stacks aside. Ends with its input. */
#include "handles_ways.h"

#include <snag/snag.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OBJECT_BYTES 64

static snag_profile *profile;
static const char *objects; /* addresses only: nothing is there */

static NOINLINE void add_at_end(struct way *way)
{
    size_t number = *(size_t *)way->argument;
    snag_profile_add(profile, objects + number * OBJECT_BYTES, number % 4096, 0);
    KEEP(way);
}

static double resident_bytes(void)
{
    double pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%*s %lf", &pages) != 1)
        pages = 0;
    if (statm)
        fclose(statm);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static NOINLINE void add_from(size_t first, size_t end, int stacks)
{
    int missing = way_frames_missing();
    for (size_t i = first; i < end; i++)
        way_go((int)(i % (size_t)stacks), missing, add_at_end, &i);
}

int main(int argc, char **argv)
{
    size_t handles = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    int stacks = argc > 2 ? atoi(argv[2]) : WAYS;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (stacks < 1 || stacks > WAYS || handles < (size_t)stacks * 3)
        return 2;
    objects = (const char *)((uintptr_t)1 << 44);
    profile = snag_profile_new("bench");
    if (!profile || snag_start(&options))
        return 1;
    size_t first = (size_t)stacks * 3; /* the stacks are kept, and known again */
    add_from(0, first, stacks);
    double before = resident_bytes();
    add_from(first, handles, stacks);
    double each = (resident_bytes() - before) / (double)(handles - first);
    printf("%s %d\n", snag_address(), getpid());
    fflush(stdout);
    while (getchar() == '\n') {
        printf("%.1f\n", each);
        fflush(stdout);
    }
    snag_stop();
    return snag_profile_count(profile) != handles;
}
