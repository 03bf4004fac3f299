/* labels.c: the tables of labels, read from outside; see labels.h.
 *
 * The service goes on writing meanwhile. A slot is read twice and taken where both readings are
 * equal and the version is even; what moved is read again, and of a thread that changes its labels
 * without a pause it is said so. Then the slot must be its thread's still (labels/layout.h), or it
 * is one that a thread left behind whose tid came again. Sets never change. */
#include "sources/labels.h"

#include "base/arena.h"
#include "base/hash_index.h"
#include "base/target.h"
#include "labels/layout.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READINGS 16 /* of a slot that moves */

struct thread_labels {
    pid_t tid;
    struct label_list labels;
};

/* All sets, as places in a copy of their chunks. */
struct set_table {
    bool was_read;
    uint32_t count;
    uint32_t *places;
    char *bytes;
    uint32_t byte_count;
    struct label_list *lists; /* by number; made when asked for */
};

/* The first fields of the root. */
struct head {
    uint64_t magic;
    uint32_t version;
    uint32_t size;
    uint32_t slot_count;
    uint32_t set_count;
    uint32_t set_bytes;
    uint32_t slots_refused;
    uint64_t free_slot;
    uint64_t sets_refused;
};

_Static_assert(sizeof(struct head) == offsetof(struct label_root, set_chunks), "the head");

struct reading {
    struct arena arena; /* owns all below */
    uint64_t root;
    struct head head;
    struct thread_labels *threads; /* by ascending tid */
    size_t count;
    size_t capacity;
    struct set_table sets;
};

struct labels {
    struct target *target;
    struct reading *reading; /* the last one */
};

struct labels *labels_new(struct target *target)
{
    struct labels *labels = calloc(1, sizeof *labels);
    if (!labels)
        return NULL;
    labels->target = target;
    labels->reading = calloc(1, sizeof *labels->reading);
    if (labels->reading)
        return labels;
    free(labels);
    return NULL;
}

void labels_trim(struct labels *labels)
{
    arena_release(&labels->reading->arena);
    *labels->reading = (struct reading){ 0 };
}

void labels_free(struct labels *labels)
{
    if (!labels)
        return;
    labels_trim(labels);
    free(labels->reading);
    free(labels);
}

/* Cuts TEXT, LENGTH bytes, into labels; what does not look like labels ends the list. */
static bool cut(struct arena *arena, const char *text, size_t length, struct label_list *result)
{
    size_t room = 0;
    for (size_t i = 0; i < length; i++)
        room += text[i] == 0;
    struct label *list = arena_array(arena, room / 2 + 1, sizeof *list);
    char *copy = arena_alloc(arena, length + 1);
    if (!list || !copy)
        return false;
    memcpy(copy, text, length);
    size_t count = 0;
    for (size_t at = 0; count < room / 2;) {
        size_t value = at + strlen(copy + at) + 1;
        list[count++] = (struct label){ copy + at, copy + value };
        at = value + strlen(copy + value) + 1;
    }
    result->list = list;
    result->count = count;
    return true;
}

/* Our copies of the service's atomics: their plain values. */
#define PLAIN(field) atomic_load_explicit(&(field), memory_order_relaxed)

static size_t size_of(const struct label_slot *slot)
{
    size_t length = slot->length <= LABEL_TEXT_MAX ? slot->length : 0;
    return offsetof(struct label_slot, text) + length;
}

static bool is_settled(const struct label_slot *first, const struct label_slot *second)
{
    return PLAIN(first->version) % 2 == 0 && memcmp(first, second, size_of(first)) == 0;
}

static bool settle(struct target *target, uint64_t address, struct label_slot *first,
                   struct label_slot *second)
{
    bool settled = is_settled(first, second);
    for (int i = 0; i < READINGS && !settled; i++) {
        size_t size = size_of(second); /* as few bytes as it may take */
        settled = target_read_all(target, address, first, size) &&
                  target_read_all(target, address, second, size) && size_of(first) <= size &&
                  is_settled(first, second);
    }
    return settled;
}

/* Whether the thread that SLOT names has it still. */
static bool is_owned(struct target *target, pid_t tid, uint64_t address,
                     const struct label_slot *slot)
{
    uint64_t word;
    void *robust;
    size_t size;
    if (!target_read_all(target, slot->owner, &word, sizeof word) || word != address)
        return false;
    if (slot->robust == 0)
        return true;
    if (syscall(SYS_get_robust_list, tid, &robust, &size) != 0)
        return errno != ESRCH;
    return (uintptr_t)robust == slot->robust;
}

