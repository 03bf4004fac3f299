/* blackbox.c: all profiles into a directory; see blackbox.h.
 *
 * Names sort by time, so the oldest set is the first in the list of names. A file that somebody
 * else renamed or a subdirectory is never touched: only names of our own form, of this program. */
#include "watch/blackbox.h"

#include "base/sink.h"
#include "base/write_all.h"
#include "reports/reports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SETS_KEPT 10
#define SETS_MOST 4096 /* in the directory that are looked at */
#define INTERVAL_SECONDS 60
#define PROGRAM_MAX 64
#define REASONS 16
#define SUFFIX ".tmp" /* of a file that is being written */

struct blackbox {
    int directory;
    char path[512]; /* as it was given, for the log */
    struct {
        char reason[16];
        time_t at; /* CLOCK_MONOTONIC */
    } last[REASONS];
    size_t reasons;
};

/* One form of one report, and how its file's name ends. */
static const struct {
    const char *report;
    enum report_form form;
    const char *ending;
} texts[] = {
    { "stuck", REPORT_GROUPS, "txt" },
    { "threads", REPORT_BLOCKS, "txt" },
};

int blackbox_open(struct blackbox **result, const char *directory)
{
    struct blackbox *box = calloc(1, sizeof *box);
    if (!box)
        return -ENOMEM;
    box->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (box->directory < 0) {
        int error = errno;
        free(box);
        return -error;
    }
    snprintf(box->path, sizeof box->path, "%s", directory);
    *result = box;
    return 0;
}

void blackbox_close(struct blackbox *box)
{
    if (!box)
        return;
    close(box->directory);
    free(box);
}

static time_t now_of(clockid_t id)
{
    struct timespec now;
    return clock_gettime(id, &now) == 0 ? now.tv_sec : 0;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* The program's name as the first part of a file's name: no dot, no slash in it. */
static void program_of(struct lab *lab, char *name, size_t size)
{
    char path[512];
    lab_program(lab, path, sizeof path);
    const char *last = strrchr(path, '/');
    snprintf(name, size, "%.*s", (int)size - 1, last ? last + 1 : path);
    for (char *at = name; *at; at++)
        if (!is_plain(*at))
            *at = '_';
}

/* The file NAME, whole or not at all. */
static int write_file(const struct blackbox *box, const char *name, const char *bytes,
                      size_t length)
{
    char temporary[320];
    snprintf(temporary, sizeof temporary, ".%s" SUFFIX, name);
    int fd = openat(box->directory, temporary,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int status = write_all(fd, bytes, length);
    if (status == 0 && fsync(fd) != 0)
        status = -errno;
    if (close(fd) != 0 && status == 0)
        status = -errno;
    if (status == 0 && renameat(box->directory, temporary, box->directory, name) != 0)
        status = -errno;
    if (status)
        unlinkat(box->directory, temporary, 0);
    return status;
}

static int write_report(struct blackbox *box, struct lab *lab, const struct report_query *query,
                        const char *name)
{
    void *dump = NULL;
    struct sink_buffer bytes;
    const struct report *report = query->report;
    int status = report->take(lab, &dump);
    if (status)
        return status;
    sink_buffer_init(&bytes);
    status = report_write(lab, query, NULL, dump, &bytes.sink);
    report->release(dump);
    if (status == 0)
        status = write_file(box, name, bytes.bytes ? bytes.bytes : "", bytes.length);
    sink_buffer_free(&bytes);
    return status;
}

/* How many files of the set named PREFIX were written; *FIRST is what the first failed with. */
static int write_set(struct blackbox *box, struct lab *lab, const char *prefix, int *first)
{
    char name[288];
    int written = 0;
    *first = 0;
    for (const struct report *const *row = report_catalogue; *row; row++) {
        if (!report_has_form(*row, REPORT_PPROF))
            continue;
        const struct report_query query = { .report = *row, .form = REPORT_PPROF };
        snprintf(name, sizeof name, "%s.%s.pb.gz", prefix, (*row)->name);
        int status = write_report(box, lab, &query, name);
        written += status == 0;
        *first = *first ? *first : status;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct report_query query = { .report = report_find(texts[i].report),
                                            .form = texts[i].form };
        snprintf(name, sizeof name, "%s.%s.%s", prefix, texts[i].report, texts[i].ending);
        int status = query.report ? write_report(box, lab, &query, name) : 0;
        written += query.report && status == 0;
        *first = *first ? *first : status;
    }
    fsync(box->directory);
    return written;
}

/* ---- the older sets ---- */

/* A set by its time and process: what its names have in common from the time on is left out, so
 * that they sort by time first. */
struct set {
    char time[24];
    char process[16];
};

static int oldest_first(const void *left, const void *right)
{
    const struct set *a = left;
    const struct set *b = right;
    int order = strcmp(a->time, b->time);
    return order ? order : strcmp(a->process, b->process);
}

/* Copies what stands at *NAME up to the next dot, all of it from ALLOWED, and goes behind that dot.
 */
static bool take_part(const char **name, const char *allowed, char *part, size_t size)
{
    size_t length = strspn(*name, allowed);
    if (length == 0 || length >= size || (*name)[length] != '.')
        return false;
    memcpy(part, *name, length);
    part[length] = 0;
    *name += length + 1;
    return true;
}

/* "PROGRAM.PID.TIME.REASON.PROFILE.ENDING" */
static bool read_name(const char *name, const char *program, struct set *set)
{
    size_t length = strlen(program);
    if (strncmp(name, program, length) != 0 || name[length] != '.')
        return false;
    name += length + 1;
    return take_part(&name, "0123456789", set->process, sizeof set->process) &&
           take_part(&name, "0123456789TZ", set->time, sizeof set->time);
}

static DIR *open_list(const struct blackbox *box)
{
    int fd = openat(box->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !list)
        close(fd);
    return list;
}

/* The sets of PROGRAM, each once, the oldest first; how many. */
static size_t list_sets(const struct blackbox *box, const char *program, struct set *sets)
{
    size_t count = 0;
    DIR *list = open_list(box);
    for (struct dirent *entry; list && (entry = readdir(list)) && count < SETS_MOST;) {
        struct set set;
        bool known = !read_name(entry->d_name, program, &set);
        for (size_t i = 0; i < count && !known; i++)
            known = oldest_first(&sets[i], &set) == 0;
        if (!known)
            sets[count++] = set;
    }
    if (list)
        closedir(list);
    qsort(sets, count, sizeof *sets, oldest_first);
    return count;
}

static void remove_set(const struct blackbox *box, const char *program, const struct set *old)
{
    DIR *list = open_list(box);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        struct set set;
        if (read_name(entry->d_name, program, &set) && oldest_first(&set, old) == 0)
            unlinkat(box->directory, entry->d_name, 0);
    }
    if (list)
        closedir(list);
}

/* What another process of this program left half-written, and will not go on with. */
static void remove_halves(const struct blackbox *box, const char *program)
{
    DIR *list = open_list(box);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        struct set set;
        char path[32];
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] != '.' || length < sizeof SUFFIX ||
            strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) != 0 ||
            !read_name(entry->d_name + 1, program, &set))
            continue;
        snprintf(path, sizeof path, "/proc/%s", set.process);
        if (access(path, F_OK) != 0)
            unlinkat(box->directory, entry->d_name, 0);
    }
    if (list)
        closedir(list);
}

