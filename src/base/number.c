/* number.c: decimal numbers in text that somebody wrote; see number.h. */
#include "base/number.h"

#include <stddef.h>

const char *number_begin(const char *text, uint64_t most, uint64_t *number)
{
    uint64_t result = 0;
    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (result > most / 10 || digit > most - result * 10)
            return NULL;
        result = result * 10 + digit;
    }
    *number = result;
    return text;
}

bool number_read(const char *text, unsigned most, unsigned *number)
{
    uint64_t result;
    const char *rest = number_begin(text, most, &result);
    if (!rest || *rest)
        return false;
    *number = (unsigned)result;
    return true;
}
