/* waits.c proves that what a blocked thread waits on is told as it is: a real thread for each
 * way of waiting, and the words, descriptor, lock and holder that it must have.
 *
 * Compiled in other ways too (test_waits_builds.sh), so it needs the library alone. */
#include "http_get.h"
#include "waits_json.h"
#include "ways.h"

#include <snag/snag.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAYS_MAX 128

static struct way ways[WAYS_MAX];
static size_t way_count;

pid_t own_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void cannot(struct way *way, const char *what)
{
    snprintf(way->skip, sizeof way->skip, "%s: %s", what, strerror(errno));
    way->skipped = true;
    pthread_exit(NULL);
}

struct timespec from_now(clockid_t clock, long seconds)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += seconds;
    return time;
}

static void *run_way(void *argument)
{
    struct way *way = argument;
    way->fd = -1;
    way->tid = own_tid();
    way->kind->wait(way);
    fprintf(stderr, "%s: did not wait\n", way->kind->name);
    abort();
}

static bool is_blocked(pid_t tid)
{
    char path[64];
    char text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)tid);
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 && strncmp(text, "running", 7) != 0 && text[0] != '-';
}

static void wait_until_blocked(const struct way *way)
{
    for (int i = 0; i < 2000; i++) {
        if (way->skipped || (way->tid && is_blocked(way->tid)))
            return;
        usleep(1000);
    }
}

static int failures;

#define WRONG(way, ...)                                                                            \
    do {                                                                                           \
        fprintf(stderr, "%s: ", (way)->kind->name);                                                \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fprintf(stderr, "\n");                                                                     \
        failures++;                                                                                \
    } while (0)

static void check_way(const struct way *way, const struct seen_waits *seen)
{
    const struct seen_wait *wait = seen_find(seen, way->tid);
    const char *on = way->kind->on ? way->kind->on : way->made;
    if (wait && getenv("WAITS_VERBOSE"))
        printf("%-34s %s\n%-34s %s\n", way->kind->name, wait->on, "", wait->detail);
    if (!wait) {
        WRONG(way, "its thread is not in the dump");
        return;
    }
    if (strcmp(wait->on, on) != 0)
        WRONG(way, "waits on \"%s\", not on \"%s\" (%s)", wait->on, on, wait->detail);
    if (way->object && wait->object != (uintptr_t)way->object)
        WRONG(way, "waits at 0x%lx, not at %p", (unsigned long)wait->object, way->object);
    if (way->holder && wait->holder != way->holder)
        WRONG(way, "waits for %d, not for %d", (int)wait->holder, (int)way->holder);
    if (way->fd >= 0 && wait->fd != way->fd)
        WRONG(way, "waits on descriptor %d, not on %d", wait->fd, way->fd);
    if (!strstr(wait->detail, way->detail))
        WRONG(way, "the detail \"%s\" does not say \"%s\"", wait->detail, way->detail);
    if (wait->timed != way->timed)
        WRONG(way, "its wait is %slimited", wait->timed ? "" : "not ");
    if (wait->never || wait->deadlock)
        WRONG(way, "it is said never to go on");
}

/* A thread for each way of TABLE. */
static void start(const struct kind_of_wait *table)
{
    for (; table->name; table++) {
        pthread_t thread;
        struct way *way = &ways[way_count++];
        way->kind = table;
        if (way_count == WAYS_MAX || pthread_create(&thread, NULL, run_way, way))
            abort();
        pthread_detach(thread);
        wait_until_blocked(way);
    }
}

int main(void)
{
    struct seen_waits seen;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    hold_locks();
    start(ways_locks);
    start(ways_fds);
    start(ways_others);
    usleep(200000); /* those that did something else before are through by then */
    if (snag_start(&options) != 0 || seen_get(snag_address(), &seen) != 0)
        return 1;
    size_t skipped = 0;
    for (size_t i = 0; i < way_count; i++) {
        if (ways[i].skipped)
            printf("%s: skipped: %s\n", ways[i].kind->name, ways[i].skip);
        else
            check_way(&ways[i], &seen);
        skipped += ways[i].skipped;
    }
    seen_free(&seen);
    fds_clean_up();
    others_clean_up();
    printf("%zu ways of waiting, %zu skipped, %d wrong\n", way_count, skipped, failures);
    fflush(stdout);
    _exit(failures > 0);
}
