/* handles_early.c: handles that come before main, in exit handlers, and inside malloc itself.
 *
 *     handles_early main|exit|malloc
 *
 * prints one line about the inventory. Its malloc is a bump allocator that enters every block into
 * an inventory: if any call of ours came to malloc, it would come back here for ever. */
#include <snag/snag.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char things[16];
static snag_profile *early;
static int wrong;

/* ---- A malloc that tracks ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAVE_MALLOC 1

static _Alignas(16) char heap[1 << 24];
static _Atomic size_t heap_used;
static _Atomic long blocks;
static _Thread_local int depth;
static _Atomic int nested;

struct header {
    size_t size;
    size_t unused;
};

static void *take(size_t size)
{
    size = (size + sizeof(struct header) + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add(&heap_used, size);
    if (at + size > sizeof heap)
        return NULL;
    ((struct header *)(void *)(heap + at))->size = size - sizeof(struct header);
    return heap + at + sizeof(struct header);
}

void *malloc(size_t size)
{
    void *block = take(size);
    nested += depth > 0;
    depth++;
    SNAG_TRACK_BYTES("malloc.blocks", block, size);
    depth--;
    blocks++;
    return block;
}

void free(void *block)
{
    if (!block)
        return;
    SNAG_UNTRACK("malloc.blocks", block);
    blocks--;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *block, size_t size)
{
    void *made = malloc(size);
    if (made && block) {
        size_t before = ((struct header *)block - 1)->size;
        memcpy(made, block, before < size ? before : size);
        free(block);
    }
    return made;
}

static bool malloc_is_tracked(void)
{
    char *kept[100];
    for (size_t i = 0; i < 100; i++)
        kept[i] = malloc(i);
    for (size_t i = 0; i < 100; i += 2)
        free(kept[i]);
    const snag_profile *profile = snag_profile_lookup("malloc.blocks");
    return nested == 0 && blocks >= 50 && snag_profile_count(profile) == (size_t)blocks;
}
#endif

static __attribute__((constructor(200))) void before_main(void)
{
    early = snag_profile_new("early");
    for (int i = 0; i < 4; i++)
        wrong += snag_profile_add(early, things + i, 10, 0) != 0;
    wrong += snag_profile_remove(early, things) != 0;
}

static void report(const char *when)
{
    char line[100];
    int length = snprintf(line, sizeof line, "%s %zu live, %d wrong\n", when,
                          snag_profile_count(early), wrong);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(1);
}

static bool at_exit_too;

/* After every exit handler, and after those of the libraries that it uses. */
static __attribute__((destructor(200))) void after_main(void)
{
    if (!at_exit_too)
        return;
    wrong += snag_profile_add(early, things + 8, 10, 0) != 0;
    report("late");
}

static void in_exit_handler(void)
{
    wrong += snag_profile_add(early, things + 9, 10, 0) != 0;
    wrong += snag_profile_remove(early, things + 1) != 0;
    wrong += snag_profile_lookup("early") != early;
    SNAG_TRACK("early", things + 10);
}

int main(int argc, char **argv)
{
    const char *stage = argc > 1 ? argv[1] : "main";
    if (strcmp(stage, "main") == 0)
        report("early");
    at_exit_too = strcmp(stage, "exit") == 0;
    if (at_exit_too) {
        wrong += snag_profile_remove(early, things + 3) != 0;
        atexit(in_exit_handler);
    }
    if (strcmp(stage, "malloc") == 0) {
#ifdef HAVE_MALLOC
        bool tracked = malloc_is_tracked();
#else
        bool tracked = true; /* a sanitizer's malloc is not replaced */
#endif
        dprintf(STDOUT_FILENO, "malloc: %s\n", tracked ? "as many as there are" : "lost count");
    }
    return 0;
}
