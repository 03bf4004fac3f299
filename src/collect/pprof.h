/* pprof.h: a profile that somebody else wrote, read and held against the rules of its format.
 *
 * Gzip'd or not. Whatever the bytes are, the memory taken is bounded, and what has been read is
 * whole: every string, location and function that something refers to is there. */
#ifndef SNAG_COLLECT_PPROF_H
#define SNAG_COLLECT_PPROF_H

#include "base/arena.h"
#include "base/hash_index.h"
#include "profile.pb-c.h"

#include <stddef.h>
#include <stdint.h>

/* What one profile may unpack to, unless the caller has a reason for another figure. */
#define PPROF_LIMIT ((size_t)256 << 20)

struct pprof {
    struct arena arena; /* owns all below */
    Perftools__Profiles__Profile *message;
    uint64_t seed; /* of the hashes, so that nobody can choose ids that collide */
    struct hash_index mappings, functions, locations; /* places in the message, by id */
};

/* 0; or -EBADMSG, -EFBIG (LIMIT bytes unpacked, or what those may take in memory), -ENOMEM, and
 * one line in WHY. Only after 0 there is something to free. */
int pprof_parse(struct pprof *pprof, const void *bytes, size_t length, size_t limit, char *why,
                size_t size);

/* The same of a file, which may be larger than memory or no file at all: also its errno. */
int pprof_read_file(struct pprof *pprof, const char *path, size_t limit, char *why, size_t size);

void pprof_free(struct pprof *pprof);

const char *pprof_text(const struct pprof *pprof, int64_t index);

/* Which one of the message's it is, or HASH_NONE when there is none of that id. */
uint32_t pprof_find_mapping(const struct pprof *pprof, uint64_t id);
uint32_t pprof_find_function(const struct pprof *pprof, uint64_t id);
uint32_t pprof_find_location(const struct pprof *pprof, uint64_t id);

/* Its type and unit; both "" for NULL. */
const char *pprof_type(const struct pprof *pprof, const Perftools__Profiles__ValueType *type);
const char *pprof_unit(const struct pprof *pprof, const Perftools__Profiles__ValueType *type);

/* pprof_check.c, for pprof_read.c: fills the indexes in, and says in WHY what the message breaks.
 * 0, -EBADMSG or -ENOMEM. */
int pprof_check(struct pprof *pprof, char *why, size_t size);

#endif
