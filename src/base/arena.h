/* arena.h: memory for one dump, taken from the kernel and given back at once.
 *
 * A bump allocator over mmap'd chunks. Nothing is freed singly; arena_release
 * returns every chunk to the kernel. Not thread-safe: an arena belongs to the
 * one thread that makes the dump. */
#ifndef SNAG_BASE_ARENA_H
#define SNAG_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes handed out, for reports */
};

/* An empty arena; costs nothing until the first allocation. */
#define ARENA_INIT                                                                                 \
    {                                                                                              \
        0, 0                                                                                       \
    }

/* SIZE zeroed bytes, aligned to 16; NULL when the kernel gives no more. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc for COUNT elements of SIZE; NULL on overflow too. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* Copies of a string and of LENGTH bytes of it, terminated; NULL without memory. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);

/* Gives everything back; the arena is then empty and may be used again. */
void arena_release(struct arena *arena);

#endif
