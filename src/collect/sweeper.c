/* sweeper.c: when old profiles are removed; see sweeper.h.
 *
 * Of its time a sweep takes a small share, however many files there are. That profiles go before
 * their time, as there are too many, is told once a day: it would surprise whoever looks for one.
 */
#include "collect/sweeper.h"

#include "collect/rounds.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define SHARE 20
#define TOO_MUCH_SECONDS 86400
#define SIZE_OF_UNKNOWN_DISK ((uint64_t)1 << 30)

/* "7 h" */
static void age_words(double seconds, char text[24])
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    size_t i = 0;
    while (i < 3 && seconds < 2 * units[i].seconds)
        i++;
    snprintf(text, 24, "%.0f %s", seconds / units[i].seconds, units[i].unit);
}

void sweeper_limits(const struct sweeper *sweeper, char text[80])
{
    const struct retention *retention = &sweeper->retention;
    char age[24] = "ever";
    char size[24] = "";
    if (retention->keep_age)
        age_words((double)retention->keep_age, age);
    if (retention->keep_size)
        line_size(retention->keep_size, size);
    snprintf(text, 80, "for %s%s%s", age, *size ? ", or up to " : "", size);
}

static void tell_too_much(struct sweeper *sweeper)
{
    const struct retention *retention = &sweeper->retention;
    char size[24];
    char age[24];
    double now = rounds_now();
    if (!retention->too_much || now < sweeper->next_too_much)
        return;
    sweeper->next_too_much = now + TOO_MUCH_SECONDS;
    line_size(retention->keep_size, size);
    age_words(difftime(time(NULL), retention->too_much), age);
    line_note(&sweeper->rounds->lines,
              "%s holds no more than %s: profiles are removed when they are %s old (--keep-size)",
              sweeper->rounds->store.path, size, age);
}

static void tell(struct sweeper *sweeper)
{
    const struct retention *retention = &sweeper->retention;
    struct lines *lines = &sweeper->rounds->lines;
    char size[24];
    if (sweeper->status && health_failed(&sweeper->health, 1))
        line_say(lines, "%s: old profiles cannot be removed: %s", sweeper->rounds->store.path,
                 strerror(-sweeper->status));
    else if (!sweeper->status)
        health_well(&sweeper->health);
    tell_too_much(sweeper);
    if (!retention->removed_files || !sweeper->rounds->options->once)
        return;
    line_size(retention->removed_bytes, size);
    line_note(lines, "%llu old profiles removed, %s", (unsigned long long)retention->removed_files,
              size);
}

static void run(struct work *work)
{
    struct sweeper *sweeper = (struct sweeper *)work;
    double before = rounds_now();
    sweeper->status = retention_sweep(&sweeper->retention, &sweeper->rounds->store);
    sweeper->took = rounds_now() - before;
}

static void done(struct work *work)
{
    struct sweeper *sweeper = (struct sweeper *)work;
    double pause = SHARE * sweeper->took;
    double least = sweeper->rounds->options->interval / 2.0;
    sweeper->is_sweeping = false;
    sweeper->next = rounds_now() + (pause < least ? least : pause);
    if (work->was_run)
        tell(sweeper);
}

static bool has_limits(const struct sweeper *sweeper)
{
    return sweeper->retention.keep_age || sweeper->retention.keep_size;
}

void sweeper_begin(struct sweeper *sweeper, struct rounds *rounds)
{
    const struct collect_options *options = rounds->options;
    struct statvfs disk;
    *sweeper = (struct sweeper){ .work = { .run = run, .done = done },
                                 .retention = { .keep_age = options->keep_age,
                                                .keep_size = options->keep_size },
                                 .rounds = rounds };
    if (options->keep_size != COLLECT_TENTH_OF_DISK)
        return;
    bool is_known = fstatvfs(rounds->store.directory, &disk) == 0 && disk.f_blocks;
    sweeper->retention.keep_size =
        is_known ? (uint64_t)disk.f_blocks * disk.f_frsize / 10 : SIZE_OF_UNKNOWN_DISK;
}

void sweeper_look(struct sweeper *sweeper)
{
    if (sweeper->is_sweeping || rounds_now() < sweeper->next || !has_limits(sweeper))
        return;
    sweeper->is_sweeping = true;
    workers_give(sweeper->rounds->workers, &sweeper->work);
}

void sweeper_sweep(struct sweeper *sweeper)
{
    if (!has_limits(sweeper))
        return;
    run(&sweeper->work);
    tell(sweeper);
}
