/* fds_list.c: the numbers of open descriptors, and their links; see fds_list.h.
 *
 * Numbers are mostly without gaps, and reading a link tells as well as a list whether there is
 * one: so the directory is asked only where a stretch ends, for what comes behind the gap. Its
 * names come in small portions and each portion's links are read at once: what the kernel has
 * just touched is then still in the processor's cache. */
#include "sources/fds_list.h"

#include "sources/fds.h"
#include "sources/fds_kinds.h"
#include "sources/fds_numbers.h"
#include "sources/fds_place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES_A_CLOCK 64u

struct list {
    struct fd_dump *dump;
    const struct fd_place *place;
    size_t capacity;
    uint64_t deadline_ns;
    size_t seen;
    bool late;
    int error;
};

/* Looks at the clock now and then. */
static bool is_late(struct list *list)
{
    struct timespec now;
    if (list->late || ++list->seen % ENTRIES_A_CLOCK != 0)
        return list->late;
    clock_gettime(CLOCK_MONOTONIC, &now);
    list->late = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec >= list->deadline_ns;
    return list->late;
}

/* Room for COUNT in all. */
static bool reserve(struct list *list, size_t count)
{
    struct fd_dump *dump = list->dump;
    if (count <= list->capacity)
        return true;
    size_t larger = list->capacity * 2 > count ? list->capacity * 2 : count;
    struct descriptor *grown = arena_array(&dump->arena, larger, sizeof *grown);
    if (!grown) {
        list->error = -ENOMEM;
        return false;
    }
    if (dump->count > 0)
        memcpy(grown, dump->descriptors, dump->count * sizeof *grown);
    dump->descriptors = grown;
    list->capacity = larger;
    return true;
}

/* Reads where the descriptor leads. False when it is not open. */
static bool read_link(struct list *list, struct descriptor *descriptor, const char *name)
{
    struct arena *arena = &list->dump->arena;
    char link[PATH_MAX];
    ssize_t length = readlinkat(list->place->fd, name, link, sizeof link);
    if (length < 0 && errno == ENOENT)
        return false;
    if (length < 0 && errno != ENAMETOOLONG) {
        char text[64];
        snprintf(text, sizeof text, "its link cannot be read: errno %d", errno);
        fd_kind_unknown(descriptor, arena_strdup(arena, text));
    } else if (length < 0 || length == sizeof link) {
        fd_kind_of_long_path(descriptor);
    } else {
        fd_kind_of_link(descriptor, arena_strndup(arena, link, (size_t)length), (size_t)length);
    }
    if (!descriptor->target)
        list->error = -ENOMEM;
    return true;
}

/* Adds FD, whose number as text is NAME. False when it is not open. */
static bool add(struct list *list, int fd, const char *name)
{
    struct fd_dump *dump = list->dump;
    if (!reserve(list, dump->count + 1))
        return false;
    struct descriptor *descriptor = &dump->descriptors[dump->count];
    *descriptor =
        (struct descriptor){ .fd = fd, .access = -1, .flags = -1, .position = -1, .other_end = -1 };
    if (list->late)
        fd_kind_unknown(descriptor, "not looked at: the time for this dump was used up");
    else if (!read_link(list, descriptor, name))
        return false;
    dump->not_looked_at += list->late;
    dump->count++;
    return true;
}

static void write_number(char *text, unsigned number)
{
    char digits[16];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count > 0)
        *text++ = digits[--count];
    *text = 0;
}

/* Takes the numbers from FD on, up to the first that is not open. Returns that one. */
static int add_stretch(struct list *list, int fd)
{
    char name[16];
    for (; fd < INT_MAX - 4 && !list->error && !is_late(list); fd++) {
        write_number(name, (unsigned)fd);
        if (!add(list, fd, name))
            break;
    }
    return fd;
}

int fd_list_read(struct fd_dump *dump, const struct fd_place *place, uint64_t deadline_ns)
{
    struct list list = { .dump = dump, .place = place, .deadline_ns = deadline_ns };
    struct numbers numbers;
    reserve(&list, fd_place_size(place));
    numbers_begin(&numbers, place->fd);
    while (!list.error) {
        const char *name = numbers_next(&numbers);
        if (!name)
            break;
        is_late(&list);
        add(&list, numbers.last, name);
        if (!list.late && numbers_are_dense(&numbers)) {
            /* Where it was too late, the number has not been tried. */
            int end = add_stretch(&list, numbers.last + 1);
            numbers_jump(&numbers, list.late ? end : end + 1);
        }
    }
    dump->listed_all = numbers.at_end;
    if (!list.error && numbers.error && dump->count == 0)
        return numbers.error;
    return list.error;
}

int fd_list_look(struct fd_dump *dump, const struct fd_place *place, const int *fds, size_t count,
                 uint64_t deadline_ns)
{
    struct list list = { .dump = dump, .place = place, .deadline_ns = deadline_ns };
    reserve(&list, count + 1);
    for (size_t i = 0; i < count && !list.error && !is_late(&list); i++) {
        char name[16];
        write_number(name, (unsigned)fds[i]);
        add(&list, fds[i], name);
    }
    dump->listed_all = !list.late;
    return list.error;
}
