/* names.c: names that are safe in a path; see names.h. */
#include "collect/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

void name_make_safe(const char *text, char name[NAME_SIZE])
{
    size_t length = strlen(text);
    snprintf(name, NAME_SIZE, "%s", text);
    for (char *at = name; *at; at++)
        if (!strchr(allowed, *at) || (at == name && *at == '.'))
            *at = '_';
    if (length > NAME_MOST)
        snprintf(name + NAME_MOST - 9, 10, "-%08" PRIx32, (uint32_t)name_hash(text));
    if (length == 0)
        snprintf(name, NAME_SIZE, "_");
}

bool name_is_safe(const char *name, size_t length)
{
    return length > 0 && length <= NAME_MOST && *name != '.' && strspn(name, allowed) >= length;
}

uint64_t name_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}
