/* thread_facts.h: what procfs tells of a thread besides its stack. */
#ifndef SNAG_SOURCES_THREAD_FACTS_H
#define SNAG_SOURCES_THREAD_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread_facts {
    char name[64];
    char state;
    unsigned flags;       /* the kernel's PF_* */
    uint64_t start_ticks; /* since boot */
    unsigned processor;   /* that it runs or ran last on */
};

/* From TEXT, the LENGTH bytes of `stat`. False when it is not what the kernel writes. */
bool thread_facts_parse(const char *text, size_t length, struct thread_facts *facts);

/* From TEXT, the bytes of `comm`: the name as it is. */
void thread_name_parse(const char *text, size_t length, char name[64]);

/* From TEXT, the bytes of `sched`: when the thread last ran, in ns on its processor's task clock.
 */
bool exec_start_parse(const char *text, uint64_t *exec_start_ns);

/* Whether it is a thread of the kernel's, working for the process: it has no user stack. */
bool thread_is_kernels(const struct thread_facts *facts);

#endif
