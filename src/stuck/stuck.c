/* stuck.c: what is stuck in a process; see stuck.h. */
#include "stuck/stuck.h"

#include "base/hash_index.h"
#include "base/sink.h"
#include "sources/fds.h"
#include "sources/threads.h"
#include "stuck/findings.h"
#include "waits/waits.h"

#include <stdlib.h>
#include <string.h>

static const char *const words[FINDING_KINDS] = {
    [FINDING_DEADLOCK] = "deadlock",
    [FINDING_LOST_LOCK] = "lost-lock",
    [FINDING_FDS_OUT] = "descriptors",
    [FINDING_BEHIND] = "behind-lock",
    [FINDING_BLOCKED] = "blocked",
    [FINDING_CLOSE_WAIT] = "close-wait",
    [FINDING_UNREAD] = "unread",
    [FINDING_FDS_MANY] = "descriptors",
    [FINDING_GROWING] = "growing",
    [FINDING_DOUBLE_CLOSE] = "double-close",
};

const char *finding_word(enum finding_kind kind)
{
    return words[kind];
}

void finding_add(struct diagnosis *diagnosis, struct finding finding, struct sink_buffer *sentence)
{
    struct stuck_list *list = diagnosis->list;
    struct finding *findings = array_reserve(&list->arena, diagnosis->findings,
                                             &diagnosis->capacity, list->count, sizeof finding);
    finding.sentence = sentence->bytes ? arena_strdup(&list->arena, sentence->bytes) : NULL;
    sink_buffer_free(sentence);
    if (!findings || !finding.sentence) {
        diagnosis->failed = true;
        return;
    }
    diagnosis->findings = findings;
    list->findings = findings;
    findings[list->count++] = finding;
}

static int longest_first(const void *left, const void *right, void *dump)
{
    const struct thread_sample *threads = ((const struct thread_dump *)dump)->threads;
    const struct thread_sample *a = &threads[*(const size_t *)left];
    const struct thread_sample *b = &threads[*(const size_t *)right];
    if (a->blocked_ns != b->blocked_ns)
        return a->blocked_ns > b->blocked_ns ? -1 : 1;
    return (a->tid > b->tid) - (a->tid < b->tid);
}

const size_t *keep_threads(struct diagnosis *diagnosis, const size_t *threads, size_t count)
{
    size_t *kept = arena_array(&diagnosis->list->arena, count + 1, sizeof *kept);
    if (!kept) {
        diagnosis->failed = true;
        return NULL;
    }
    memcpy(kept, threads, count * sizeof *kept);
    qsort_r(kept, count, sizeof *kept, longest_first, (void *)(uintptr_t)diagnosis->facts->threads);
    return kept;
}

const int *keep_fds(struct diagnosis *diagnosis, const int *fds, size_t count)
{
    int *kept = arena_array(&diagnosis->list->arena, count + 1, sizeof *kept);
    if (!kept) {
        diagnosis->failed = true;
        return NULL;
    }
    memcpy(kept, fds, count * sizeof *kept);
    return kept;
}

uint64_t opener_place(const struct descriptor *descriptor)
{
    bool known = descriptor->has_origin && descriptor->origin.frame_count > 0;
    return known ? descriptor->origin.frames[0] : 0;
}

const struct origin *common_opener(const struct diagnosis *diagnosis, const int *fds, size_t count)
{
    const struct origin *opener = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct descriptor *descriptor = fd_dump_find(diagnosis->facts->fds, fds[i]);
        if (!descriptor || opener_place(descriptor) == 0 ||
            (opener && opener->frames[0] != opener_place(descriptor)))
            return NULL;
        opener = opener ? opener : &descriptor->origin;
    }
    return opener;
}

/* The worst kind first; of one kind, what concerns more threads and descriptors, for longer. */
static int worst_first(const void *left, const void *right)
{
    const struct finding *a = left;
    const struct finding *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    size_t count_a = a->thread_count + a->fd_count;
    size_t count_b = b->thread_count + b->fd_count;
    if (count_a != count_b)
        return count_a > count_b ? -1 : 1;
    if (a->longest_ns != b->longest_ns)
        return a->longest_ns > b->longest_ns ? -1 : 1;
    return strcmp(a->sentence, b->sentence);
}

struct stuck_list *stuck_find(struct stuck_memory *memory, const struct stuck_facts *facts)
{
    struct stuck_list *list = calloc(1, sizeof *list);
    if (!list)
        return NULL;
    struct diagnosis diagnosis = { .facts = facts, .memory = memory, .list = list };
    if (facts->fds)
        memory_update(memory, facts->fds);
    diagnosis.told = arena_array(&diagnosis.scratch, facts->threads->count + 1, sizeof(bool));
    diagnosis.failed = !diagnosis.told;
    if (!diagnosis.failed) {
        lock_findings(&diagnosis);
        io_findings(&diagnosis);
        fd_findings(&diagnosis);
        growth_findings_add(&diagnosis);
    }
    arena_release(&diagnosis.scratch);
    if (diagnosis.failed) {
        stuck_free(list);
        return NULL;
    }
    if (list->count > 0)
        qsort(diagnosis.findings, list->count, sizeof *diagnosis.findings, worst_first);
    return list;
}

void stuck_free(struct stuck_list *list)
{
    if (!list)
        return;
    arena_release(&list->arena);
    free(list);
}