static void remove_old(const struct blackbox *box, const char *program)
{
    struct set *sets = malloc(SETS_MOST * sizeof *sets);
    remove_halves(box, program);
    if (!sets)
        return;
    size_t count = list_sets(box, program, sets);
    for (size_t i = 0; i + SETS_KEPT < count; i++)
        remove_set(box, program, &sets[i]);
    free(sets);
}

/* Whether the last set for REASON is long enough ago; if so, the next one begins now. */
static bool is_time_for(struct blackbox *box, const char *reason)
{
    time_t now = now_of(CLOCK_MONOTONIC);
    size_t i = 0;
    while (i < box->reasons && strcmp(box->last[i].reason, reason) != 0)
        i++;
    if (i < box->reasons && now - box->last[i].at < INTERVAL_SECONDS)
        return false;
    if (i == REASONS)
        return true; /* there are not that many */
    snprintf(box->last[i].reason, sizeof box->last[i].reason, "%s", reason);
    box->last[i].at = now;
    if (i == box->reasons)
        box->reasons++;
    return true;
}

int blackbox_write(struct blackbox *box, struct lab *lab, const char *reason, char *text,
                   size_t size)
{
    char program[PROGRAM_MAX];
    char prefix[224];
    char time[24] = "";
    int first;
    time_t now = now_of(CLOCK_REALTIME);
    struct tm parts;
    text[0] = 0;
    if (!is_time_for(box, reason))
        return 0;
    program_of(lab, program, sizeof program);
    if (gmtime_r(&now, &parts))
        strftime(time, sizeof time, "%Y%m%dT%H%M%SZ", &parts);
    snprintf(prefix, sizeof prefix, "%s.%d.%s.%s", program, (int)lab->target.pid, time, reason);
    int written = write_set(box, lab, prefix, &first);
    remove_old(box, program);
    if (written > 0)
        snprintf(text, size, "%d profiles were written to %s/%s.*", written, box->path, prefix);
    else
        snprintf(text, size, "no profile could be written to %s: %s", box->path, strerror(-first));
    return written > 0 ? written : first;
}
