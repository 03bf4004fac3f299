/* jobs.c: other programs, side by side and never for long.
 *
 * Each is the head of a process group of its own, so that ending a compiler's driver ends what
 * it started. A program that takes too much memory fails alone: its address space is bounded. */
#include "check/check.h"
#include "tool/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MAX ((rlim_t)4 << 30)

struct job *job_new(struct list *jobs, const char *directory, const char *output,
                    const char *errors)
{
    struct job *job = checked_alloc(sizeof *job);
    job->directory = directory;
    job->output = output;
    job->errors = errors;
    job->status = -1;
    list_add(jobs, job);
    return job;
}

void job_argument(struct job *job, const char *argument)
{
    list_add(&job->arguments, argument ? text_copy(argument, strlen(argument)) : NULL);
}

void job_arguments(struct job *job, const struct list *arguments)
{
    for (size_t i = 0; i < arguments->count; i++)
        list_add(&job->arguments, arguments->items[i]);
}

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

void jobs_end_on_signal(void)
{
    struct sigaction action = { .sa_handler = end };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool jobs_ended(void)
{
    return ended;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void redirect(const char *path, int to)
{
    /* snag: ignore: when it is TO at once it stays open, as it is to */
    int fd = open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0 && fd != to) {
        dup2(fd, to);
        close(fd);
    }
}

/* In the child. */
static void become(const struct job *job)
{
    struct rlimit limit = { .rlim_cur = MEMORY_MAX, .rlim_max = MEMORY_MAX };
    setpgid(0, 0);
    setenv("LC_ALL", "C", 1);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing > 0) {
        dup2(nothing, 0);
        close(nothing);
    }
    redirect(job->output, 1);
    redirect(job->errors, 2);
    if (job->directory && chdir(job->directory) != 0)
        _exit(127);
    setrlimit(RLIMIT_AS, &limit); /* last: a sanitizer in this program needs more */
    execvp(job->arguments.items[0], (char **)job->arguments.items);
    _exit(127);
}

static bool start(struct job *job, unsigned seconds)
{
    list_add(&job->arguments, NULL);
    fflush(NULL);
    job->pid = fork();
    if (job->pid == 0)
        become(job);
    if (job->pid < 0) {
        complain("check", "cannot start %s: %s", (char *)job->arguments.items[0], strerror(errno));
        return false;
    }
    job->deadline = now() + seconds;
    return true;
}

/* True when it is over. */
static bool look(struct job *job)
{
    int status;
    pid_t gone = waitpid(job->pid, &status, WNOHANG);
    if (gone == 0 && (ended || now() > job->deadline) && !job->late) {
        job->late = true;
        kill(-job->pid, SIGKILL);
        kill(job->pid, SIGKILL);
    }
    if (gone == 0)
        return false;
    job->status = gone < 0 || job->late ? -1 : status;
    return true;
}

void jobs_run(struct list *jobs, unsigned seconds)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t at_once = processors > 0 ? (size_t)processors : 1, next = 0, running = 0;
    struct list active = { .count = 0 };
    while ((next < jobs->count && !ended) || running > 0) {
        while (running < at_once && next < jobs->count && !ended) {
            struct job *job = jobs->items[next++];
            if (start(job, seconds)) {
                list_add(&active, job);
                running++;
            }
        }
        for (size_t i = 0; i < active.count; i++)
            if (active.items[i] && look(active.items[i])) {
                active.items[i] = NULL;
                running--;
            }
        nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
    }
    free(active.items);
}

bool program_installed(const char *name)
{
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t length = strcspn(at, ":");
        char *path = text_format("%.*s/%s", (int)length, at, name);
        bool is_there = access(path, X_OK) == 0;
        free(path);
        if (is_there)
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}