static bool add(struct reading *reading, pid_t tid, const struct label_slot *slot, bool settled)
{
    struct thread_labels *threads =
        array_reserve(&reading->arena, reading->threads, &reading->capacity, reading->count,
                      sizeof *threads);
    if (!threads)
        return false;
    reading->threads = threads;
    struct thread_labels *added = &threads[reading->count];
    *added = (struct thread_labels){ .tid = tid };
    added->labels.is_changing = !settled;
    if (settled) {
        added->labels.left_out = slot->left_out;
        added->labels.is_other = slot->count == 0 && PLAIN(slot->set) == LABEL_SET_OTHER;
        if (!cut(&reading->arena, slot->text, size_of(slot) - offsetof(struct label_slot, text),
                 &added->labels))
            return false;
    }
    reading->count++;
    return true;
}

static bool take_slot(struct labels *labels, uint64_t address, struct label_slot *first,
                      struct label_slot *second)
{
    if (PLAIN(first->tid) == 0 && PLAIN(second->tid) == 0)
        return true;
    bool settled = settle(labels->target, address, first, second);
    bool is_empty = settled && first->count == 0 && first->left_out == 0;
    pid_t tid = outer_tid(labels->target, PLAIN(first->tid));
    if (tid == 0 || is_empty || !is_owned(labels->target, tid, address, first))
        return true;
    return add(labels->reading, tid, first, settled);
}

static int by_tid(const void *left, const void *right)
{
    const struct thread_labels *a = left;
    const struct thread_labels *b = right;
    return (a->tid > b->tid) - (a->tid < b->tid);
}

static bool read_slots(struct labels *labels)
{
    struct reading *reading = labels->reading;
    const size_t size = LABEL_SLOT_CHUNK * sizeof(struct label_slot);
    size_t slot_count = reading->head.slot_count; /* behind it are those of a parent's */
    size_t chunk_count = (slot_count + LABEL_SLOT_CHUNK - 1) / LABEL_SLOT_CHUNK;
    if (chunk_count > LABEL_SLOT_CHUNKS)
        chunk_count = LABEL_SLOT_CHUNKS;
    if (chunk_count == 0)
        return true;
    uint64_t *chunks = arena_array(&reading->arena, chunk_count, sizeof *chunks);
    struct label_slot *first = arena_alloc(&reading->arena, size);
    struct label_slot *second = arena_alloc(&reading->arena, size);
    if (!chunks || !first || !second ||
        !target_read_all(labels->target, reading->root + offsetof(struct label_root, slot_chunks),
                         chunks, chunk_count * sizeof *chunks))
        return false;
    for (size_t i = 0; i < chunk_count; i++) {
        if (chunks[i] == 0 || !target_read_all(labels->target, chunks[i], first, size) ||
            !target_read_all(labels->target, chunks[i], second, size))
            continue;
        for (size_t j = 0; j < LABEL_SLOT_CHUNK && i * LABEL_SLOT_CHUNK + j < slot_count; j++)
            if (!take_slot(labels, chunks[i] + j * sizeof *first, &first[j], &second[j]))
                return false;
    }
    if (reading->count > 1)
        qsort(reading->threads, reading->count, sizeof *reading->threads, by_tid);
    return true;
}

bool labels_refresh(struct labels *labels, uint64_t root)
{
    labels_trim(labels);
    inner_ids_forget(labels->target);
    struct reading *reading = labels->reading;
    struct head *head = &reading->head;
    reading->root = root;
    if (root != 0 && target_read_all(labels->target, root, head, sizeof *head) &&
        head->magic == LABELS_MAGIC && head->version == LABELS_VERSION &&
        head->size == sizeof(struct label_root) && read_slots(labels))
        return true;
    labels_trim(labels);
    return false;
}

struct label_list labels_of_thread(const struct labels *labels, pid_t tid)
{
    const struct reading *reading = labels->reading;
    const struct thread_labels key = { .tid = tid };
    const struct thread_labels *found =
        reading->count == 0 ? NULL
                            : bsearch(&key, reading->threads, reading->count, sizeof key, by_tid);
    return found ? found->labels : (struct label_list){ 0 };
}

