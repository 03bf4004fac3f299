/* collect_diff.c: `snag collect diff`: the command line; see collect/diff.h. */
#include "base/number.h"
#include "base/sink.h"
#include "cli/commands.h"
#include "collect/diff.h"
#include "collect/pprof_merge.h"
#include "tool/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: snag collect diff [OPTION...] A B\n"
    "       snag collect diff [OPTION...] DIRECTORY\n"
    "\n"
    "What has grown from profile A to profile B, and what has shrunk, by stack. For\n"
    "a directory that `snag collect` fills, A is the oldest in it and B the newest,\n"
    "of each instance of the service, all in one sum; of more than two files, such as\n"
    "DIRECTORY/*-web_1.pb.gz, A is the first and B the last.\n"
    "\n"
    "  --type TYPE   what is counted, such as blocked, age or unread; otherwise what\n"
    "                the profile says is its default\n"
    "  --min N       leave out what has changed by less than N\n"
    "  --top N       at most N stacks each way, 20 otherwise; 0: all of them\n"
    "  --exit-code   exit with 1 when a stack has grown (by --min, where given)\n"
    "  -o, --output FILE\n"
    "                no table, but the difference as a profile, as pprof's -base\n"
    "                computes it; - is stdout\n"
    "\n"
    "Profiles are pprof's, gzip'd or not, of snag or of others; both must count the\n"
    "same. Exit status: 0 well, 1 failed (see also --exit-code), 2 misused.\n";

static const struct command diff = { .name = "collect diff", .help = help };

/* What was compared. */
struct span {
    size_t instances;
    int64_t before; /* the first time, ns since the epoch; 0: not known */
    int64_t now;    /* the last one */
};

struct request {
    const char *paths[2];
    size_t path_count;
    const char *type;
    const char *output;
    uint64_t minimum;
    uint64_t rows;
    bool exit_code;
};

static bool read_number(const char *value, uint64_t *number)
{
    const char *rest = value ? number_begin(value, UINT64_MAX, number) : NULL;
    return rest && !*rest;
}

/* STATUS_OK, or what to exit with. */
static int read_option(char ***at, struct request *request)
{
    const char *value;
    const char *option = **at;
    if (strcmp(option, "--exit-code") == 0) {
        request->exit_code = true;
    } else if (option_value(at, "-o", &value) || option_value(at, "--output", &value)) {
        if (!value)
            return option_misused(diff.name, "-o", " wants a file");
        request->output = value;
    } else if (option_value(at, "--type", &value)) {
        if (!value)
            return option_misused(diff.name, "--type", " wants a sample type, such as blocked");
        request->type = value;
    } else if (option_value(at, "--min", &value)) {
        if (!read_number(value, &request->minimum) || request->minimum == 0)
            return option_misused(diff.name, "--min", " wants a number, at least 1");
    } else if (option_value(at, "--top", &value)) {
        if (!read_number(value, &request->rows))
            return option_misused(diff.name, "--top", " wants a number");
    } else {
        return option_unknown(&diff, option);
    }
    return STATUS_OK;
}

static int read_arguments(char **arguments, struct request *request)
{
    bool only_paths = false;
    for (char **at = arguments; *at; at++) {
        if (!only_paths && strcmp(*at, "--") == 0) {
            only_paths = true;
        } else if (!only_paths && **at == '-') {
            int status = read_option(&at, request);
            if (status != STATUS_OK)
                return status;
        } else { /* of more than two, as a pattern of names gives them, the first and the last */
            request->paths[request->path_count ? 1 : 0] = *at;
            request->path_count = request->path_count ? 2 : 1;
        }
    }
    if (request->path_count == 0)
        return option_misused(diff.name, "two profiles", " are wanted, or a directory of them");
    return STATUS_OK;
}

static int cannot(const char *path, const char *why)
{
    complain(diff.name, "%s: %s", path, why);
    return STATUS_FAILED;
}

