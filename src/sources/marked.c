/* marked.c: structs found by their first words; see marked.h.
 *
 * The program's variables are the writable mappings of its file and what follows without a gap
 * and without a file (those that begin as zeros). A struct that was used is in memory: pages that
 * are not there are passed over, so nothing is brought in for the search. */
#include "sources/marked.h"

#include "base/maps.h"
#include "base/target.h"
#include "modules/modules.h"

#include <stdlib.h>
#include <string.h>

#define PAGE ((uint64_t)4096) /* or a multiple: steps of this size meet every page */
#define PIECE ((uint64_t)65536)
#define MOST ((uint64_t)64 << 20) /* of variables that are searched */

struct search {
    struct target *target;
    const struct mark *marks;
    uint64_t *addresses;
    size_t count;
    uint64_t left;
    char *piece;
};

/* A struct is aligned to 8. */
static void look_in(const struct search *search, uint64_t start, size_t length)
{
    for (size_t at = 0; at + sizeof(struct mark) <= length; at += sizeof(uint64_t)) {
        struct mark here;
        memcpy(&here, search->piece + at, sizeof here);
        for (size_t i = 0; i < search->count; i++)
            if (here.magic == search->marks[i].magic && here.version == search->marks[i].version &&
                here.size == search->marks[i].size && search->addresses[i] == 0)
                search->addresses[i] = start + at;
    }
}

/* Pieces overlap, so that a mark across two pages of one mapping is met. */
static void search_mapping(struct search *search, uint64_t start, uint64_t end)
{
    const uint64_t overlap = sizeof(struct mark);
    while (start < end && search->left > 0) {
        uint64_t length = end - start < PIECE ? end - start : PIECE;
        ssize_t got = target_read_ahead(search->target, start, search->piece, (size_t)length);
        uint64_t done = got > 0 ? (uint64_t)got : PAGE - start % PAGE;
        if (got > 0)
            look_in(search, start, (size_t)got);
        search->left -= done < search->left ? done : search->left;
        bool goes_on = got > 0 && done == length && start + done < end;
        start += goes_on ? done - overlap : done;
    }
}

static bool is_of(const struct map_line *line, const struct module *program)
{
    return line->inode != 0 && line->inode == program->inode && line->device == program->device;
}

static void search_maps(struct search *search, const struct module *program, const char *text)
{
    struct map_line line;
    uint64_t behind = 0; /* one past the last mapping of the program's */
    while (map_line_next(&text, &line)) {
        bool follows = line.inode == 0 && line.path_length == 0 && line.start == behind;
        if (!is_of(&line, program) && !follows)
            continue;
        behind = line.end;
        if (line.readable && line.writable)
            search_mapping(search, line.start, line.end);
    }
}

void marked_find(struct target *target, const struct module *program, const struct mark *marks,
                 uint64_t *addresses, size_t count)
{
    struct search search = { target, marks, addresses, count, MOST, malloc(PIECE) };
    char *text = NULL;
    memset(addresses, 0, count * sizeof *addresses);
    if (search.piece && proc_read_whole(target->live_fd, "maps", &text) > 0) {
        search_maps(&search, program, text);
        free(text);
    }
    free(search.piece);
}
