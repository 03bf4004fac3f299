/* labels.h: the labels that threads have, and those that handles were added under.
 *
 * Kept by the service's threads in its memory (src/labels) and read here like any other memory of
 * the target. */
#ifndef SNAG_SOURCES_LABELS_H
#define SNAG_SOURCES_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct labels;
struct target;

struct label {
    const char *key; /* as the service wrote them: any bytes, see sink_plain */
    const char *value;
};

struct label_list {
    const struct label *list; /* by ascending key; valid until the next labels_refresh */
    size_t count;
    size_t left_out;  /* that had no room */
    bool is_other;    /* of a set: there was no room for it, so its labels are not known */
    bool is_changing; /* of a thread: they changed all the time, and could not be read */
};

/* NULL without memory. */
struct labels *labels_new(struct target *target);
void labels_free(struct labels *labels);

/* Reads the tables at ROOT (struct label_root) as they are now. False: there are none; every answer
 * is an empty list then. */
bool labels_refresh(struct labels *labels, uint64_t root);

/* As of the last refresh. An empty list for a thread without labels. */
struct label_list labels_of_thread(const struct labels *labels, pid_t tid);

/* The set NUMBER, of a handle's holder. Sets are read when the first one is asked for since the
 * last refresh: handles are to be read before that. */
struct label_list labels_of_set(const struct labels *labels, uint32_t number);

/* How many sets had no room, and how many labels of threads that had no slot. */
uint64_t labels_sets_refused(const struct labels *labels);
uint64_t labels_slots_refused(const struct labels *labels);

/* A copy of LIST in ARENA, which outlives the next refresh. False without memory: *LIST is empty
 * then. */
bool labels_keep(struct label_list *list, struct arena *arena);

/* Gives back what the last refresh read. */
void labels_trim(struct labels *labels);

#endif
