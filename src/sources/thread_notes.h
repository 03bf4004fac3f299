/* thread_notes.h: what the service itself has noted of its threads: their labels, and who started
 * them. Added to a dump right after it was made. */
#ifndef SNAG_SOURCES_THREAD_NOTES_H
#define SNAG_SOURCES_THREAD_NOTES_H

struct labels;
struct thread_dump;
struct tracking;

/* By LABELS and by TRACKING as they were last refreshed. What there is no memory for is left out.
 */
void thread_notes_labels(struct thread_dump *dump, const struct labels *labels);
void thread_notes_starters(struct thread_dump *dump, const struct tracking *tracking);

#endif
