/* thread_notes.c: labels and starters, from the service's tables into a dump; see thread_notes.h.
 *
 * They are asked for by thread id, so a thread that ended since the dump may have left its id to
 * another. A starter is of the past: one that is younger than the dump is of such a thread. */
#include "sources/thread_notes.h"

#include "sources/labels.h"
#include "sources/origin_keep.h"
#include "sources/threads.h"
#include "sources/tracking.h"

void thread_notes_labels(struct thread_dump *dump, const struct labels *labels)
{
    dump->labels_refused = labels_slots_refused(labels);
    for (size_t i = 0; i < dump->count; i++) {
        struct thread_sample *thread = &dump->threads[i];
        thread->labels = labels_of_thread(labels, thread->tid);
        labels_keep(&thread->labels, &dump->arena);
    }
}

void thread_notes_starters(struct thread_dump *dump, const struct tracking *tracking)
{
    struct origin_keeper keeper = { 0 };
    for (size_t i = 0; i < dump->count; i++) {
        struct thread_sample *thread = &dump->threads[i];
        thread->has_starter = tracking_thread(tracking, thread->tid, &thread->starter) &&
                              thread->starter.time_ns <= dump->monotonic_ns + dump->took_ns;
        if (thread->has_starter)
            origin_keep(&keeper, &dump->arena, &thread->starter);
        else
            thread->starter = (struct origin){ 0 };
    }
}
