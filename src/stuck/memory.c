/* memory.c: how long sockets have been as they are.
 *
 * The kernel does not say since when a socket is in CLOSE_WAIT, nor when bytes came. So
 * each diagnosis notes what it saw, and the next one finds it there. What is
 * gone or has changed is forgotten. */
#include "stuck/findings.h"

#include "sources/fds.h"

#include <stdlib.h>
#include <string.h>

#define NOTES_MAX 2048

struct note {
    uint64_t inode;
    uint64_t close_wait_since; /* CLOCK_MONOTONIC; 0: it is not */
    uint64_t unread_since;     /* ... */
    uint64_t unread;           /* ... that there have been so many */
};

struct stuck_memory {
    struct note *notes; /* by inode */
    size_t count;
    uint64_t now;
};

struct stuck_memory *stuck_memory_new(void)
{
    return calloc(1, sizeof(struct stuck_memory));
}

void stuck_memory_free(struct stuck_memory *memory)
{
    if (!memory)
        return;
    free(memory->notes);
    free(memory);
}

static int compare_inodes(const void *left, const void *right)
{
    uint64_t a = ((const struct note *)left)->inode;
    uint64_t b = ((const struct note *)right)->inode;
    return (a > b) - (a < b);
}

static const struct note *find(const struct stuck_memory *memory, uint64_t inode)
{
    const struct note key = { .inode = inode };
    if (memory->count == 0)
        return NULL;
    return bsearch(&key, memory->notes, memory->count, sizeof key, compare_inodes);
}

static bool is_noted(const struct descriptor *descriptor)
{
    bool unread =
        descriptor->queues_known && !descriptor->queues_are_memory && descriptor->unread > 0;
    bool close_wait = descriptor->state && strcmp(descriptor->state, "CLOSE_WAIT") == 0;
    bool listens = descriptor->state && strcmp(descriptor->state, "LISTEN") == 0;
    return descriptor->inode != 0 && !listens && (unread || close_wait);
}

static struct note note_of(const struct stuck_memory *memory, const struct descriptor *descriptor,
                           uint64_t now)
{
    const struct note *before = find(memory, descriptor->inode);
    struct note note = { .inode = descriptor->inode };
    if (descriptor->state && strcmp(descriptor->state, "CLOSE_WAIT") == 0)
        note.close_wait_since = before && before->close_wait_since ? before->close_wait_since : now;
    if (descriptor->queues_known && descriptor->unread > 0) {
        note.unread = descriptor->unread;
        note.unread_since = before && before->unread == note.unread ? before->unread_since : now;
    }
    return note;
}

void memory_update(struct stuck_memory *memory, const struct fd_dump *fds)
{
    size_t wanted = 0;
    for (size_t i = 0; i < fds->count; i++)
        wanted += is_noted(&fds->descriptors[i]);
    if (wanted > NOTES_MAX)
        wanted = NOTES_MAX;
    struct note *notes = calloc(wanted + 1, sizeof *notes);
    if (!notes)
        return;
    size_t count = 0;
    for (size_t i = 0; i < fds->count && count < wanted; i++)
        if (is_noted(&fds->descriptors[i]))
            notes[count++] = note_of(memory, &fds->descriptors[i], fds->monotonic_ns);
    qsort(notes, count, sizeof *notes, compare_inodes);
    free(memory->notes);
    memory->notes = notes;
    memory->count = count;
    memory->now = fds->monotonic_ns;
}

static uint64_t since(const struct stuck_memory *memory, uint64_t time)
{
    return time != 0 && time < memory->now ? memory->now - time : 0;
}

uint64_t memory_close_wait_ns(const struct stuck_memory *memory, uint64_t inode)
{
    const struct note *note = find(memory, inode);
    return note ? since(memory, note->close_wait_since) : 0;
}

uint64_t memory_unread_ns(const struct stuck_memory *memory, uint64_t inode)
{
    const struct note *note = find(memory, inode);
    return note ? since(memory, note->unread_since) : 0;
}
