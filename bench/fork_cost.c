/* fork_cost.c: what a child of fork costs, in processor time of both processes.
 *   fork_cost COUNT [WAY]      prints microseconds a child, the median of 21 lots of COUNT children
 * WAY: _exit, as a child that only forks; exit, which runs the destructors of all libraries; or
 * kernel, made by a raw clone and ended by _exit, so that what remains is the copying of the
 * mappings. Run bare and under `snag run` in turn by bench/fork_rows.sh. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOTS 21

static double microseconds(const struct timeval *time)
{
    return (double)time->tv_sec * 1e6 + (double)time->tv_usec;
}

static double used(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
}

/* Of this process and the children that it has waited for. */
static double used_by_all(void)
{
    return used(RUSAGE_SELF) + used(RUSAGE_CHILDREN);
}

static pid_t raw_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static double lot(int count, pid_t (*begin)(void), void (*end)(int))
{
    double before = used_by_all();
    for (int i = 0; i < count; i++) {
        pid_t child = begin();
        if (child == 0)
            end(0);
        if (child < 0 || waitpid(child, NULL, 0) != child) {
            perror("fork");
            exit(1);
        }
    }
    return (used_by_all() - before) / count;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 0;
    const char *way = argc > 2 ? argv[2] : "_exit";
    double lots[LOTS];
    if (count < 1) {
        fputs("usage: fork_cost COUNT [_exit|exit|kernel]\n", stderr);
        return 2;
    }
    for (int i = 0; i < LOTS; i++)
        lots[i] = lot(count, strcmp(way, "kernel") == 0 ? raw_clone : fork,
                      strcmp(way, "exit") == 0 ? exit : _exit);
    qsort(lots, LOTS, sizeof *lots, compare);
    printf("%.1f\n", lots[LOTS / 2]);
    return 0;
}
