/* dump.c: `snag dump`: the profiles of any process that the caller may read, from outside.
 *
 * The same lab, reports and writers as the listener's, with another process as the target: nothing
 * is put into it, and it is not stopped. See dump.h for the parts of the command. */
#include "cli/dump.h"

#include "base/number.h"
#include "base/sink.h"
#include "cli/commands.h"
#include "cli/dump_access.h"
#include "symbolize/symbolize.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

static const char help[] =
    "Usage: snag dump PID [PROFILE] [OPTION...]\n"
    "\n"
    "Shows where the threads of a running process are, from outside: nothing is put\n"
    "into it, and it is not stopped, traced or signalled.\n"
    "\n"
    "PROFILE is threads (if not given), fds, stuck (the diagnosis) or threadleak (the\n"
    "threads that can never go on); of a process with libsnag also handles, or an\n"
    "inventory by its name.\n"
    "\n"
    "  -o FILE       write a pprof profile to FILE, whole or not at all, readable by\n"
    "                you alone (a FILE that is there keeps its mode); - is stdout\n"
    "  --debug N     0: pprof, 1: text by stack, 2: one block for each, as over HTTP\n"
    "  --json        for scripts\n"
    "  --tid         keep thread ids in pprof: equal stacks are not merged\n"
    "  --seconds N   pprof of what comes and goes within N seconds (1 to 3600)\n"
    "  --watch S     again every S seconds (0.1 or more), until the process ends or\n"
    "                Ctrl-C is pressed; with -o, FILE is rewritten each time\n"
    "\n"
    "The process must be yours, or you root; where the kernel refuses, a line says\n"
    "why, and what to do. Exit status: 0 well, 1 failed, 2 misused.\n";

struct dump {
    struct dump_wish wish;
    struct dump_output output;
    int pidfd;
    struct lab lab;
    struct report_entry entry;
    char name[DUMP_NAME_SIZE]; /* of the process */
    size_t items;  /* of the last dump */
};

static int fail(const struct dump *dump, int status)
{
    if (dump_subject_has_ended(dump->lab.target.pid))
        complain("dump", "process %d (%s) has ended meanwhile: nothing is shown of it",
                 (int)dump->lab.target.pid, dump->name);
    else
        complain("dump", "%s of process %d (%s): %s", dump->entry.name, (int)dump->lab.target.pid,
                 dump->name, strerror(-status));
    return STATUS_FAILED;
}

/* Of a process that is gone by now there may be any part: nothing is better than that. */
static int take(struct dump *dump, void **taken)
{
    const struct report *report = dump->entry.report;
    enum report_form form = dump->output.form;
    lab_look_again(&dump->lab);
    int status = report_take(&dump->lab, report, dump->entry.part,
                             form == REPORT_BLOCKS || form == REPORT_JSON, taken);
    if (status == 0 && dump_subject_has_ended(dump->lab.target.pid)) {
        report->release(*taken);
        status = -ESRCH;
    }
    return status;
}

/* Writes NOW, or the difference from EARLIER. */
static int write_dump(struct dump *dump, const void *earlier, const void *now)
{
    struct sink_buffer text;
    const struct report_query query = {
        .report = dump->entry.report,
        .part = dump->entry.part,
        .form = dump->output.form,
        .seconds = dump->wish.seconds,
        .with_tid = dump->wish.with_tid,
    };
    sink_buffer_init(&text);
    int status = report_write(&dump->lab, &query, earlier, now, &text.sink);
    if (status == 0) {
        status = dump_output_write(&dump->output, text.bytes, text.length);
        if (status && status != -EPIPE) /* that a reader has gone is his own affair */
            complain("dump", "cannot write %s: %s",
                     dump_wish_is_stdout(&dump->wish) ? "to stdout" : dump->wish.file,
                     strerror(-status));
    } else {
        fail(dump, status);
    }
    sink_buffer_free(&text);
    dump->items = dump->entry.report->items(now);
    return status ? STATUS_FAILED : STATUS_OK;
}

static void say_written(const struct dump *dump)
{
    const char *file = dump->wish.file;
    if (dump_wish_is_stdout(&dump->wish))
        return;
    if (dump->wish.seconds)
        fprintf(stderr, "wrote the difference over %u s to %s", dump->wish.seconds, file);
    else
        fprintf(stderr, "wrote %zu %s%s to %s", dump->items, dump->entry.report->item,
                dump->items == 1 ? "" : "s", file);
    fprintf(stderr, dump->output.form <= REPORT_COUNTS ? "; go tool pprof %s\n" : "\n", file);
}

static int dump_once(struct dump *dump)
{
    void *now;
    int status = take(dump, &now);
    if (status)
        return fail(dump, status);
    status = write_dump(dump, NULL, now);
    dump->entry.report->release(now);
    if (status == STATUS_OK && dump->output.written == 1)
        say_written(dump);
    return status;
}

/* Signals end the command as they always do: there is nothing yet to be left behind. */
static int dump_difference(struct dump *dump)
{
    void *earlier;
    void *now;
    int status = take(dump, &earlier);
    if (status)
        return fail(dump, status);
    dump_wait_until(dump->pidfd, dump_now_ns() + dump->wish.seconds * SECOND_NS);
    status = take(dump, &now);
    if (status == 0) {
        status = write_dump(dump, earlier, now);
        dump->entry.report->release(now);
        if (status == STATUS_OK)
            say_written(dump);
    } else {
        status = fail(dump, status);
    }
    dump->entry.report->release(earlier);
    return status;
}

