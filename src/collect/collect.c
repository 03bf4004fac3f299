/* collect.c: the collector's life: targets read and read again, the event loop, its end; see
 * collect.h. */
#include "collect/collect.h"

#include "collect/file_sd.h"
#include "collect/push.h"
#include "collect/rounds.h"
#include "collect/sweeper.h"
#include "collect/workers.h"
#include "tool/command.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Between two looks at the files; and between two progress lines. */
#define LOOK_SECONDS 2
#define PROGRESS_MICROSECONDS 500000

/* Descriptors beside the connections. */
#define OTHER_DESCRIPTORS 32

/* One flushes while another reads what came. */
#define WORKERS 8

/* With --once, what is to be pushed may take so long after the last profile. */
#define PUSH_SECONDS 60

struct collect {
    const struct collect_options *options;
    struct rounds rounds;
    struct sweeper sweeper;
    struct file_sd *files;
    struct event *signals[3];
    struct event *look;
    struct event *progress;
    double started;
    int ended_by; /* a signal */
};

/* ---- targets ---- */

/* WHAT is why it is read. */
static void read_file(struct collect *collect, struct file_sd *file)
{
    char why[1024];
    int status = file_sd_read(file, why, sizeof why);
    if (status)
        line_say(&collect->rounds.lines, "%s: %s (%s)", file->path, why,
                 file->targets.count ? "its targets stay as they were" : "no targets from it");
    else if (*why)
        line_say(&collect->rounds.lines, "%s: left out: %s", file->path, why);
}

/* 0, -ENOMEM, or -EINVAL for a target of the command line that is none. */
static int set_targets(struct collect *collect, struct rounds_change *change)
{
    struct target_list list = { .at = NULL };
    char why[256] = "no memory";
    int status = 0;
    for (char *const *word = collect->options->targets; *word && status == 0; word++) {
        status = target_add_word(&list, *word, why, sizeof why);
        if (status)
            complain("collect", "'%s': %s", *word, why);
    }
    for (size_t i = 0; i < collect->options->file_count && status == 0; i++)
        status = target_add_all(&list, &collect->files[i].targets);
    if (status == 0) {
        target_list_settle(&list);
        status = rounds_set_targets(&collect->rounds, &list, change);
    }
    target_list_free(&list);
    return status;
}

static void tell_targets(struct collect *collect, const struct rounds_change *change)
{
    struct rounds *rounds = &collect->rounds;
    size_t well;
    size_t failing;
    rounds_count(rounds, &well, &failing);
    line_say(&rounds->lines, "%zu targets now: %zu added, %zu removed; %zu well, %zu failing",
             rounds->count, change->added, change->removed, well, failing);
}

static void read_again(struct collect *collect, bool is_asked_for)
{
    struct rounds_change change;
    char why[256];
    bool has_changed = is_asked_for;
    for (size_t i = 0; i < collect->options->file_count; i++) {
        if (!is_asked_for && !file_sd_has_changed(&collect->files[i]))
            continue;
        read_file(collect, &collect->files[i]);
        has_changed = true;
    }
    if (is_asked_for &&
        tokens_read(&collect->rounds.tokens, collect->options->token_file, why, sizeof why) != 0)
        line_say(&collect->rounds.lines, "%s (the tokens stay as they were)", why);
    if (!has_changed)
        return;
    if (set_targets(collect, &change) != 0)
        line_say(&collect->rounds.lines, "no memory for new targets: they stay as they were");
    else if (is_asked_for || change.added || change.removed)
        tell_targets(collect, &change);
}

/* ---- the loop ---- */

static void on_look(evutil_socket_t fd, short what, void *user)
{
    struct collect *collect = user;
    (void)fd;
    (void)what;
    read_again(collect, false);
    dialler_look(&collect->rounds.dialler);
    sweeper_look(&collect->sweeper);
}

