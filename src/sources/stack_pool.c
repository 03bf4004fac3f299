/* stack_pool.c: the pool of stacks, read from outside; see stack_pool.h.
 *
 * All of it is read at once: what a dump names may be anywhere in it. Numbers and
 * sizes come from the service's memory and are checked before they are used. */
#include "sources/stack_pool.h"

#include "base/arena.h"
#include "base/target.h"
#include "sources/tracking_guests.h"
#include "stacks/pool.h"
#include "stacks/stacks.h"

#include <stdlib.h>

struct pool_reader {
    struct target *target;
    struct modules *modules;
    uint64_t address;            /* of the pool that was read last */
    struct guest_shifts *guests; /* of that pool; NULL: no guest was seen yet */

    struct arena arena; /* owns all below */
    uint32_t *places;
    uint32_t place_count;
    uint64_t *words; /* of the pool's chunks, one after the other */
    uint32_t word_count;
    uint64_t refused;
};

struct pool_reader *pool_reader_new(struct target *target, struct modules *modules)
{
    struct pool_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->target = target;
    reader->modules = modules;
    return reader;
}

void pool_reader_trim(struct pool_reader *reader)
{
    arena_release(&reader->arena);
    reader->places = NULL;
    reader->place_count = 0;
    reader->words = NULL;
    reader->word_count = 0;
    reader->refused = 0;
}

void pool_reader_free(struct pool_reader *reader)
{
    if (!reader)
        return;
    pool_reader_trim(reader);
    free(reader->guests);
    free(reader);
}

static bool read_places(struct pool_reader *reader, uint32_t count)
{
    if (count > POOL_STACKS)
        count = POOL_STACKS;
    reader->places = arena_array(&reader->arena, count, sizeof *reader->places);
    if (!reader->places ||
        !target_read_all(reader->target, reader->address + offsetof(struct stack_pool, places),
                         reader->places, count * sizeof *reader->places))
        return false;
    reader->place_count = count;
    return true;
}

static bool read_chunks(struct pool_reader *reader, const uint64_t *chunks, uint32_t used)
{
    if (used > POOL_CHUNKS * POOL_CHUNK_WORDS)
        used = POOL_CHUNKS * POOL_CHUNK_WORDS;
    reader->words = arena_array(&reader->arena, used, sizeof *reader->words);
    if (!reader->words)
        return false;
    for (uint32_t at = 0; at < used; at += POOL_CHUNK_WORDS) {
        uint32_t count = used - at < POOL_CHUNK_WORDS ? used - at : POOL_CHUNK_WORDS;
        uint64_t chunk = chunks[at / POOL_CHUNK_WORDS];
        if (chunk != 0) /* one that cannot be read is zeros: stacks without frames */
            target_read_all(reader->target, chunk, reader->words + at,
                            count * sizeof *reader->words);
    }
    reader->word_count = used;
    return true;
}

/* The node of stack NUMBER within what was read; NULL when there is none. */
static struct stack_node *node_of(const struct pool_reader *reader, uint32_t number)
{
    if (number < STACK_FIRST || number >= reader->place_count)
        return NULL;
    uint32_t place = reader->places[number];
    if (place >= reader->word_count || reader->word_count - place < NODE_WORDS)
        return NULL;
    struct stack_node *node = (struct stack_node *)(reader->words + place);
    size_t room = reader->word_count - place - NODE_WORDS;
    return node->count > 0 && node->count <= room ? node : NULL;
}

/* From here on frames are as everywhere else. */
static void plain_frames(struct pool_reader *reader)
{
    for (uint32_t number = STACK_FIRST; number < reader->place_count; number++) {
        struct stack_node *node = node_of(reader, number);
        if (!node || node->unused) /* a number that was not used may name another one's node */
            continue;
        node->unused = 1;
        for (size_t i = 0; i < node->count; i++)
            node->frames[i] = guests_frame(reader->guests, node->frames[i]);
    }
}

/* Looks after the libraries that stacks went through; false without memory. */
static bool read_guests(struct pool_reader *reader, uint32_t count)
{
    if (count > POOL_GUESTS)
        count = POOL_GUESTS;
    if (count == 0)
        return true;
    if (!reader->guests)
        reader->guests = calloc(1, sizeof *reader->guests);
    struct stack_guest *list = arena_array(&reader->arena, count, sizeof *list);
    if (!reader->guests || !list)
        return false;
    if (target_read_all(reader->target, reader->address + offsetof(struct stack_pool, guests), list,
                        count * sizeof *list))
        guests_look(reader->guests, reader->modules, list, count);
    plain_frames(reader);
    return true;
}

static bool read_pool(struct pool_reader *reader)
{
    struct {
        uint32_t count;
        uint32_t used;
        uint64_t refused;
        uint32_t guest_count;
        uint32_t unused;
        uint64_t chunks[POOL_CHUNKS];
    } head;
    _Static_assert(sizeof head == offsetof(struct stack_pool, places), "the head of the pool");
    if (!target_read_all(reader->target, reader->address, &head, sizeof head))
        return false;
    reader->refused = head.refused;
    return read_places(reader, head.count) && read_chunks(reader, head.chunks, head.used) &&
           read_guests(reader, head.guest_count);
}

bool pool_reader_refresh(struct pool_reader *reader, uint64_t address)
{
    pool_reader_trim(reader);
    if (reader->address != address) { /* of a pool that went with its library */
        free(reader->guests);
        reader->guests = NULL;
        reader->address = address;
    }
    if (address == 0 || read_pool(reader))
        return true;
    pool_reader_trim(reader);
    return false;
}

struct pooled_stack pool_reader_stack(const struct pool_reader *reader, uint32_t number)
{
    const struct stack_node *node = node_of(reader, number);
    if (!node)
        return (struct pooled_stack){ .partial = "there was no room left for this stack" };
    return (struct pooled_stack){ node->frames, node->count, stack_end_words(node->end) };
}

uint64_t pool_reader_refused(const struct pool_reader *reader)
{
    return reader->refused;
}