static int say_end(const struct dump *dump)
{
    if (dump->output.is_screen)
        putchar('\n');
    fflush(stdout);
    fprintf(stderr, "process %d (%s) has ended after %llu dumps\n", (int)dump->lab.target.pid,
            dump->name, (unsigned long long)dump->output.written);
    return STATUS_OK;
}

static int dump_watch(struct dump *dump)
{
    uint64_t due = dump_now_ns();
    for (;;) {
        int status = dump_once(dump);
        if (status && dump->output.written > 0 && dump_subject_has_ended(dump->lab.target.pid))
            return say_end(dump);
        if (status)
            return status;
        /* One that took longer than the time between two is not made up for. */
        uint64_t now = dump_now_ns();
        due += dump->wish.watch_ns;
        if (due < now)
            due = now;
        if (dump_wait_until(dump->pidfd, due) == PROCESS_HAS_ENDED)
            return say_end(dump);
    }
}

/* Descriptors and their targets are listed with less than a stack needs: Yama lets them be read. */
static bool needs_stacks(const struct report *report)
{
    return strcmp(report->name, "fds") != 0;
}

/* STATUS_OK, or STATUS_FAILED after a line on stderr. */
static int check_access(struct dump *dump, bool stacks)
{
    struct access_facts facts;
    char why[512];
    access_facts_gather(&facts, &dump->lab.target, dump->name);
    if (access_is_given(&facts, stacks))
        return STATUS_OK;
    access_facts_name_users(&facts);
    access_explain(&facts, why, sizeof why);
    complain("dump", "%s", why);
    return STATUS_FAILED;
}

static int refuse_profile(struct dump *dump)
{
    struct report_entry entry = { .report = NULL };
    struct sink_buffer known;
    unsigned number;
    sink_buffer_init(&known);
    for (const char *before = ""; report_next(&dump->lab, &entry); before = ", ") {
        sink_puts(&known.sink, before);
        sink_plain(&known.sink, entry.name);
    }
    complain("dump", "process %d (%s) has no profile '%s'; it has %s%s", (int)dump->lab.target.pid,
             dump->name, dump->wish.profile, known.bytes ? known.bytes : "none",
             number_read(dump->wish.profile, INT_MAX, &number) ? "; one process at a time" : "");
    sink_buffer_free(&known);
    return STATUS_USAGE;
}

/* An empty list would say that nothing is live; nobody counts. */
static int refuse_handles(const struct dump *dump)
{
    complain("dump", "process %d (%s) keeps no inventories: there is no libsnag in it",
             (int)dump->lab.target.pid, dump->name);
    return STATUS_FAILED;
}

/* The profile and its form: what is asked for, of what there is. */
static int choose(struct dump *dump)
{
    const struct report *known = report_find(dump->wish.profile);
    /* Names of inventories are in the process's memory. */
    int status = check_access(dump, !known || needs_stacks(known));
    if (status == STATUS_OK)
        status = dump_subject_check_program(&dump->lab);
    if (status == STATUS_OK && !report_look_up(&dump->lab, dump->wish.profile, &dump->entry))
        status = refuse_profile(dump);
    if (status == STATUS_OK && dump->entry.report->parts && dump->lab.handles_root == 0)
        status = refuse_handles(dump);
    return status == STATUS_OK ? dump_wish_form(&dump->wish, &dump->entry, &dump->output.form)
                               : status;
}

/* STATUS_OK, or STATUS_FAILED after a line on stderr: better now than when an hour is over. */
static int check_file(const struct dump_wish *wish)
{
    int status = dump_wish_is_stdout(wish) ? 0 : dump_file_check(wish->file);
    if (status)
        complain("dump", "cannot write %s: %s", wish->file, strerror(-status));
    return status ? STATUS_FAILED : STATUS_OK;
}

static int serve(struct dump *dump)
{
    int status = choose(dump);
    if (status == STATUS_OK)
        status = check_file(&dump->wish);
    if (status != STATUS_OK)
        return status;
    dump->pidfd = dump_open_process(dump->lab.target.pid);
    if (dump->wish.watch_ns > 0) {
        bool is_screen = dump_wish_is_stdout(&dump->wish) && isatty(STDOUT_FILENO);
        dump->output.is_screen = is_screen;
        dump_end_on_interrupt(is_screen);
        status = dump_watch(dump);
    } else {
        status = dump->wish.seconds ? dump_difference(dump) : dump_once(dump);
    }
    if (dump->pidfd >= 0)
        close(dump->pidfd);
    return status;
}

static int run(char **arguments)
{
    struct dump dump = { .items = 0 };
    pid_t process;
    for (char **at = arguments; *at && strcmp(*at, "--") != 0; at++)
        if (strcmp(*at, "--help") == 0 || strcmp(*at, "-h") == 0)
            return fputs(help, stdout) < 0 ? STATUS_FAILED : STATUS_OK;
    int status = dump_wish_read(arguments, &dump.wish);
    if (status == STATUS_OK)
        status = dump_subject_find(dump.wish.process, &process);
    if (status != STATUS_OK)
        return status;
    dump_subject_name(process, dump.name);
    symbolizer_prepare();
    status = lab_open(&dump.lab, process, SIGNAL_NEVER);
    if (status) {
        complain("dump", "cannot look at process %d (%s): %s", (int)process, dump.name,
                 status == -ESRCH || status == -ENOENT ? "it has ended" : strerror(-status));
        return STATUS_FAILED;
    }
    dump.output = (struct dump_output){
        .wish = &dump.wish,
        .process = process,
        .name = dump.name,
    };
    status = serve(&dump);
    lab_close(&dump.lab);
    return status;
}

const struct command dump_command = {
    .name = "dump",
    .about = "where the threads of a running process hang, without stopping it",
    .help = help,
    .run = run,
};
