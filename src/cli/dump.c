/* dump.c: `snag dump`: the profiles of any process that the caller may read, from outside.
 *
 * The same lab, reports and writers as the listener's, with another process as the target: nothing
 * is put into it, and it is not stopped. */
#include "base/sink.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "reports/reports.h"
#include "symbolize/symbolize.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] = "Usage: snag dump PID [threads|fds|stuck]\n";

static int write_report(struct lab *lab, const struct report_entry *entry, enum report_form form)
{
    struct sink_buffer text;
    void *dump;
    int status = report_take(lab, entry->report, entry->part,
                             form == REPORT_BLOCKS || form == REPORT_JSON, &dump);
    if (status)
        return status;
    const struct report_query query = { .report = entry->report,
                                        .part = entry->part,
                                        .form = form };
    sink_buffer_init(&text);
    status = report_write(lab, &query, NULL, dump, &text.sink);
    entry->report->release(dump);
    if (status == 0 && fwrite(text.bytes, 1, text.length, stdout) != text.length)
        status = -EIO;
    sink_buffer_free(&text);
    return status;
}

static int run(char **arguments)
{
    struct lab lab;
    struct report_entry entry;
    if (!arguments[0] || strcmp(arguments[0], "--help") == 0) {
        fputs(help, arguments[0] ? stdout : stderr);
        return arguments[0] ? STATUS_OK : STATUS_USAGE;
    }
    symbolizer_prepare();
    int status = lab_open(&lab, (pid_t)strtol(arguments[0], NULL, 10), SIGNAL_NEVER);
    if (status) {
        complain("dump", "cannot look at process %s: %s", arguments[0], strerror(-status));
        return STATUS_FAILED;
    }
    if (!report_look_up(&lab, arguments[1] ? arguments[1] : "threads", &entry)) {
        complain("dump", "there is no profile '%s'", arguments[1]);
        lab_close(&lab);
        return STATUS_USAGE;
    }
    status = write_report(&lab, &entry, REPORT_GROUPS);
    if (status)
        complain("dump", "%s: %s", entry.name, strerror(-status));
    lab_close(&lab);
    return status ? STATUS_FAILED : STATUS_OK;
}

const struct command dump_command = {
    .name = "dump",
    .about = "where the threads of a running process hang, without stopping it",
    .help = help,
    .run = run,
};
