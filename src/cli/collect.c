/* collect.c: `snag collect`: the options of the collector, which is in src/collect. */
#include "collect/collect.h"

#include "base/number.h"
#include "cli/commands.h"
#include "collect/diff.h"
#include "tool/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MOST 64
#define QUERY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const char help[] =
    "Usage: snag collect -d DIR [OPTION...] [[NAME=]TARGET...]\n"
    "       snag collect diff A B      what came and went between two profiles\n"
    "Keeps the profiles of services: DIR/SERVICE/PROFILE/20261130T202105Z.pb.gz.\n"
    "TARGET: HOST:PORT, [::1]:PORT, http://HOST:PORT/PREFIX or unix:/SOCKET.\n"
    "  -d, --dir DIR       where to; made if it is not there\n"
    "  --file-sd FILE      targets from Prometheus' file_sd JSON, read again when it\n"
    "                      changes; may be given several times\n"
    "  --profiles LIST     what to ask for (threads,fds,handles); threads?seconds=10\n"
    "                      is a difference over ten seconds\n"
    "  --once              each target once, all at once; for cron\n"
    "  --interval TIME     else each target every TIME (60s), spread over it\n"
    "  --timeout TIME      for one profile, from connecting to its end (10s)\n"
    "  --concurrency N     targets asked at a time (64)\n"
    "  --max-bytes SIZE    of one profile (8MiB)\n"
    "  --keep-age TIME     older ones are removed (7d); 0: never\n"
    "  --keep-size SIZE    so are the oldest if there is more (a tenth of the disk)\n"
    "  --token-file FILE   lines TOKEN or SERVICE TOKEN; or set SNAG_TOKEN\n"
    "  --push URL          also to Pyroscope's URL/ingest\n"
    "  --push-tenant ID    as this tenant (X-Scope-OrgID)\n"
    "  --push-credentials FILE  with TOKEN or USER:PASSWORD in it\n"
    "SIGHUP reads all files again. Exit status: 0 well, 1 with --once when a target\n"
    "failed, 2 misused. Units for systemd are installed: snag-collect.service.\n";

static int misused(const char *option, const char *what)
{
    return option_misused("collect", option, what);
}

/* ---- values ---- */

/* A whole number and one of UNITS ("s", "m" ...) behind it, or none. False when it is neither, or
 * more than MOST. */
static bool read_number(const char *text, const char *const *units, const uint64_t *factors,
                        uint64_t most, uint64_t *number)
{
    uint64_t value, factor = 1;
    const char *unit = number_begin(text, most, &value);
    if (!unit)
        return false;
    if (*unit) {
        size_t i = 0;
        while (units[i] && strcmp(unit, units[i]) != 0)
            i++;
        if (!units[i])
            return false;
        factor = factors[i];
    }
    *number = value * factor;
    return value <= most / factor;
}

static bool read_time(const char *text, uint64_t most, uint64_t *seconds)
{
    static const char *const units[] = { "s", "m", "h", "d", "w", NULL };
    static const uint64_t factors[] = { 1, 60, 3600, 86400, 7 * 86400 };
    return read_number(text, units, factors, most, seconds);
}

static bool read_size(const char *text, uint64_t most, uint64_t *bytes)
{
    static const char *const units[] = { "K", "KiB", "M", "MiB", "G", "GiB", "T", "TiB", NULL };
    static const uint64_t factors[] = { 1u << 10, 1u << 10, 1u << 20,   1u << 20,
                                        1u << 30, 1u << 30, 1ull << 40, 1ull << 40 };
    return read_number(text, units, factors, most, bytes);
}

static bool is_profile(const char *text)
{
    size_t name = strspn(text, QUERY_CHARACTERS);
    return *text != '.' && name > 0 && name <= 64 && strlen(text) <= 100 &&
           (text[name] == 0 ||
            (text[name] == '?' &&
             text[name + 1 + strspn(text + name + 1, QUERY_CHARACTERS "=&")] == 0));
}

/* LIST is taken apart. */
static int read_profiles(char *list, struct collect_options *options)
{
    char *rest;
    options->profile_count = 0;
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (!is_profile(name))
            return misused("--profiles", " is a list such as threads,fds,threads?seconds=10");
        for (size_t i = 0; i < options->profile_count; i++)
            if (strcmp(options->profiles[i], name) == 0)
                return misused("--profiles", " has one of them twice");
        if (options->profile_count == COLLECT_PROFILES_MOST)
            return misused("--profiles", " takes 16 at most");
        options->profiles[options->profile_count++] = name;
    }
    return options->profile_count ? STATUS_OK : misused("--profiles", " has none in it");
}

/* ---- options ---- */

struct wish {
    struct collect_options options;
    const char *files[FILES_MOST];
    char **targets;
    size_t target_count;
    char *profiles; /* a copy, taken apart */
};