static void on_progress(evutil_socket_t fd, short what, void *user)
{
    struct collect *collect = user;
    struct rounds *rounds = &collect->rounds;
    char text[256];
    char next[48] = "";
    char size[24];
    size_t well;
    size_t failing;
    (void)fd;
    (void)what;
    rounds_count(rounds, &well, &failing);
    line_size(rounds->bytes, size);
    double wait = rounds_until_next(rounds);
    if (rounds->asked || rounds->waiting_count)
        snprintf(next, sizeof next, ", asking %u", rounds->asked);
    else if (wait >= 0)
        snprintf(next, sizeof next, ", next in %.0f s", wait);
    snprintf(text, sizeof text, "%zu of %zu targets, %zu failing, %llu profiles, %s%s", well,
             rounds->count, failing, (unsigned long long)rounds->files, size, next);
    line_progress(&rounds->lines, text);
}

static void on_signal(evutil_socket_t number, short what, void *user)
{
    struct collect *collect = user;
    (void)what;
    if (number == SIGHUP) {
        if (!collect->options->once)
            read_again(collect, true);
        return;
    }
    collect->ended_by = (int)number;
    event_base_loopbreak(collect->rounds.base);
}

static void on_idle(void *user)
{
    struct collect *collect = user;
    event_base_loopbreak(collect->rounds.base);
}

static bool add_events(struct collect *collect)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    static const struct timeval look = { .tv_sec = LOOK_SECONDS };
    static const struct timeval progress = { .tv_usec = PROGRESS_MICROSECONDS };
    struct event_base *base = collect->rounds.base;
    bool is_well = true;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit is told as a full disk is */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        collect->signals[i] = evsignal_new(base, numbers[i], on_signal, collect);
        is_well = is_well && collect->signals[i] && event_add(collect->signals[i], NULL) == 0;
    }
    collect->look = event_new(base, -1, EV_PERSIST, on_look, collect);
    collect->progress = event_new(base, -1, EV_PERSIST, on_progress, collect);
    is_well = is_well && collect->look && collect->progress;
    if (is_well && !collect->options->once)
        is_well = event_add(collect->look, &look) == 0;
    if (is_well && collect->rounds.lines.is_terminal)
        is_well = event_add(collect->progress, &progress) == 0;
    return is_well;
}

static void free_events(struct collect *collect)
{
    struct event *const events[] = { collect->signals[0], collect->signals[1], collect->signals[2],
                                     collect->look, collect->progress };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
}

/* ---- the beginning and the end ---- */

/* As many connections as are wanted need as many descriptors. */
static void allow_descriptors(const struct collect *collect)
{
    struct rlimit limit;
    rlim_t wanted = collect->options->concurrency + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        complain("collect", "only %llu descriptors are allowed: a smaller --concurrency needs less",
                 (unsigned long long)limit.rlim_cur);
}

static void on_push_line(void *user, const char *line)
{
    struct collect *collect = user;
    line_say(&collect->rounds.lines, "%s", line);
}

static int begin_push(struct collect *collect)
{
    const struct collect_options *options = collect->options;
    char why[256] = "";
    char *credentials = NULL;
    if (!options->push_url)
        return STATUS_OK;
    if (options->push_credentials) {
        credentials = push_read_credentials(options->push_credentials);
        if (!credentials) {
            complain("collect", "%s: %s", options->push_credentials, strerror(errno));
            return STATUS_FAILED;
        }
    }
    const struct push_settings settings = { .url = options->push_url,
                                            .tenant = options->push_tenant,
                                            .credentials = credentials,
                                            .log = on_push_line,
                                            .user = collect };
    collect->rounds.push = push_new(collect->rounds.base, &settings, why, sizeof why);
    free(credentials);
    if (collect->rounds.push)
        return STATUS_OK;
    complain("collect", "--push: %s", why);
    return STATUS_USAGE;
}

/* Timers begin when they are set, not when the loop's round began: files are flushed in between. */
static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* STATUS_OK, or the status to end with; what went wrong is said. */
static int begin(struct collect *collect)
{
    const struct collect_options *options = collect->options;
    struct rounds *rounds = &collect->rounds;
    struct rounds_change change;
    char why[256] = "";
    rounds->base = make_base();
    collect->files = calloc(options->file_count + 1, sizeof *collect->files);
    if (!rounds->base || !collect->files || !add_events(collect)) {
        complain("collect", "no memory");
        return STATUS_FAILED;
    }
    rounds_begin(rounds);
    if (tokens_read(&rounds->tokens, options->token_file, why, sizeof why) != 0) {
        complain("collect", "%s", why);
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < options->file_count; i++) {
        collect->files[i].path = options->files[i];
        read_file(collect, &collect->files[i]);
    }
    int status = set_targets(collect, &change);
    if (status)
        return status == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
    status = store_open(&rounds->store, options->directory);
    if (status) {
        complain("collect", "cannot write to %s: %s", options->directory, strerror(-status));
        return STATUS_FAILED;
    }
    sweeper_begin(&collect->sweeper, rounds);
    rounds->workers = workers_new(rounds->base, WORKERS);
    rounds->workers_for_large = workers_new(rounds->base, 1);
    if (!rounds->workers || !rounds->workers_for_large) {
        complain("collect", "no memory or no threads");
        return STATUS_FAILED;
    }
    allow_descriptors(collect);
    return begin_push(collect);
}

