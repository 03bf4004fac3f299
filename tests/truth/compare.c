/* compare.c: a dump held against the truth; see compare.h. */
#include "compare.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A function of the tests is never longer than this. */
#define OWN_REACH 8192

/* Ways in which the registers that procfs tells do not decide what the stack is.
 * Recursion through a pointer, in frames whose size only their own frame pointer
 * knows, over the records of an earlier recursion: each record is a stack as
 * possible as the true one. Here the dump must say so, and may say no more. */
static const char *const undecidable[] = { "stale records, pointers" };

static bool is_undecided(const struct truth *truth, const struct dump_thread *thread)
{
    for (size_t i = 0; i < sizeof undecidable / sizeof *undecidable; i++)
        if (strcmp(truth->way->name, undecidable[i]) == 0)
            return strstr(thread->capture, "more than one frame pointer") != NULL;
    return false;
}

static bool near_by(uint64_t left, uint64_t right)
{
    return (left > right ? left - right : right - left) < OWN_REACH;
}

enum verdict truth_compare(const struct truth *truth, const struct dump_thread *thread)
{
    if (!thread)
        return VERDICT_MISSING;
    bool equal = thread->count > truth->count &&
                 memcmp(&thread->frames[thread->count - truth->count], truth->frames,
                        truth->count * sizeof *truth->frames) == 0;
    if (equal) {
        size_t below = thread->count - truth->count - 1;
        equal = below <= truth->way->below && near_by(thread->frames[below], truth->own);
    }
    if (dump_is_partial(thread))
        return is_undecided(truth, thread) ? VERDICT_UNDECIDED : VERDICT_PARTIAL;
    return equal ? VERDICT_EQUAL : VERDICT_DIFFERENT;
}

void truth_print(const struct truth *truth, const struct dump_thread *thread, enum verdict verdict)
{
    static const char *const words[] = { "equal", "undecided", "partial", "different", "missing" };
    printf("--- %s (tid %d): %s%s%s\n", truth->way->name, (int)truth->tid, words[verdict],
           thread ? ", captured by " : "", thread ? thread->capture : "");
    if (!thread)
        return;
    size_t dumped = thread->count;
    size_t known = truth->count;
    size_t lines = dumped > known + 1 ? dumped : known + 1;
    printf("    %-18s %-18s (outermost first)\n", "truth", "dump");
    for (size_t i = 0; i < lines && i < 60; i++) {
        uint64_t left = i < known ? truth->frames[known - 1 - i] : i == known ? truth->own : 0;
        uint64_t right = i < dumped ? thread->frames[dumped - 1 - i] : 0;
        printf("  %s 0x%016" PRIx64 " 0x%016" PRIx64 " %s\n",
               i < known && left != right ? "!" : " ", left, right,
               i < dumped ? thread->functions[dumped - 1 - i] : "");
    }
}

size_t truth_compare_all(const struct truth *truths, size_t count, const struct dump *dump,
                         const char *what, size_t counts[VERDICT_COUNT])
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (truths[i].skipped)
            continue;
        const struct dump_thread *thread = dump_find(dump, truths[i].tid);
        enum verdict verdict = truth_compare(&truths[i], thread);
        counts[verdict]++;
        if (verdict == VERDICT_EQUAL || verdict == VERDICT_UNDECIDED)
            continue;
        if (failed++ == 0)
            printf("%s:\n", what);
        truth_print(&truths[i], thread, verdict);
    }
    return failed;
}

static bool read_task_file(pid_t tid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

char task_state(pid_t tid)
{
    char text[512];
    const char *after = read_task_file(tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    return after ? after[2] : 0;
}

bool task_switches(pid_t tid, unsigned long *voluntary, unsigned long *forced)
{
    char text[4096];
    if (!read_task_file(tid, "status", text, sizeof text))
        return false;
    const char *first = strstr(text, "\nvoluntary_ctxt_switches:");
    const char *second = strstr(text, "\nnonvoluntary_ctxt_switches:");
    return first && second && sscanf(first, "\nvoluntary_ctxt_switches: %lu", voluntary) == 1 &&
           sscanf(second, "\nnonvoluntary_ctxt_switches: %lu", forced) == 1;
}

static bool all_blocked(const struct truth *truths, size_t count, unsigned long *sum)
{
    *sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned long voluntary, forced;
        if (!__atomic_load_n(&truths[i].marked, __ATOMIC_ACQUIRE))
            return false;
        if (truths[i].skipped)
            continue;
        char state = task_state(truths[i].tid);
        if ((state != 'S' && state != 'D') || !task_switches(truths[i].tid, &voluntary, &forced))
            return false;
        *sum += voluntary + forced;
    }
    return true;
}

bool truth_wait_blocked(const struct truth *truths, size_t count, int seconds)
{
    unsigned long before = 0, now = 0;
    for (int i = 0; i < seconds * 20; i++) {
        bool blocked = all_blocked(truths, count, &now);
        if (blocked && now == before)
            return true;
        before = blocked ? now : 0;
        usleep(50000);
    }
    for (size_t i = 0; i < count; i++)
        if (!truths[i].marked || !strchr("SD", task_state(truths[i].tid)))
            printf("never blocked: %s, %smarked\n", truths[i].way->name,
                   truths[i].marked ? "" : "not ");
    return false;
}
