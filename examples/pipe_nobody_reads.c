/* pipe_nobody_reads.c: a service that logs through a pipe to a helper, which has stopped reading.
 *
 * The log has a lock, as logs have. Once the pipe is full, the thread that writes waits in write()
 * with the lock held, and everybody who has something to say waits for the lock: soon the
 * whole service stands still because of its log.
 *
 *     pipe_nobody_reads SECONDS    ends by itself; then: curl localhost:6060/debug/stuck */
#include <snag/snag.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WORKERS 8

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static int log_pipe;
static _Atomic unsigned long served;

/* A helper that writes lines to a file, or should: it got stuck on something. */
static void start_helper(void)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(1);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]);
        for (;;)
            pause();
    }
    close(ends[0]);
    log_pipe = ends[1];
}

static void log_line(const char *line)
{
    pthread_mutex_lock(&log_lock);
    if (write(log_pipe, line, strlen(line)) < 0)
        exit(1);
    pthread_mutex_unlock(&log_lock);
}

static void handle_request(unsigned number)
{
    char line[128];
    usleep(500);
    snprintf(line, sizeof line, "GET /item/%u 200, 512 bytes, from 192.0.2.17\n", number);
    log_line(line);
    served++;
}

static void *work(void *unused)
{
    for (unsigned number = 0;; number++)
        handle_request(number);
    return unused;
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 60;
    start_helper();
    snag_start(NULL);
    for (int i = 0; i < WORKERS; i++) {
        pthread_t thread;
        char name[16];
        if (pthread_create(&thread, NULL, work, NULL) != 0)
            exit(1);
        snprintf(name, sizeof name, "worker-%d", i + 1);
        pthread_setname_np(thread, name);
        pthread_detach(thread);
    }
    for (int i = 0; i < seconds; i++) {
        sleep(1);
        printf("%lu requests served\n", served);
        fflush(stdout);
    }
    return 0;
}