static void end(struct collect *collect)
{
    lines_end(&collect->rounds.lines);
    push_free(collect->rounds.push);
    if (collect->rounds.base) {
        rounds_end(&collect->rounds);
        workers_free(collect->rounds.workers);
        workers_free(collect->rounds.workers_for_large);
        free_events(collect);
        event_base_free(collect->rounds.base);
    }
    for (size_t i = 0; collect->files && i < collect->options->file_count; i++)
        file_sd_free(&collect->files[i]);
    free(collect->files);
    store_close(&collect->rounds.store);
}

/* ---- the two ways to run ---- */

/* So that cron writes a letter only when something failed: `snag collect --once ... >/dev/null`. */
static void sum_up(struct collect *collect, size_t unpushed, bool is_well)
{
    struct rounds *rounds = &collect->rounds;
    char size[24];
    size_t well;
    size_t failing;
    lines_notes_to(&rounds->lines, is_well ? stdout : stderr);
    if (!collect->ended_by)
        sweeper_sweep(&collect->sweeper);
    rounds_count(rounds, &well, &failing);
    line_size(rounds->bytes, size);
    line_note(&rounds->lines, "%zu of %zu targets well, %zu failing, %llu profiles, %s, %.1f s",
              well, rounds->count, failing, (unsigned long long)rounds->files, size,
              rounds_now() - collect->started);
    if (rounds->unwritten)
        line_say(&rounds->lines, "%lu profiles could not be written", rounds->unwritten);
    if (unpushed)
        line_say(&rounds->lines, "%zu profiles could not be pushed", unpushed);
}

static int run_once(struct collect *collect)
{
    struct rounds *rounds = &collect->rounds;
    size_t well;
    size_t failing;
    size_t unpushed = 0;
    rounds->idle = on_idle;
    rounds->user = collect;
    rounds_ask_all(rounds);
    if (rounds->count)
        event_base_dispatch(rounds->base);
    if (rounds->push && !collect->ended_by)
        unpushed = push_drain(rounds->push, PUSH_SECONDS);
    if (rounds->push)
        unpushed += push_lost(rounds->push);
    rounds_count(rounds, &well, &failing);
    bool is_well = rounds->count && well == rounds->count && !rounds->unwritten && !unpushed;
    sum_up(collect, unpushed, is_well);
    return is_well ? STATUS_OK : STATUS_FAILED;
}

static int run_on(struct collect *collect)
{
    struct rounds *rounds = &collect->rounds;
    char size[24];
    char limits[80];
    sweeper_limits(&collect->sweeper, limits);
    line_say(&rounds->lines, "%zu targets, every %u s, kept in %s %s", rounds->count,
             collect->options->interval, collect->options->directory, limits);
    sweeper_look(&collect->sweeper);
    event_base_dispatch(rounds->base);
    line_size(rounds->bytes, size);
    line_say(&rounds->lines, "ended by %s: %llu profiles, %s",
             collect->ended_by == SIGINT ? "SIGINT" : "SIGTERM", (unsigned long long)rounds->files,
             size);
    return STATUS_OK;
}

int collect_run(const struct collect_options *options)
{
    struct collect collect = { .options = options,
                               .rounds = { .options = options, .store.directory = -1 },
                               .started = rounds_now() };
    lines_begin(&collect.rounds.lines);
    int status = begin(&collect);
    if (status == STATUS_OK)
        status = options->once ? run_once(&collect) : run_on(&collect);
    end(&collect);
    return status;
}
