/* compare.h: a dump held against the truth. */
#ifndef SNAG_TESTS_COMPARE_H
#define SNAG_TESTS_COMPARE_H

#include "truth.h"

#include "dump_text.h"

enum verdict {
    VERDICT_EQUAL,
    VERDICT_UNDECIDED, /* says that it cannot know, and cannot: see compare.c */
    VERDICT_PARTIAL,   /* the dump says that something is missing */
    VERDICT_DIFFERENT, /* the dump says nothing and is wrong */
    VERDICT_MISSING,   /* the thread is not in the dump */
    VERDICT_COUNT
};

/* Equal is: from the way's caller to the outermost frame the same return
 * addresses, nothing missing and nothing more; before them a frame in the way's own
 * function; before that at most way->below frames of libc. */
enum verdict truth_compare(const struct truth *truth, const struct dump_thread *thread);

/* Both stacks, side by side as far as they go. */
void truth_print(const struct truth *truth, const struct dump_thread *thread, enum verdict verdict);

/* Compares all of TRUTHS with DUMP, prints those that fail, adds to COUNTS; returns how many
 * failed. */
size_t truth_compare_all(const struct truth *truths, size_t count, const struct dump *dump,
                         const char *what, size_t counts[VERDICT_COUNT]);

/* Waits until every thread of TRUTHS is marked and has not been scheduled for a while; false
 * after SECONDS. */
bool truth_wait_blocked(const struct truth *truths, size_t count, int seconds);

/* The fields of /proc/self/task/TID: state, and how often it gave up the processor or lost it. */
char task_state(pid_t tid);
bool task_switches(pid_t tid, unsigned long *voluntary, unsigned long *forced);

#endif
