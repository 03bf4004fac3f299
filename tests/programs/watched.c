/* watched.c: a service that is watched: does what its arguments say, one after the other.
 *
 *     log          the lines go through a callback, "LOG LINE" (must be first)
 *     slow-log     the same, each taking a second
 *     start        snag_start; prints what it returned and the address
 *     fds N        opens N files
 *     close        closes them again
 *     threads N    starts N threads that wait
 *     leak MS      for so long, adds a handle every 50 ms that nobody removes
 *     deadlock N   N threads that wait for each other in a ring
 *     handler      handles SIGTERM, by a line on stderr
 *     info         handles it with its information
 *     term         sends itself a SIGTERM
 *     fork         the child ends at once; waits for it
 *     sleep MS
 *     stop         snag_stop
 *     ready        prints "ready" */
#include <snag/snag.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RING_MOST 8

static pthread_mutex_t locks[RING_MOST];
static pthread_barrier_t all_hold_one;
static int ring;
static int fds[4096];
static int fd_count;

static void log_line(const char *line, void *user)
{
    printf("LOG %s\n", line);
    if (user)
        sleep(1);
}

static void *wait_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void *take_two(void *which)
{
    int number = (int)(long)which;
    char name[16];
    snprintf(name, sizeof name, "ring-%d", number);
    pthread_setname_np(pthread_self(), name);
    pthread_mutex_lock(&locks[number]);
    pthread_barrier_wait(&all_hold_one);
    pthread_mutex_lock(&locks[(number + 1) % ring]);
    return NULL;
}

static void start_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, argument) != 0)
        exit(3);
    pthread_detach(thread);
}

static void deadlock(int count)
{
    ring = count;
    pthread_barrier_init(&all_hold_one, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        pthread_mutex_init(&locks[i], NULL);
    for (int i = 0; i < count; i++)
        start_thread(take_two, (void *)(long)i);
}

static void sleep_ms(long ms)
{
    struct timespec left = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) != 0)
        ;
}

static __attribute__((noinline)) void forget_one(void)
{
    static char things[100000];
    static int count;
    SNAG_TRACK("watched.things", &things[count++ % (int)sizeof things]);
}

static void leak(long ms)
{
    for (; ms > 0; ms -= 50) {
        forget_one();
        sleep_ms(50);
    }
}

static void on_term(int number)
{
    static const char line[] = "handled SIGTERM\n";
    if (number == SIGTERM && write(STDERR_FILENO, line, sizeof line - 1) < 0)
        _exit(4);
}

static void on_term_with_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_pid == getpid())
        on_term(number);
}

static void handle(bool with_info)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    if (with_info) {
        action.sa_sigaction = on_term_with_info;
        action.sa_flags = SA_SIGINFO;
    } else {
        action.sa_handler = on_term;
    }
    sigaction(SIGTERM, &action, NULL);
}

int main(int argc, char **argv)
{
    snag_options options = SNAG_OPTIONS_INIT;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        long number = i + 1 < argc ? atol(argv[i + 1]) : 0;
        if (strcmp(word, "log") == 0) {
            options.log = log_line;
        } else if (strcmp(word, "slow-log") == 0) {
            options.log = log_line;
            options.user = &options;
        } else if (strcmp(word, "start") == 0) {
            int status = snag_start(&options);
            printf("started %d, listens on %s\n", status,
                   snag_address() ? snag_address() : "nothing");
        } else if (strcmp(word, "fds") == 0) {
            for (; number > 0; number--)
                fds[fd_count++] = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
        } else if (strcmp(word, "close") == 0) {
            while (fd_count > 0)
                close(fds[--fd_count]);
        } else if (strcmp(word, "threads") == 0) {
            for (; number > 0; number--)
                start_thread(wait_for_ever, NULL);
        } else if (strcmp(word, "deadlock") == 0) {
            deadlock((int)number);
        } else if (strcmp(word, "handler") == 0 || strcmp(word, "info") == 0) {
            handle(word[0] == 'i');
        } else if (strcmp(word, "term") == 0) {
            kill(getpid(), SIGTERM);
        } else if (strcmp(word, "fork") == 0) {
            pid_t child = fork();
            if (child == 0)
                _exit(0);
            waitpid(child, NULL, 0);
        } else if (strcmp(word, "leak") == 0) {
            leak(number);
        } else if (strcmp(word, "sleep") == 0) {
            sleep_ms(number);
        } else if (strcmp(word, "stop") == 0) {
            snag_stop();
            puts("stopped");
        } else if (strcmp(word, "ready") == 0) {
            puts("ready");
        } else if (word[0] < '0' || word[0] > '9') {
            return 2;
        }
    }
    return 0;
}