/* STATUS_OK, or STATUS_USAGE after it was said. */
static int set_number(struct wish *wish, const char *name, const char *value)
{
    struct collect_options *options = &wish->options;
    uint64_t number = 0;
    if (strcmp(name, "--interval") == 0) {
        if (!read_time(value, 86400, &number) || number == 0)
            return misused(name, " is a time from 1s to 1d");
        options->interval = (unsigned)number;
    } else if (strcmp(name, "--timeout") == 0) {
        if (!read_time(value, 3600, &number) || number == 0)
            return misused(name, " is a time from 1s to 1h");
        options->timeout = (unsigned)number;
    } else if (strcmp(name, "--concurrency") == 0) {
        if (!read_size(value, 10000, &number) || number == 0)
            return misused(name, " is a number from 1 to 10000");
        options->concurrency = (unsigned)number;
    } else if (strcmp(name, "--max-bytes") == 0) {
        if (!read_size(value, 1u << 30, &number) || number < 1024)
            return misused(name, " is a size from 1KiB to 1GiB");
        options->max_bytes = (size_t)number;
    } else if (strcmp(name, "--keep-age") == 0) {
        if (!read_time(value, 100ull * 366 * 86400, &number))
            return misused(name, " is a time such as 7d, 12h, 30m; 0 is for ever");
        options->keep_age = (int64_t)number;
    } else {
        if (!read_size(value, 1ull << 60, &number))
            return misused(name, " is a size such as 1GiB, 500MiB; 0 is without end");
        options->keep_size = number;
    }
    return STATUS_OK;
}

static int set_text(struct wish *wish, const char *name, const char *value)
{
    struct collect_options *options = &wish->options;
    if (!*value)
        return misused(name, " is empty");
    if (strcmp(name, "-d") == 0 || strcmp(name, "--dir") == 0)
        options->directory = value;
    else if (strcmp(name, "--token-file") == 0)
        options->token_file = value;
    else if (strcmp(name, "--push") == 0)
        options->push_url = value;
    else if (strcmp(name, "--push-tenant") == 0)
        options->push_tenant = value;
    else if (strcmp(name, "--push-credentials") == 0)
        options->push_credentials = value;
    else if (strcmp(name, "--profiles") == 0) {
        free(wish->profiles);
        wish->profiles = strdup(value);
        return wish->profiles ? read_profiles(wish->profiles, options) : STATUS_FAILED;
    } else if (options->file_count == FILES_MOST)
        return misused(name, " is given too often");
    else
        wish->files[options->file_count++] = value;
    return STATUS_OK;
}

/* One that begins with a dash. STATUS_OK, or the status to end with. */
static int take_option(struct wish *wish, char ***at)
{
    static const struct {
        const char *name;
        int (*set)(struct wish *wish, const char *name, const char *value);
    } known[] = {
        { "-d", set_text },
        { "--dir", set_text },
        { "--file-sd", set_text },
        { "--profiles", set_text },
        { "--token-file", set_text },
        { "--push", set_text },
        { "--push-tenant", set_text },
        { "--push-credentials", set_text },
        { "--interval", set_number },
        { "--timeout", set_number },
        { "--concurrency", set_number },
        { "--max-bytes", set_number },
        { "--keep-age", set_number },
        { "--keep-size", set_number },
    };
    const char *value;
    if (strcmp(**at, "--once") == 0) {
        wish->options.once = true;
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (option_value(at, known[i].name, &value))
            return value ? known[i].set(wish, known[i].name, value)
                         : misused(known[i].name, " needs a value");
    return option_unknown(&collect_command, **at);
}

/* STATUS_OK, or the status to end with; -1: to end well. Options and targets in any order. */
static int read_arguments(char **arguments, struct wish *wish)
{
    bool is_over = false;
    int status = STATUS_OK;
    for (; *arguments && status == STATUS_OK; arguments++) {
        if (is_over || **arguments != '-') {
            wish->targets[wish->target_count++] = *arguments;
        } else if (strcmp(*arguments, "--") == 0) {
            is_over = true;
        } else if (strcmp(*arguments, "--help") == 0 || strcmp(*arguments, "-h") == 0) {
            fputs(help, stdout);
            return -1;
        } else {
            status = take_option(wish, &arguments);
        }
    }
    if (status == STATUS_OK && !wish->options.directory)
        return misused("--dir", " DIR is missing: where are the profiles to go?");
    if (status == STATUS_OK && !wish->target_count && !wish->options.file_count)
        return misused("whom", " is it to ask? Give it a TARGET or --file-sd FILE");
    return status;
}

static int run(char **arguments)
{
    struct wish wish = { .options = { .profiles = { "threads", "fds", "handles" },
                                      .profile_count = 3,
                                      .interval = 60,
                                      .timeout = 10,
                                      .max_bytes = 8u << 20,
                                      .concurrency = 64,
                                      .keep_age = 7 * 86400,
                                      .keep_size = COLLECT_TENTH_OF_DISK } };
    size_t count = 0;
    if (arguments[0] && strcmp(arguments[0], "diff") == 0)
        return collect_diff(arguments + 1);
    while (arguments[count])
        count++;
    wish.targets = calloc(count + 1, sizeof *wish.targets);
    if (!wish.targets) {
        complain("collect", "no memory");
        return STATUS_FAILED;
    }
    wish.options.targets = wish.targets;
    wish.options.files = wish.files;
    int status = read_arguments(arguments, &wish);
    if (status == STATUS_OK)
        status = collect_run(&wish.options);
    free(wish.targets);
    free(wish.profiles);
    return status < 0 ? STATUS_OK : status;
}

const struct command collect_command = {
    .name = "collect",
    .about = "keep the profiles of one or many services, every minute",
    .help = help,
    .run = run,
};
