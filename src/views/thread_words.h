/* thread_words.h: the same words for a thread in every form of a dump. */
#ifndef SNAG_VIEWS_THREAD_WORDS_H
#define SNAG_VIEWS_THREAD_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct sink;
struct symbolizer;
struct thread_dump;
struct thread_sample;

/* The kernel's own words (proc(5), State in status): "sleeping", "disk sleep". */
const char *thread_state_word(char state);

/* The system call's name, "syscall 999" for one without, NULL when in none.
 * TEXT is room for it. */
const char *thread_syscall_word(const struct thread_sample *thread, char *text, size_t size);

/* "procfs", "signal", "perf" or "partial: WHY", as the `capture` label. */
const char *thread_capture_word(const struct thread_sample *thread, char *text, size_t size);

/* "read for 20 min", "page fault for 3 s", "running", "disk sleep for 3 s": what it does and since
 * when. */
void thread_write_doing(struct sink *sink, const struct thread_sample *thread);

/* The same in a sentence: "in futex for 3.2 s", "running". */
void thread_write_in(struct sink *sink, const struct thread_sample *thread);

/* How long ago it was started; 0 where that is not known. */
uint64_t thread_age_ns(const struct thread_dump *dump, const struct thread_sample *thread);

/* The stack, a line per frame and per inlined function, each beginning with
 * INDENT. WITH_ADDRESSES adds the code address and the offset in the function. */
void thread_write_stack(struct sink *sink, const struct thread_sample *thread,
                        struct symbolizer *symbolizer, const char *indent, int with_addresses);

/* "412 threads: 410 blocked, 2 running" and, if any, what is missing from the dump. */
void thread_write_totals(struct sink *sink, const struct thread_dump *dump);

#endif
