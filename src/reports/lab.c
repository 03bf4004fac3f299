/* lab.c: what dumps of one process are made with, and the plain facts about it. */
#include "reports/reports.h"

#include "modules/modules.h"
#include "reports/lab_roots.h"
#include "sources/fds.h"
#include "sources/inventories.h"
#include "sources/labels.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "stuck/stuck.h"
#include "symbolize/symbolize.h"
#include "unwind/unwind.h"
#include "waits/waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int lab_open(struct lab *lab, pid_t pid, enum signal_mode mode)
{
    *lab = (struct lab){ 0 };
    int status = target_open(&lab->target, pid);
    if (status)
        return status;
    lab->modules = modules_new(&lab->target);
    if (lab->modules)
        lab->symbolizer = symbolizer_new(&lab->target, lab->modules);
    if (lab->symbolizer)
        lab->unwinder = unwinder_new(&lab->target, lab->modules);
    if (lab->unwinder)
        lab->threads = thread_source_new(&lab->target, lab->modules, lab->unwinder, mode);
    if (lab->threads)
        lab->tracking = tracking_new(&lab->target, lab->modules);
    if (lab->tracking)
        lab->labels = labels_new(&lab->target);
    if (lab->labels)
        lab->fds = fd_source_new(&lab->target, lab->tracking);
    if (lab->fds)
        lab->waits = wait_source_new(&lab->target, lab->modules, lab->unwinder, lab->symbolizer,
                                     lab->threads, lab->fds);
    if (lab->waits)
        lab->stuck = stuck_memory_new();
    if (lab->stuck)
        lab->inventories = inventory_source_new(&lab->target, lab->modules, lab->labels);
    if (!lab->inventories) {
        lab_close(lab);
        return -ENOMEM;
    }
    lab_look_again(lab);
    return 0;
}

void lab_look_again(struct lab *lab)
{
    if (!lab->target.self)
        lab_find_roots(lab);
}

void lab_close(struct lab *lab)
{
    inventory_source_free(lab->inventories);
    stuck_memory_free(lab->stuck);
    wait_source_free(lab->waits);
    fd_source_free(lab->fds);
    labels_free(lab->labels);
    if (lab->tracking)
        tracking_free(lab->tracking);
    if (lab->threads)
        thread_source_free(lab->threads);
    unwinder_free(lab->unwinder);
    if (lab->symbolizer)
        symbolizer_free(lab->symbolizer);
    if (lab->modules)
        modules_free(lab->modules);
    target_close(&lab->target);
}

void lab_trim(struct lab *lab)
{
    thread_source_trim(lab->threads);
    unwinder_trim(lab->unwinder);
    fd_source_trim(lab->fds);
    tracking_trim(lab->tracking);
    labels_trim(lab->labels);
    inventory_source_trim(lab->inventories);
    symbolizer_trim(lab->symbolizer);
}

void lab_program(struct lab *lab, char *text, size_t size)
{
    ssize_t length = readlinkat(lab->target.proc_fd, "exe", text, size - 1);
    if (length > 0) {
        text[length] = 0;
        return;
    }
    length = proc_read(lab->target.proc_fd, "comm", text, size);
    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = 0;
    if (length <= 0)
        snprintf(text, size, "unknown");
}

/* The start is field 22 of stat, in clock ticks since boot. The name before
 * it may hold anything, so fields are counted from its closing bracket. */
uint64_t lab_uptime_ns(struct lab *lab)
{
    char text[1024];
    if (proc_read(lab->target.proc_fd, "stat", text, sizeof text) <= 0)
        return 0;
    const char *field = strrchr(text, ')');
    for (int number = 2; field && number < 22; number++)
        field = strchr(field + 1, ' ');
    long ticks_per_second = sysconf(_SC_CLK_TCK);
    struct timespec now;
    if (!field || ticks_per_second <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return 0;
    uint64_t ticks = strtoull(field, NULL, 10);
    uint64_t hertz = (uint64_t)ticks_per_second;
    uint64_t start = ticks / hertz * 1000000000 + ticks % hertz * 1000000000 / hertz;
    uint64_t since_boot = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    return since_boot > start ? since_boot - start : 0;
}

char *lab_arguments(struct lab *lab, size_t *length)
{
    char *text;
    ssize_t got = proc_read_whole(lab->target.proc_fd, "cmdline", &text);
    *length = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return text;
    if (got == 0)
        free(text);
    return NULL;
}
