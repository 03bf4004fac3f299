/* text.c: strings, lists and whole files, for a command that runs a few seconds.
 *
 * Memory that runs out ends the command with status 2: there is nothing to give back then. */
#include "check/check.h"
#include "tool/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *checked(void *memory)
{
    if (memory)
        return memory;
    complain("check", "no memory");
    exit(STATUS_USAGE);
}

void *checked_alloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *checked_grow(void *memory, size_t size)
{
    return checked(realloc(memory, size ? size : 1));
}

char *text_copy(const char *text, size_t length)
{
    char *copy = checked_alloc(length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *text_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(length < 0 ? NULL : text);
}

char *text_read(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &about) != 0) {
        close(fd);
        return NULL;
    }
    size_t room = (size_t)about.st_size + 1, filled = 0;
    char *text = checked_alloc(room);
    ssize_t got;
    while ((got = read(fd, text + filled, room - filled)) > 0) {
        filled += (size_t)got;
        if (filled == room)
            text = checked_grow(text, room *= 2);
    }
    close(fd);
    if (got < 0) {
        free(text);
        return NULL;
    }
    text[filled] = 0;
    *length = filled;
    return text;
}

bool text_write(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "we");
    bool written = file && fwrite(text, 1, length, file) == length;
    if (file && fclose(file) != 0)
        written = false;
    if (!written)
        complain("check", "cannot write '%s': %s", path, strerror(errno));
    return written;
}

bool text_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) { /* the last star takes one character more */
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$';
}

const char *text_find_word(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += length)
        if ((at == text || !is_word_character(at[-1])) && !is_word_character(at[length]))
            return at;
    return NULL;
}

void list_add(struct list *list, void *item)
{
    if ((list->count & (list->count + 1)) == 0) /* full at 0, 1, 3, 7 ... */
        list->items = checked_grow(list->items, (2 * list->count + 2) * sizeof *list->items);
    list->items[list->count++] = item;
}

bool list_has_text(const struct list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}
