/* stack_pool.h: stacks by number, as the service keeps them (stacks/pool.h), read from outside.
 *
 * Records of the service's (descriptors, threads, handles) name a stack by a number in
 * a pool. The pool only grows, so whoever reads records first and the pool after them finds every
 * stack that they name. */
#ifndef SNAG_SOURCES_STACK_POOL_H
#define SNAG_SOURCES_STACK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct modules;
struct pool_reader;
struct target;

struct pooled_stack {
    const uint64_t *frames; /* as in base/stack.h, innermost first; NULL: not known */
    size_t count;
    const char *partial; /* why the frames are not all there are (a constant); NULL: they are */
};

/* MODULES learns of libraries that were unloaded since a stack went through them
 * (modules_add_gone). Both must outlive it. NULL without memory. */
struct pool_reader *pool_reader_new(struct target *target, struct modules *modules);
void pool_reader_free(struct pool_reader *reader);

/* Reads the pool at ADDRESS, 0 for none, as it is now. False when it cannot be read. */
bool pool_reader_refresh(struct pool_reader *reader, uint64_t address);

/* Stack NUMBER, as of the last refresh and valid until the next. */
struct pooled_stack pool_reader_stack(const struct pool_reader *reader, uint32_t number);

/* How many stacks had no room in the pool, as of the last refresh. */
uint64_t pool_reader_refused(const struct pool_reader *reader);

/* Gives back what the last refresh read. */
void pool_reader_trim(struct pool_reader *reader);

#endif
