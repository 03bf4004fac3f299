/* counts.c: how much of everything there is; see counts.h. */
#include "watch/counts.h"

#include "reports/reports.h"
#include "sources/fds.h"
#include "sources/threads.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Fields 3 to 52 of /proc/PID/stat. The name before them may hold anything, so fields are counted
 * from its closing bracket. */
#define FIRST_FIELD 3
#define FIELDS 50
#define FIELD_UTIME 14
#define FIELD_STIME 15
#define FIELD_VIRTUAL 23
#define FIELD_RESIDENT 24

static bool read_stat(const struct lab *lab, uint64_t *fields)
{
    char text[1024];
    if (proc_read(lab->target.proc_fd, "stat", text, sizeof text) <= 0)
        return false;
    char *at = strrchr(text, ')');
    at = at ? strchr(at, ' ') : NULL;
    for (int i = 0; i < FIELDS && at; i++) {
        fields[i] = strtoull(at + 1, NULL, 10);
        at = strchr(at + 1, ' ');
    }
    return true;
}

static void take_process(const struct lab *lab, struct counts *counts)
{
    uint64_t fields[FIELDS] = { 0 };
    double hertz = (double)sysconf(_SC_CLK_TCK);
    if (hertz <= 0 || !read_stat(lab, fields))
        return;
    uint64_t ticks = fields[FIELD_UTIME - FIRST_FIELD] + fields[FIELD_STIME - FIRST_FIELD];
    counts->processor_seconds = (double)ticks / hertz;
    counts->virtual_bytes = fields[FIELD_VIRTUAL - FIRST_FIELD];
    counts->resident_bytes = fields[FIELD_RESIDENT - FIRST_FIELD] * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void take_start(struct lab *lab, struct counts *counts)
{
    struct timespec now;
    uint64_t uptime_ns = lab_uptime_ns(lab);
    if (uptime_ns > 0 && clock_gettime(CLOCK_REALTIME, &now) == 0)
        counts->started = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)uptime_ns / 1e9;
}

/* The soft limit in the line of /proc/PID/limits that begins with NAME. */
static uint64_t limit_of(const char *limits, const char *name)
{
    static const char none[] = "unlimited";
    const char *line = strstr(limits, name);
    if (!line)
        return 0;
    line += strlen(name);
    line += strspn(line, " ");
    return strncmp(line, none, sizeof none - 1) == 0 ? UINT64_MAX : strtoull(line, NULL, 10);
}

static void take_limits(const struct lab *lab, struct counts *counts)
{
    char text[4096];
    if (proc_read(lab->target.proc_fd, "limits", text, sizeof text) <= 0)
        return;
    counts->fd_limit = limit_of(text, "Max open files");
    counts->virtual_limit = limit_of(text, "Max address space");
}

static void take_inventories(const struct lab *lab, struct counts *counts)
{
    unsigned count = inventory_source_count(lab->inventories, lab->handles_root);
    for (unsigned number = 1; number <= count && number <= COUNTS_INVENTORIES; number++) {
        struct inventory_count *to = &counts->inventories[number - 1];
        if (!inventory_source_name(lab->inventories, lab->handles_root, number, to->name))
            break;
        to->live = inventory_source_live(lab->inventories, lab->handles_root, number);
        counts->inventory_count = number;
    }
}

void counts_take(struct lab *lab, struct counts *counts)
{
    *counts = (struct counts){ 0 };
    counts->threads = thread_source_count(lab->threads);
    counts->fds = fd_source_count(lab->fds);
    take_process(lab, counts);
    take_start(lab, counts);
    take_limits(lab, counts);
    take_inventories(lab, counts);
}
