/* dump_subject.c: processes as `snag dump` finds them.
 *
 *   undumpable     sets PR_SET_DUMPABLE to 0
 *   churn          four threads that add and remove handles of 7 bytes in the inventory `churning`,
 *                  beside 500 of 10 bytes in `steady`, which stay
 *   comes          now and then (a line on stdin each) one more thread that stays
 *   leaderless     the first thread ends, another goes on
 *   listening      with the listener, and a thread of its own that is named as snag's
 *
 * Prints "ready" when it is. */
#include <snag/snag.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STEADY 500
#define CHURNERS 4
#define EACH 200

static snag_profile *churning;
static char handles[CHURNERS][EACH];
static char steady[STEADY];

static void ready(void)
{
    puts("ready");
    fflush(stdout);
}

static void *wait_here(void *argument)
{
    if (argument)
        prctl(PR_SET_NAME, argument);
    for (;;)
        pause();
    return NULL;
}

static void start(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, argument) != 0)
        exit(1);
}

/* Each comes and goes in turn, so that at any time about every second one is live. */
static void *churn(void *argument)
{
    char *own = argument;
    for (unsigned step = 0;; step++) {
        unsigned i = step * 7 % EACH;
        if (step / EACH % 2 == (i & 1))
            snag_profile_add(churning, &own[i], 7, 0);
        else
            snag_profile_remove(churning, &own[i]);
        if (step % 16 == 0)
            usleep(100);
    }
    return NULL;
}

static void start_churn(void)
{
    snag_profile *kept = snag_profile_new("steady");
    churning = snag_profile_new("churning");
    if (!kept || !churning)
        exit(1);
    for (int i = 0; i < STEADY; i++)
        snag_profile_add(kept, &steady[i], 10, 0);
    for (int i = 0; i < CHURNERS; i++)
        start(churn, handles[i]);
}

static void *be_ready(void *argument)
{
    ready();
    return wait_here(argument);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    char line[16];
    static char name[] = "snag";
    if (strcmp(what, "undumpable") == 0)
        prctl(PR_SET_DUMPABLE, 0);
    else if (strcmp(what, "churn") == 0)
        start_churn();
    else if (strcmp(what, "listening") == 0)
        start(wait_here, name);
    if (strcmp(what, "listening") == 0 && snag_start(NULL) != 0)
        return 1;
    if (strcmp(what, "leaderless") == 0) {
        start(be_ready, NULL);
        pthread_exit(NULL);
    }
    ready();
    while (strcmp(what, "comes") == 0 && fgets(line, sizeof line, stdin)) {
        start(wait_here, NULL);
        ready();
    }
    wait_here(NULL);
    return 0;
}
