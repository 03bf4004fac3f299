/* threads_profile.c: a thread dump as pprof samples.
 *
 * A thread without any frame gets one that says why in words, so that it is
 * counted under the root of every graph and never silently dropped. */
#include "views/threads_view.h"

#include "profile/profile.h"
#include "sources/threads.h"
#include "views/label_words.h"
#include "views/thread_words.h"
#include "waits/waits.h"

#include <inttypes.h>
#include <stdio.h>

void threads_profile_types(struct profile *profile)
{
    profile_add_type(profile, "threads", "count");
    profile_add_type(profile, "blocked", "nanoseconds");
    profile_set_period(profile, "threads", "count", 1);
}

static void add_thread(struct profile *profile, const struct thread_sample *thread,
                       const struct wait *wait, int sign, bool with_tid)
{
    char call_text[32];
    char capture_text[128];
    const char *call = thread_syscall_word(thread, call_text, sizeof call_text);
    const char *capture = thread_capture_word(thread, capture_text, sizeof capture_text);
    struct label_tag_texts texts;
    struct profile_label labels[6 + LABEL_TAGS_MAX] = {
        { .key = "thread", .text = thread->name },
        { .key = "state", .text = thread_state_word(thread->state) },
        { .key = "capture", .text = capture },
    };
    size_t count = 3;
    if (call)
        labels[count++] = (struct profile_label){ .key = "syscall", .text = call };
    if (wait && wait->text)
        labels[count++] = (struct profile_label){ .key = "wait", .text = wait->text };
    if (with_tid)
        labels[count++] = (struct profile_label){ .key = "tid", .number = thread->tid };
    count += label_tags(&thread->labels, &labels[count], &texts);
    const int64_t values[2] = { sign, sign * (int64_t)thread->blocked_ns };
    if (thread->frame_count > 0) {
        profile_add(profile, thread->frames, thread->frame_count, values, labels, count);
        return;
    }
    char text[160];
    snprintf(text, sizeof text, "[no stack: %s]", thread->why ? thread->why : "unknown");
    const char *const functions[] = { text };
    profile_add_named(profile, functions, 1, values, labels, count);
}

void threads_profile_add(struct profile *profile, const struct thread_dump *dump,
                         const struct wait_set *waits, int sign, bool with_tid)
{
    for (size_t i = 0; i < dump->count; i++)
        add_thread(profile, &dump->threads[i], waits ? &waits->waits[i] : NULL, sign, with_tid);
}

void threads_profile_add_stuck(struct profile *profile, const struct thread_dump *dump,
                               const struct wait_set *waits, int sign, bool with_tid)
{
    for (size_t i = 0; i < dump->count; i++)
        if (waits->waits[i].never)
            add_thread(profile, &dump->threads[i], &waits->waits[i], sign, with_tid);
}

void threads_profile_comments(struct profile *profile, const struct thread_dump *dump)
{
    profile_add_comment(
        profile, "%zu threads: %zu captured by procfs, %zu by signal, %zu by perf, %zu partial",
        dump->count, dump->by_procfs, dump->by_signal, dump->by_perf, dump->partial);
    if (dump->labels_refused > 0)
        profile_add_comment(profile, "%" PRIu64 " labels of threads were not kept for want of room",
                            dump->labels_refused);
    if (!dump->listed_all)
        profile_add_comment(profile, "the list of threads could not be read to its end");
}
