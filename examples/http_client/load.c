/* load.c: requests at a steady rate, for a bounded time; see load.h. */
#include "load.h"

#include <snag/snag.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct plan {
    const char *port;
    long requests;
    long per_second;
    long seconds;
};

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s PORT [-n REQUESTS] [-r PER_SECOND] [-t SECONDS]\n", program);
    return 2;
}

/* A whole number from 1 to LARGEST, 0 when TEXT is none. */
static long parse_count(const char *text, long largest)
{
    char *end;
    long number = strtol(text, &end, 10);
    return *end == 0 && number >= 1 && number <= largest ? number : 0;
}

static int read_plan(int argc, char **argv, struct plan *plan)
{
    *plan = (struct plan){ .requests = 400, .per_second = 100, .seconds = 60 };
    for (int option; (option = getopt(argc, argv, "n:r:t:")) != -1;) {
        switch (option) {
        case 'n': plan->requests = parse_count(optarg, 1000000); break;
        case 'r': plan->per_second = parse_count(optarg, 100000); break;
        case 't': plan->seconds = parse_count(optarg, 3600); break;
        default: return usage(argv[0]);
        }
    }
    if (optind + 1 != argc || !plan->requests || !plan->per_second || !plan->seconds)
        return usage(argv[0]);
    plan->port = argv[optind];
    return 0;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void say(double at, long sent, long failed)
{
    printf("%3.0f s: %ld requests sent, %ld failed, %d responses open\n", at, sent, failed,
           http_responses_open());
    fflush(stdout);
}

int load_run(int argc, char **argv, const struct load_request *kinds, size_t count)
{
    struct plan plan;
    int status = read_plan(argc, argv, &plan);
    if (status)
        return status;
    if (snag_address())
        printf("snag listens on %s\n", snag_address());
    else
        puts("snag does not listen");
    fflush(stdout);

    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    long sent = 0;
    long failed = 0;
    long said = -1;
    for (double at = 0; at < (double)plan.seconds; at = seconds_since(&start)) {
        long due = (long)(at * (double)plan.per_second) + 1;
        for (; sent + failed < plan.requests && sent + failed < due;) {
            const struct load_request *kind = &kinds[(size_t)(sent + failed) % count];
            status = http_get("127.0.0.1", plan.port, kind->path, kind->handler);
            if (status && failed == 0)
                fprintf(stderr, "%s: GET %s: %s\n", argv[0], kind->path, strerror(-status));
            *(status ? &failed : &sent) += 1;
        }
        if ((long)at > said)
            say(at, sent, failed);
        said = (long)at;
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    say((double)plan.seconds, sent, failed);
    return sent > 0 ? 0 : 1;
}
