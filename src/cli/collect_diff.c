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
    "a directory that `snag collect` fills, A is the oldest in it and B the newest;\n"
    "of more than two files, such as DIRECTORY/*-web_1.pb.gz, A is the first and B\n"
    "the last.\n"
    "\n"
    "  --type TYPE   what is counted, such as blocked, age or unread; otherwise what\n"
    "                the profile says is its default\n"
    "  --min N       leave out what has changed by less than N\n"
    "  --top N       at most N stacks each way, 20 otherwise; 0: all of them\n"
    "  --exit-code   exit with 1 when a stack has grown (by --min, where given)\n"
    "  -o FILE       no table, but the difference as a profile, as pprof's -base\n"
    "                computes it; - is stdout\n"
    "\n"
    "Profiles are pprof's, gzip'd or not, of snag or of others; both must count the\n"
    "same. Exit status: 0 well, 1 failed (see also --exit-code), 2 misused.\n";

static const struct command diff = { .name = "collect diff", .help = help };

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

static int find_files(const struct request *request, char files[2][PATH_MAX])
{
    char why[256];
    for (size_t i = 0; i < 2; i++) {
        const char *path = request->paths[i < request->path_count ? i : 0];
        if (diff_find_file(path, i == 0 ? DIFF_OLDEST : DIFF_NEWEST, files[i], why, sizeof why)) {
            complain(diff.name, "%s: %s", path, why);
            return STATUS_FAILED;
        }
    }
    if (request->path_count == 2 || strcmp(files[0], files[1]) != 0)
        return STATUS_OK;
    if (strcmp(files[0], request->paths[0]) == 0)
        return option_misused(diff.name, files[0], ": with what shall it be compared?");
    complain(diff.name, "%s: there is only one profile in it", request->paths[0]);
    return STATUS_FAILED;
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
                      const int64_t times[2], struct sink_buffer *text)
{
    size_t grown = 0;
    struct diff_table table = {
        .merge = merge,
        .minimum = request->minimum,
        .rows = request->rows,
        .time_before = times[0],
        .time_now = times[1],
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
                            const int64_t times[2])
{
    struct sink_buffer table;
    sink_buffer_init(&table);
    int status = make_table(request, merge, times, &table);
    if (table.sink.error || status == STATUS_USAGE)
        ; /* it has been said */
    else if (!request->output)
        fwrite(table.bytes, 1, table.length, stdout); /* a failure is found when it is closed */
    else if (write_profile(request, merge) != STATUS_OK)
        status = STATUS_FAILED;
    sink_buffer_free(&table);
    return status;
}

/* The newer first, as pprof does: it sets the types and is the first to say what runs where. */
static int merge_files(struct merge *merge, char files[2][PATH_MAX], int64_t times[2])
{
    char why[512];
    for (int i = 1; i >= 0; i--) {
        struct pprof profile;
        int status = pprof_read_file(&profile, files[i], PPROF_LIMIT, why, sizeof why);
        if (status == 0) {
            times[i] = profile.message->time_nanos;
            status = merge_add(merge, &profile, i == 0, why, sizeof why);
            pprof_free(&profile);
        }
        if (status) {
            for (char *c = why; *c; c++) /* some of it are the profile's words */
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                    *c = '?';
            complain(diff.name, "%s: %s", files[i], why);
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static int compare(const struct request *request, char files[2][PATH_MAX])
{
    struct merge merge;
    int64_t times[2];
    int status = STATUS_FAILED;
    if (merge_begin(&merge) != 0)
        complain(diff.name, "%s", strerror(ENOMEM));
    else
        status = merge_files(&merge, files, times);
    if (status == STATUS_OK)
        status = write_difference(request, &merge, times);
    merge_free(&merge);
    return status;
}

int collect_diff(char **arguments)
{
    struct request request = { .minimum = 1, .rows = 20 };
    static char files[2][PATH_MAX];
    for (char **at = arguments; *at && strcmp(*at, "--") != 0; at++) {
        if (strcmp(*at, "--help") == 0 || strcmp(*at, "-h") == 0) {
            fputs(help, stdout);
            return STATUS_OK;
        }
    }
    int status = read_arguments(arguments, &request);
    if (status == STATUS_OK)
        status = find_files(&request, files);
    return status == STATUS_OK ? compare(&request, files) : status;
}
