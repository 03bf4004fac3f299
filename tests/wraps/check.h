/* check.h: one maker and one ender of a handle, held against the inventory.
 *
 * Each maker is a function whose last act is the wrapped call, which a compiler would like to turn
 * into a jump: it must be the first frame of what it made all the same. */
#ifndef SNAG_TESTS_WRAPS_CHECK_H
#define SNAG_TESTS_WRAPS_CHECK_H

#include <snag/snag.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __cplusplus
#define NOTHING nullptr
#else
#define NOTHING NULL
#endif

#define APART __attribute__((noinline)) static

__attribute__((unused)) static unsigned checks_failed;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            checks_failed++;                                                                       \
        }                                                                                          \
    } while (0)

__attribute__((unused)) static size_t live(const char *inventory)
{
    return snag_profile_count(snag_profile_lookup(inventory));
}

/* The text of PROFILE, debug=2, in TEXT. */
__attribute__((unused)) static void text_of(const char *profile, char *text, size_t size)
{
    ssize_t length = -1;
    int fd = memfd_create("dump", 0);
    int status = snag_write(profile, fd, 2);
    if (status == 0)
        length = pread(fd, text, size - 1, 0);
    else
        fprintf(stderr, "snag_write(\"%s\"): %s\n", profile, strerror(-status));
    text[length > 0 ? length : 0] = 0;
    close(fd);
}

/* Whether the innermost function of each live handle of INVENTORY is FUNCTION. */
__attribute__((unused)) static int is_held_by(const char *inventory, const char *function)
{
    static char text[1 << 18];
    const char *place = text;
    const char *before = "";
    int frames = 0;
    text_of(inventory, text, sizeof text);
    while ((place = strstr(place, "#0   0x"))) {
        const char *name = strchr(place + 7, ' ');
        size_t length = strlen(function);
        place += 7;
        /* with what is inlined in it the same frame has several lines */
        int same = strncmp(before, place, 16) == 0;
        before = place;
        if (same)
            continue;
        frames++;
        if (!name || strncmp(name + 1, function, length) != 0 || !strchr("+ (\n", name[1 + length]))
            frames = -1000;
    }
    if (frames <= 0)
        fprintf(stderr, "not by %s:\n%s\n", function, text);
    return frames > 0;
}

/* The inventory has the handles it had, and COUNT more, all held by FUNCTION. */
__attribute__((unused)) static void check_held(int line, const char *inventory, size_t count,
                                               const char *function)
{
    if (live(inventory) != count) {
        fprintf(stderr, "line %d: %s: %zu live, not %zu\n", line, inventory, live(inventory),
                count);
        checks_failed++;
    } else if (count > 0 && !is_held_by(inventory, function)) {
        fprintf(stderr, "line %d: %s\n", line, inventory);
        checks_failed++;
    }
}

/* MAKER is called, its handle seen, and ENDER called with it; both with no handle there else. */
#define CHECK_PAIR(inventory, type, maker, ender)                                                  \
    do {                                                                                           \
        type *made = maker();                                                                      \
        EXPECT(made != NOTHING);                                                                   \
        check_held(__LINE__, inventory, 1, #maker);                                                \
        ender(made);                                                                               \
        check_held(__LINE__, inventory, 0, "");                                                    \
    } while (0)

/* The exit status: nothing went wrong, also in the eyes of the inventories. */
__attribute__((unused)) static int checks_end(void)
{
    static char text[1 << 18];
    text_of("handles", text, sizeof text);
    EXPECT(text[0] != 0);
    EXPECT(!strstr(text, "what went wrong"));
    return checks_failed == 0 ? 0 : 1;
}

#endif
