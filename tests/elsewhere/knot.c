/* knot.c: two threads that wait for each other's mutex, left and right; one that waits for a mutex
 * whose owner has ended; and one that waits for a child, offspring. The first thread exits when all
 * of them have begun, with "exit". Its descriptor 9 is opened by right. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER,
                       orphan = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;

static void hold_and_want(pthread_mutex_t *held, pthread_mutex_t *wanted, const char *name)
{
    pthread_setname_np(pthread_self(), name);
    pthread_mutex_lock(held);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(wanted);
}

static void *left(void *unused)
{
    hold_and_want(&first, &second, "left");
    return unused;
}

static void *right(void *unused)
{
    int fd = open("/dev/null", O_RDONLY);
    if (fd >= 0 && fd != 9) {
        dup2(fd, 9);
        close(fd);
    }
    hold_and_want(&second, &first, "right");
    return unused;
}

static void *parent(void *unused)
{
    pthread_setname_np(pthread_self(), "parent");
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "offspring");
        for (;;)
            pause();
    }
    waitpid(child, NULL, 0);
    return unused;
}

static void *ends(void *unused)
{
    pthread_mutex_lock(&orphan);
    return unused;
}

static void *waits(void *unused)
{
    pthread_setname_np(pthread_self(), "waits");
    pthread_mutex_lock(&orphan);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[4], ended;
    pthread_barrier_init(&both, NULL, 2);
    if (pthread_create(&ended, NULL, ends, NULL) || pthread_join(ended, NULL) ||
        pthread_create(&threads[0], NULL, left, NULL) ||
        pthread_create(&threads[1], NULL, right, NULL) ||
        pthread_create(&threads[2], NULL, waits, NULL) ||
        pthread_create(&threads[3], NULL, parent, NULL))
        return 2;
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        pthread_exit(NULL);
    pthread_join(threads[0], NULL);
    return 2;
}