static bool read_places(const struct labels *labels, struct set_table *sets)
{
    struct reading *reading = labels->reading;
    uint64_t places = reading->root + offsetof(struct label_root, set_places);
    sets->count = reading->head.set_count < LABEL_SETS ? reading->head.set_count : LABEL_SETS;
    sets->places = arena_array(&reading->arena, sets->count, sizeof *sets->places);
    sets->lists = arena_array(&reading->arena, sets->count, sizeof *sets->lists);
    return sets->places && sets->lists &&
           target_read_all(labels->target, places, sets->places,
                           sets->count * sizeof *sets->places);
}

static bool read_bytes(const struct labels *labels, struct set_table *sets)
{
    struct reading *reading = labels->reading;
    uint64_t chunks[LABEL_SET_CHUNKS];
    sets->byte_count = reading->head.set_bytes;
    if (sets->byte_count > LABEL_SET_CHUNKS * LABEL_SET_CHUNK)
        sets->byte_count = LABEL_SET_CHUNKS * LABEL_SET_CHUNK;
    sets->bytes = arena_alloc(&reading->arena, sets->byte_count);
    if (!sets->bytes ||
        !target_read_all(labels->target, reading->root + offsetof(struct label_root, set_chunks),
                         chunks, sizeof chunks))
        return false;
    for (uint32_t at = 0; at < sets->byte_count; at += LABEL_SET_CHUNK) {
        uint32_t rest = sets->byte_count - at;
        uint64_t chunk = chunks[at / LABEL_SET_CHUNK];
        if (chunk != 0) /* one that cannot be read is zeros: sets without labels */
            target_read_all(labels->target, chunk, sets->bytes + at,
                            rest < LABEL_SET_CHUNK ? rest : LABEL_SET_CHUNK);
    }
    return true;
}

/* More sets may have come since the slots were read. */
static void read_sets(const struct labels *labels)
{
    struct reading *reading = labels->reading;
    struct set_table *sets = &reading->sets;
    sets->was_read = true;
    if (reading->root == 0 ||
        !target_read_all(labels->target, reading->root, &reading->head, sizeof reading->head) ||
        reading->head.set_count <= LABEL_SET_FIRST)
        return;
    if (!read_places(labels, sets) || !read_bytes(labels, sets))
        *sets = (struct set_table){ .was_read = true };
}

/* The set at its place within what was read; NULL when there is none. */
static const struct label_set *set_of(const struct set_table *sets, uint32_t number)
{
    uint32_t place = sets->places[number];
    if (place % sizeof(uint64_t) != 0 || place >= sets->byte_count ||
        sets->byte_count - place < sizeof(struct label_set))
        return NULL;
    const struct label_set *set = (const struct label_set *)(const void *)(sets->bytes + place);
    size_t room = sets->byte_count - place - sizeof *set;
    return set->length <= room && set->length <= LABEL_TEXT_MAX ? set : NULL;
}

struct label_list labels_of_set(const struct labels *labels, uint32_t number)
{
    static const struct label_list other = { .is_other = true };
    struct reading *reading = labels->reading;
    if (number == LABEL_SET_NONE)
        return (struct label_list){ 0 };
    if (!reading->sets.was_read)
        read_sets(labels);
    if (number < LABEL_SET_FIRST || number >= reading->sets.count)
        return other;
    struct label_list *list = &reading->sets.lists[number];
    const struct label_set *set = list->list ? NULL : set_of(&reading->sets, number);
    if (set && cut(&reading->arena, set->text, set->length, list))
        list->left_out = set->left_out;
    return list->list ? *list : other;
}

uint64_t labels_sets_refused(const struct labels *labels)
{
    return labels->reading->head.sets_refused;
}

uint64_t labels_slots_refused(const struct labels *labels)
{
    return labels->reading->head.slots_refused;
}

bool labels_keep(struct label_list *list, struct arena *arena)
{
    if (list->count == 0) {
        list->list = NULL;
        return true;
    }
    struct label *copy = arena_array(arena, list->count, sizeof *copy);
    bool done = copy != NULL;
    for (size_t i = 0; done && i < list->count; i++) {
        copy[i].key = arena_strdup(arena, list->list[i].key);
        copy[i].value = arena_strdup(arena, list->list[i].value);
        done = copy[i].key && copy[i].value;
    }
    if (done)
        list->list = copy;
    else
        *list = (struct label_list){ 0 };
    return done;
}
