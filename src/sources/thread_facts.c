/* thread_facts.c: what procfs tells of a thread; see thread_facts.h and
 * proc_pid_stat(5).
 *
 * A name may hold anything but a 0: spaces, parentheses, a newline, even what
 * looks like the rest of the line. In `stat` it ends at the last parenthesis. */
#include "sources/thread_facts.h"

#include <string.h>

#define FLAG_IO_WORKER 0x00000010u
#define FLAG_USER_WORKER 0x00004000u
#define FLAG_KERNEL_THREAD 0x00200000u

static void copy_name(const char *text, size_t length, char name[64])
{
    if (length > 63)
        length = 63;
    memcpy(name, text, length);
    name[length] = 0;
}

/* The number in field WANTED of `stat`, AT being at field 3. */
static uint64_t number_at(const char *at, int wanted)
{
    for (int field = 3; field < wanted; field++) {
        at = strchr(at, ' ');
        if (!at)
            return 0;
        at++;
    }
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

bool thread_facts_parse(const char *text, size_t length, struct thread_facts *facts)
{
    const char *open = memchr(text, '(', length);
    const char *close = memrchr(text, ')', length);
    if (!open || !close || close < open || text + length - close < 4)
        return false;
    copy_name(open + 1, (size_t)(close - open - 1), facts->name);
    const char *rest = close + 2;
    facts->state = *rest;
    facts->flags = (unsigned)number_at(rest, 9);
    facts->start_ticks = number_at(rest, 22);
    facts->processor = (unsigned)number_at(rest, 39);
    return true;
}

void thread_name_parse(const char *text, size_t length, char name[64])
{
    if (length > 0 && text[length - 1] == '\n')
        length--;
    copy_name(text, length, name);
}

bool exec_start_parse(const char *text, uint64_t *exec_start_ns)
{
    /* Below the name of the thread, which has at most 15 bytes and may hold anything. */
    static const char ruler[] = "\n--------------------";
    static const char label[] = "\nse.exec_start";
    const char *at = strstr(text, ruler);
    at = at ? strstr(at, label) : NULL;
    at = at ? strchr(at, ':') : NULL;
    if (!at)
        return false;
    for (at++; *at == ' '; at++)
        continue;
    uint64_t value = 0;
    int decimals = -1; /* milliseconds, six digits behind the point */
    for (; (*at >= '0' && *at <= '9') || (*at == '.' && decimals < 0); at++) {
        if (*at == '.') {
            decimals = 0;
            continue;
        }
        value = value * 10 + (uint64_t)(*at - '0');
        decimals += decimals >= 0;
    }
    *exec_start_ns = value;
    return decimals == 6 && value > 0;
}

bool thread_is_kernels(const struct thread_facts *facts)
{
    return facts->flags & (FLAG_IO_WORKER | FLAG_USER_WORKER | FLAG_KERNEL_THREAD);
}
