/* stored_name.c: the names of stored profiles; see stored_name.h. */
#include "collect/stored_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LENGTH 16 /* 20261130T202105Z */
#define ENDING ".pb.gz"
#define TEMPORARY ".tmp"

static const char digits[] = "0123456789";

void stored_name_write(char name[STORED_NAME_SIZE], time_t time, unsigned number,
                       const char *instance)
{
    char when[32] = "";
    char count[16] = "";
    struct tm parts;
    if (gmtime_r(&time, &parts))
        strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &parts);
    if (number > 1)
        snprintf(count, sizeof count, "_%u", number);
    snprintf(name, STORED_NAME_SIZE, "%.16s%.12s%s%.100s" ENDING, when, count, *instance ? "-" : "",
             instance);
}

static int number_at(const char *text, size_t length)
{
    char copy[8] = "";
    memcpy(copy, text, length);
    return atoi(copy);
}

static bool read_time(const char *name, time_t *time)
{
    if (strlen(name) < TIME_LENGTH || strspn(name, digits) != 8 || name[8] != 'T' ||
        strspn(name + 9, digits) != 6 || name[15] != 'Z')
        return false;
    struct tm parts = { .tm_year = number_at(name, 4) - 1900,
                        .tm_mon = number_at(name + 4, 2) - 1,
                        .tm_mday = number_at(name + 6, 2),
                        .tm_hour = number_at(name + 9, 2),
                        .tm_min = number_at(name + 11, 2),
                        .tm_sec = number_at(name + 13, 2) };
    *time = timegm(&parts);
    return true;
}

bool stored_name_read(const char *name, time_t *time)
{
    size_t length = strlen(name);
    size_t ending = strlen(ENDING);
    if (!read_time(name, time) || length < TIME_LENGTH + ending ||
        strcmp(name + length - ending, ENDING) != 0)
        return false;
    const char *at = name + TIME_LENGTH;
    const char *end = name + length - ending;
    if (*at == '_') {
        size_t count = strspn(at + 1, digits);
        if (count == 0)
            return false;
        at += 1 + count;
    }
    return at == end || (*at == '-' && name_is_safe(at + 1, (size_t)(end - at) - 1));
}

void stored_name_temporary(char *temporary, size_t size, const char *name)
{
    snprintf(temporary, size, ".%s" TEMPORARY, name);
}

bool stored_name_is_temporary(const char *name)
{
    char inner[STORED_NAME_SIZE + 8];
    time_t time;
    size_t length = strlen(name);
    size_t ending = strlen(TEMPORARY);
    if (*name != '.' || length < ending + 1 || length >= sizeof inner ||
        strcmp(name + length - ending, TEMPORARY) != 0)
        return false;
    memcpy(inner, name + 1, length - ending - 1);
    inner[length - ending - 1] = 0;
    return stored_name_read(inner, &time);
}
