/* arena.c: memory for one dump; see arena.h.
 *
 * Chunks start at 64 KiB and double up to 4 MiB, so a small dump costs one
 * mmap and a big one few. Fresh mmap'd pages are zero, which is why arena_alloc
 * never clears. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 16u
#define FIRST_CHUNK ((size_t)64 << 10)
#define LAST_CHUNK ((size_t)4 << 20)

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of the whole mapping, this header included */
    size_t used; /* from the start of the mapping */
    size_t padding;
};

static struct arena_chunk *chunk_new(struct arena *arena, size_t need)
{
    size_t size = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK;
    if (size > LAST_CHUNK)
        size = LAST_CHUNK;
    if (need > SIZE_MAX - sizeof(struct arena_chunk) - 4096)
        return NULL;
    need = (need + sizeof(struct arena_chunk) + 4095) & ~(size_t)4095;
    if (size < need)
        size = need;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct arena_chunk *chunk = memory;
    chunk->older = arena->chunks;
    chunk->size = size;
    chunk->used = sizeof *chunk;
    arena->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        chunk = chunk_new(arena, size);
        if (!chunk)
            return NULL;
    }
    void *memory = (char *)chunk + chunk->used;
    chunk->used += size;
    arena->used += size;
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(arena, total);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        munmap(chunk, chunk->size);
        chunk = older;
    }
    arena->chunks = NULL;
    arena->used = 0;
}