/* Of a directory each instance's oldest and newest; who has only one is left out. */
static int find_in_directory(const char *path, struct diff_pairs *pairs)
{
    size_t count = 0;
    int status = diff_pairs_read(pairs, path);
    if (status == -ENOTDIR)
        return option_misused(diff.name, path, ": with what shall it be compared?");
    if (status)
        return cannot(path, strerror(-status));
    if (pairs->count == 0)
        return cannot(path, "there is no profile (*.pb.gz) in it");
    for (size_t i = 0; i < pairs->count; i++)
        count += !diff_pair_is_one(&pairs->at[i]);
    if (count == 0)
        return cannot(path, pairs->count == 1 ? "there is only one profile in it"
                                              : "there is only one profile of each instance in it");
    if (count < pairs->count)
        fprintf(stderr, "%zu of %zu instances have only one profile in %s, and are left out\n",
                pairs->count - count, pairs->count, path);
    return STATUS_OK;
}

/* The file itself; of a directory its oldest or its newest. */
static int find_file(const char *path, bool is_newest, char **file)
{
    struct diff_pairs pairs = { .at = NULL };
    int error = diff_pairs_read(&pairs, path);
    int status = STATUS_OK;
    *file = NULL;
    if (error && error != -ENOTDIR)
        status = cannot(path, strerror(-error));
    else if (!error && pairs.count != 1)
        status = cannot(path, pairs.count ? "it holds profiles of several instances: name one file"
                                          : "there is no profile (*.pb.gz) in it");
    else
        *file = strdup(error ? path : is_newest ? pairs.at[0].now : pairs.at[0].before);
    diff_pairs_free(&pairs);
    return status == STATUS_OK && !*file ? cannot(path, strerror(ENOMEM)) : status;
}

static int find_files(const struct request *request, struct diff_pairs *pairs)
{
    char *before = NULL;
    char *now = NULL;
    if (request->path_count == 1)
        return find_in_directory(request->paths[0], pairs);
    int status = find_file(request->paths[0], false, &before);
    if (status == STATUS_OK)
        status = find_file(request->paths[1], true, &now);
    if (status == STATUS_OK && diff_pairs_add(pairs, before, now) != 0)
        status = cannot(now, strerror(ENOMEM));
    free(before);
    free(now);
    return status;
}

/* The default of the profile; pprof's, where it has none, is the last. */
static int find_type(const struct merge *merge, const char *wanted, size_t *type)
{
    const char *name = wanted ? wanted : merge_text(merge, merge->default_type);
    for (*type = 0; *type < merge->type_count; ++*type)
        if (strcmp(merge_text(merge, merge->types[*type].type), name) == 0)
            return STATUS_OK;
    *type = merge->type_count - 1;
    if (!wanted)
        return STATUS_OK;
    struct sink_buffer known;
    sink_buffer_init(&known);
    for (size_t i = 0; i < merge->type_count; i++) {
        sink_puts(&known.sink, i > 0 ? " " : "");
        sink_plain(&known.sink, merge_text(merge, merge->types[i].type));
    }
    complain(diff.name, "the profiles do not count '%s', but %s", wanted,
             known.bytes ? known.bytes : "nothing");
    sink_buffer_free(&known);
    return STATUS_USAGE;
}

/* The table in TEXT, and what to exit with for what has grown. */
static int make_table(const struct request *request, const struct merge *merge,
                      const struct span *span, struct sink_buffer *text)
{
    size_t grown = 0;
    struct diff_table table = {
        .merge = merge,
        .minimum = request->minimum,
        .rows = request->rows,
        .instances = span->instances,
        .time_before = span->before,
        .time_now = span->now,
    };
    int status = find_type(merge, request->type, &table.type);
    if (status != STATUS_OK)
        return status;
    int error = diff_table_write(&table, &text->sink, &grown);
    if (error == 0)
        error = text->sink.error;
    if (error)
        complain(diff.name, "%s", strerror(-error));
    return error || (request->exit_code && grown > 0) ? STATUS_FAILED : STATUS_OK;
}

