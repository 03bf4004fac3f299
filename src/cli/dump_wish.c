/* dump_wish.c: the command line of `snag dump`.
 *
 * What makes no sense together is refused instead of ignored, as in a query over HTTP: a dump of
 * something else than was asked for looks just as good. Whether a profile has the form that was
 * asked for is known only when the profile is, which may be an inventory of the process's. */
#include "base/number.h"
#include "cli/commands.h"
#include "cli/dump.h"
#include "tool/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_MOST 3600
#define WATCH_LEAST_NS UINT64_C(100000000)
#define SECOND_NS UINT64_C(1000000000)

static int misused(const char *option, const char *what)
{
    return option_misused("dump", option, what);
}

/* "2", "0.5": as nanoseconds. */
static bool read_seconds(const char *text, uint64_t *ns)
{
    char whole[8];
    unsigned seconds = 0;
    size_t length = strcspn(text, ".");
    if (length >= sizeof whole)
        return false;
    memcpy(whole, text, length);
    whole[length] = 0;
    if (length > 0 && !number_read(whole, SECONDS_MOST, &seconds))
        return false;
    *ns = seconds * SECOND_NS;
    if (!text[length])
        return length > 0;
    uint64_t unit = SECOND_NS;
    for (const char *at = text + length + 1; *at; at++) {
        if (*at < '0' || *at > '9')
            return false;
        unit /= 10;
        *ns += (uint64_t)(*at - '0') * unit;
    }
    return unit < SECOND_NS;
}

static int take_value(struct dump_wish *wish, const char *option, const char *value)
{
    unsigned number;
    if (strcmp(option, "-o") == 0) {
        wish->file = value;
        return value && *value ? STATUS_OK : misused(option, " needs a file, or - for stdout");
    }
    if (strcmp(option, "--debug") == 0) {
        if (!value || !number_read(value, 2, &number))
            return misused(option, " is 0 (pprof), 1 (text by stack) or 2 (one block for each)");
        wish->debug = (int)number;
        return STATUS_OK;
    }
    if (strcmp(option, "--seconds") == 0)
        return value && number_read(value, SECONDS_MOST, &wish->seconds) && wish->seconds > 0
                   ? STATUS_OK
                   : misused(option, " is a whole number from 1 to 3600");
    return value && read_seconds(value, &wish->watch_ns) && wish->watch_ns >= WATCH_LEAST_NS &&
                   wish->watch_ns <= SECONDS_MOST * SECOND_NS
               ? STATUS_OK
               : misused(option, " is a number of seconds from 0.1 to 3600");
}

static bool is_number(const char *word)
{
    return word && *word && word[strspn(word, "0123456789")] == 0;
}

/* A profile is as good before the process as behind it. */
static int take_word(struct dump_wish *wish, const char *word)
{
    if (!wish->process) {
        wish->process = word;
    } else if (!wish->profile && !is_number(wish->process) && is_number(word)) {
        wish->profile = wish->process;
        wish->process = word;
    } else if (!wish->profile) {
        wish->profile = word;
    } else {
        return misused(word, " is one word too many: PID and a profile are all");
    }
    return STATUS_OK;
}

/* 1: what *AT is has been read, with its value. */
static int take_option(char ***at, struct dump_wish *wish, int *status)
{
    static const char *const names[] = { "-o", "--debug", "--seconds", "--watch" };
    static const char *const pids[] = { "-p", "--pid" }; /* as gdb, strace and lsof have it */
    const char *value;
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
        if (option_value(at, pids[i], &value)) {
            *status = is_number(value) ? take_word(wish, value) : misused(pids[i], " needs a PID");
            return 1;
        }
    if (strcmp(**at, "--json") == 0)
        return wish->json = true;
    if (strcmp(**at, "--tid") == 0)
        return wish->with_tid = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (option_value(at, names[i], &value)) {
            *status = take_value(wish, names[i], value);
            return 1;
        }
    return 0;
}

/* What contradicts itself, whatever the profile is. */
static int check(const struct dump_wish *wish)
{
    bool is_text = wish->json || wish->debug > 0;
    if (!wish->process)
        return misused("which", " process? its PID is missing");
    if (wish->json && wish->debug != DEBUG_NOT_GIVEN)
        return misused("--json", " is a form of its own: leave --debug out");
    if (wish->seconds && is_text)
        return misused("--seconds", " makes a pprof profile: neither --json nor --debug 1 or 2");
    if (wish->seconds && wish->watch_ns)
        return misused("--seconds", " and --watch do not go together");
    return STATUS_OK;
}

int dump_wish_read(char **arguments, struct dump_wish *wish)
{
    bool only_words = false;
    int status = STATUS_OK;
    *wish = (struct dump_wish){ .debug = DEBUG_NOT_GIVEN };
    for (char **at = arguments; *at && status == STATUS_OK; at++) {
        if (only_words || **at != '-' || !(*at)[1])
            status = take_word(wish, *at);
        else if (strcmp(*at, "--") == 0)
            only_words = true;
        else if (!take_option(&at, wish, &status))
            status = option_unknown(&dump_command, *at);
    }
    if (status == STATUS_OK)
        status = check(wish);
    if (!wish->profile)
        wish->profile = "threads";
    return status;
}

bool dump_wish_is_stdout(const struct dump_wish *wish)
{
    return !wish->file || strcmp(wish->file, "-") == 0;
}

static enum report_form form_of(const struct dump_wish *wish, const struct report *report)
{
    static const enum report_form by_debug[] = { REPORT_PPROF, REPORT_COUNTS, REPORT_BLOCKS };
    if (wish->json)
        return REPORT_JSON;
    if (wish->debug != DEBUG_NOT_GIVEN)
        return by_debug[wish->debug];
    if (wish->seconds || (wish->file && report_has_form(report, REPORT_PPROF)))
        return REPORT_PPROF;
    return report_has_form(report, REPORT_GROUPS) ? REPORT_GROUPS : REPORT_BLOCKS;
}

static int refuse_form(const struct report_entry *entry)
{
    bool is_profile = report_has_form(entry->report, REPORT_PPROF);
    complain("dump", "%s has no such form: %s%s", entry->name,
             is_profile ? "--debug 0, 1 and 2 are there" : "it is a text",
             report_has_form(entry->report, REPORT_JSON) ? " (and --json)" : "");
    return STATUS_USAGE;
}

int dump_wish_form(const struct dump_wish *wish, const struct report_entry *entry,
                   enum report_form *form)
{
    *form = form_of(wish, entry->report);
    if (!report_has_form(entry->report, *form))
        return refuse_form(entry);
    if (wish->with_tid && *form != REPORT_PPROF && *form != REPORT_COUNTS)
        return misused("--tid", " is for pprof (-o FILE) and --debug 1: this form has them anyway");
    if (*form != REPORT_PPROF || !dump_wish_is_stdout(wish))
        return STATUS_OK;
    if (wish->watch_ns)
        return misused("--watch", " of pprof profiles needs a file: -o FILE, rewritten each time");
    if (isatty(STDOUT_FILENO)) {
        complain("dump", "a pprof profile is no text for a terminal: -o FILE writes it to a file, "
                         "--debug 1 shows it as text");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}
