/* handles_wanted.c: which inventories libsnag-track keeps; see handles.h.
 *
 * None, unless SNAG_TRACK_HANDLES asks for them: a list of words separated by commas, or `all`.
 * What is open is known from the descriptors already, so that the leak check would report a stream
 * twice. */
#include "track/handles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "SNAG_TRACK_HANDLES"

struct handle_inventory track_handles[HANDLE_KINDS] = {
    [HANDLES_FILES] = { .name = "stdio.FILE", .word = "stdio" },
    [HANDLES_DIRECTORIES] = { .name = "dirent.DIR", .word = "dirent" },
    [HANDLES_THREADS] = { .name = "pthread.thread", .word = "pthread" },
};

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncmp(text, word, length) == 0;
}

/* False: there is no such word. */
static bool want(const char *text, size_t length)
{
    bool known = length == 0;
    for (int kind = 0; kind < HANDLE_KINDS; kind++) {
        if (is_word(text, length, "all") || is_word(text, length, track_handles[kind].word))
            known = track_handles[kind].wanted = true;
    }
    return known;
}

void handles_begin(void)
{
    const char *list = getenv(VARIABLE);
    bool known = true;
    for (const char *word = list; word && known; word = *word ? word + 1 : NULL) {
        size_t length = strcspn(word, ",");
        known = want(word, length);
        word += length;
    }
    if (known)
        return;
    for (int kind = 0; kind < HANDLE_KINDS; kind++)
        track_handles[kind].wanted = false;
    dprintf(STDERR_FILENO,
            "snag: " VARIABLE " is \"%.200s\"; allowed are stdio, dirent, pthread, separated by "
            "commas, or all: no handles are tracked\n",
            list);
}