static int write_bytes(const char *path, const struct sink_buffer *bytes)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (!file)
        return -errno;
    size_t written = fwrite(bytes->bytes, 1, bytes->length, file);
    if (file == stdout)
        return 0;
    int error = written < bytes->length ? -errno : 0;
    if (fclose(file) != 0 && error == 0)
        error = -errno;
    return error;
}

static int write_profile(const struct request *request, struct merge *merge)
{
    struct sink_buffer bytes;
    sink_buffer_init(&bytes);
    int error = merge_write(merge, &bytes.sink);
    if (error == 0)
        error = write_bytes(request->output, &bytes);
    if (error)
        complain(diff.name, "cannot write %s: %s", request->output, strerror(-error));
    sink_buffer_free(&bytes);
    return error ? STATUS_FAILED : STATUS_OK;
}

static int write_difference(const struct request *request, struct merge *merge,
                            const struct span *span)
{
    struct sink_buffer table;
    sink_buffer_init(&table);
    int status = make_table(request, merge, span, &table);
    if (table.sink.error || status == STATUS_USAGE)
        ; /* it has been said */
    else if (!request->output)
        fwrite(table.bytes, 1, table.length, stdout); /* a failure is found when it is closed */
    else if (write_profile(request, merge) != STATUS_OK)
        status = STATUS_FAILED;
    sink_buffer_free(&table);
    return status;
}

static int merge_file(struct merge *merge, const char *file, bool is_base, int64_t *time)
{
    char why[512];
    struct pprof profile;
    int status = pprof_read_file(&profile, file, PPROF_LIMIT, why, sizeof why);
    if (status == 0) {
        *time = profile.message->time_nanos;
        status = merge_add(merge, &profile, is_base, why, sizeof why);
        pprof_free(&profile);
    }
    if (status == 0)
        return STATUS_OK;
    for (char *c = why; *c; c++) /* some of it are the profile's words */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return cannot(file, why);
}

/* The newer first, as pprof does: it sets the types and is the first to say what runs where. */
static int merge_pair(struct merge *merge, const struct diff_pair *pair, struct span *span)
{
    int64_t before = 0;
    int64_t now = 0;
    int status = merge_file(merge, pair->now, false, &now);
    if (status == STATUS_OK)
        status = merge_file(merge, pair->before, true, &before);
    if (span->instances == 0 || before < span->before)
        span->before = before;
    if (span->instances == 0 || now > span->now)
        span->now = now;
    span->instances++;
    return status;
}

static int compare(const struct request *request, const struct diff_pairs *pairs)
{
    struct merge merge;
    struct span span = { .instances = 0 };
    int status = STATUS_OK;
    if (merge_begin(&merge) != 0) {
        complain(diff.name, "%s", strerror(ENOMEM));
        status = STATUS_FAILED;
    }
    for (size_t i = 0; i < pairs->count && status == STATUS_OK; i++)
        if (request->path_count == 2 || !diff_pair_is_one(&pairs->at[i]))
            status = merge_pair(&merge, &pairs->at[i], &span);
    if (status == STATUS_OK)
        status = write_difference(request, &merge, &span);
    merge_free(&merge);
    return status;
}

int collect_diff(char **arguments)
{
    struct request request = { .minimum = 1, .rows = 20 };
    struct diff_pairs pairs = { .at = NULL };
    for (char **at = arguments; *at && strcmp(*at, "--") != 0; at++) {
        if (strcmp(*at, "--help") == 0 || strcmp(*at, "-h") == 0) {
            fputs(help, stdout);
            return STATUS_OK;
        }
    }
    int status = read_arguments(arguments, &request);
    if (status == STATUS_OK)
        status = find_files(&request, &pairs);
    if (status == STATUS_OK)
        status = compare(&request, &pairs);
    diff_pairs_free(&pairs);
    return status;
}
