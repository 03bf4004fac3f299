/* idle_cost.c: what a listener costs while nobody asks.
 *
 *   idle_cost SECONDS
 * prints memory of the process (smaps_rollup) before snag_start, after it, and
 * some time after a dump, and how often the listener's thread woke up in
 * SECONDS of rest, each on a line "NAME VALUE". The process has 20 blocked threads. */
#include <snag/snag.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct memory {
    long rss, pss, dirty; /* kB */
};

static char text[16384];

static const char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static long field(const char *name)
{
    const char *at = strstr(text, name);
    return at ? atol(at + strlen(name)) : -1;
}

static struct memory measure(void)
{
    struct memory memory;
    read_file("/proc/self/smaps_rollup");
    memory.rss = field("\nRss:");
    memory.pss = field("\nPss:");
    memory.dirty = field("\nPrivate_Dirty:");
    return memory;
}

static void print_growth(const char *when, struct memory before, struct memory now)
{
    printf("%s-rss %ld\n%s-pss %ld\n%s-dirty %ld\n", when, now.rss - before.rss, when,
           now.pss - before.pss, when, now.dirty - before.dirty);
}

/* How often the thread named snag gave up the processor; -1 when there is none. */
static long wake_ups(void)
{
    long count = -1;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks)) != NULL;) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        if (strstr(read_file(path), "Name:\tsnag\n"))
            count = field("\nvoluntary_ctxt_switches:") + field("\nnonvoluntary_ctxt_switches:");
    }
    if (tasks)
        closedir(tasks);
    return count;
}

static void *wait_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 60;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, wait_for_ever, NULL);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    measure();
    puts("start 0"); /* stdio has its buffer before anything is measured */
    usleep(100000);
    struct memory before = measure();
    if (snag_start(&options))
        return 1;
    usleep(100000);
    print_growth("started", before, measure());
    long woken = wake_ups();
    sleep(seconds);
    printf("wake-ups %ld\n", woken < 0 ? -1 : wake_ups() - woken);

    int null = open("/dev/null", O_WRONLY);
    if (snag_write("threads", null, 0) || snag_write("threads", null, 2))
        return 1;
    print_growth("dumped", before, measure());
    sleep(15);
    print_growth("rested", before, measure());
    woken = wake_ups();
    sleep(seconds / 4);
    printf("wake-ups-later %ld\n", wake_ups() - woken);
    return 0;
}
