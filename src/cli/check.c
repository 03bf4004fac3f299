/* check.c: `snag check`: who forgets to release what it opened, found in the source.
 *
 * The order of things: the table is read; each file goes through the preprocessor; what the
 * project's own headers say (SNAG_RELEASED_BY) joins the table; each file is written again as a
 * model for each analyzer; the analyzers run, side by side; their answers become one list. */
#include "check/check.h"
#include "base/number.h"
#include "cli/commands.h"
#include "tool/options.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE "resources.txt"
#define OWN_TABLE ".snag-resources"
#define SECONDS 60
#define PREPROCESS_SECONDS 30

static const char help[] =
    "Usage: snag check [-p BUILD] [OPTION...] [FILE...]\n"
    "\n"
    "Finds paths on which a descriptor, a stream, a handle is not released, released\n"
    "twice, or thrown away, in the C files of BUILD/compile_commands.json (or only in\n"
    "FILE..., a file or a directory), by those analyzers that are installed. Nothing\n"
    "is built or run.\n"
    "\n"
    "  -p BUILD          where compile_commands.json is; else . or build\n"
    "  --resources FILE  more makers and releasers; else BUILD/" OWN_TABLE ", then\n"
    "                    " OWN_TABLE " in the working directory, if there is one\n"
    "  --only TOOL,...   of clang, gcc, cppcheck, spatch only these\n"
    "  --timeout N       seconds for a tool and a file (60)\n"
    "  --sarif           write SARIF 2.1.0 instead of lines\n"
    "\n"
    "A line with the comment `snag: ignore` silences what is found on it, or about\n"
    "what it opened. docs/check.md says what counts, and how to add resources.\n"
    "\n"
    "Exit status: 0 nothing found, 1 found, 2 wrong usage or nothing could be run.\n";

struct wish {
    const char *build;
    const char *resources;
    const char *only;
    unsigned seconds;
    bool sarif;
    char **files;
};

/* ---- what is asked ---- */

static int misused(const char *option, const char *what)
{
    return option_misused("check", option, what);
}

/* STATUS_OK, or the status to end with; -1: to end well. */
static int read_options(char **arguments, struct wish *wish)
{
    for (; *arguments && **arguments == '-'; arguments++) {
        const char *option = *arguments, *seconds = NULL;
        if (strcmp(option, "--") == 0) {
            arguments++;
            break;
        }
        if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
            fputs(help, stdout);
            return -1;
        }
        if (strcmp(option, "--sarif") == 0)
            wish->sarif = true;
        else if (option_value(&arguments, "-p", &wish->build)) {
            if (!wish->build)
                return misused(option, " needs a directory");
        } else if (option_value(&arguments, "--resources", &wish->resources)) {
            if (!wish->resources)
                return misused(option, " needs a file");
        } else if (option_value(&arguments, "--only", &wish->only)) {
            if (!wish->only)
                return misused(option, " needs names of tools");
        } else if (option_value(&arguments, "--timeout", &seconds)) {
            if (!seconds || !number_read(seconds, 3600, &wish->seconds) || wish->seconds == 0)
                return misused(option, " is a number of seconds from 1 to 3600");
        } else
            return option_unknown(&check_command, option);
    }
    wish->files = arguments;
    return STATUS_OK;
}

/* Which tools are wanted and there; one line for those that are not. */
static int choose_tools(struct check *check, const char *only)
{
    char missing[128] = "";
    bool any = false;
    for (const char *at = only; at && *at;) {
        size_t length = strcspn(at, ","), known = TOOLS;
        for (size_t i = 0; i < TOOLS; i++)
            if (strlen(tool_names[i]) == length && strncmp(tool_names[i], at, length) == 0)
                known = i;
        if (known == TOOLS)
            return misused("--only", " knows clang, gcc, cppcheck and spatch");
        check->tools[known] = true;
        at += length + (at[length] == ',');
    }
    for (size_t i = 0; i < TOOLS; i++) {
        if (only && !check->tools[i])
            continue;
        check->tools[i] = program_installed(tool_names[i]);
        any |= check->tools[i];
        if (!check->tools[i])
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s",
                     *missing ? ", " : "", tool_names[i]);
    }
    if (!any) {
        complain("check", "none of the analyzers is installed: %s", missing);
        return STATUS_USAGE;
    }
    if (*missing)
        complain("check", "not installed, so less is found: %s", missing);
    return STATUS_OK;
}

/* ---- the table ---- */

static char *shipped_table(void)
{
    static const char *const places[] = { "share/snag", "../share/snag" };
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return NULL;
    own[length] = 0;
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = text_format("%s/%s/" TABLE, own, places[i]);
        if (access(path, R_OK) == 0)
            return path;
    }
    return NULL;
}

static bool read_tables(struct check *check, const struct wish *wish)
{
    char *shipped = shipped_table(), *own = text_format("%s/" OWN_TABLE, wish->build);
    if (!shipped) {
        complain("check", "cannot find " TABLE ": it belongs into share/snag beside bin");
        return false;
    }
    if (!table_read(&check->table, shipped))
        return false;
    if (wish->resources)
        return table_read(&check->table, wish->resources);
    if (access(own, R_OK) == 0)
        return table_read(&check->table, own);
    return access(OWN_TABLE, R_OK) != 0 || table_read(&check->table, OWN_TABLE);
}

/* ---- the files ---- */

/* Whether it is one of FILES, or in a directory of them; none means all. */
static bool is_wanted(const struct compilation *compilation, char **files)
{
    char resolved[PATH_MAX];
    if (!*files)
        return true;
    for (; *files; files++) {
        size_t length = realpath(*files, resolved) ? strlen(resolved) : 0;
        if (length && strncmp(resolved, compilation->file, length) == 0 &&
            (!compilation->file[length] || compilation->file[length] == '/'))
            return true;
    }
    return false;
}

/* Each FILE must be among what is compiled. */
static bool files_are_known(const struct list *compilations, char **files)
{
    for (; *files; files++) {
        char *one[] = { *files, NULL };
        bool is_known = false;
        for (size_t i = 0; i < compilations->count; i++)
            is_known |= is_wanted(compilations->items[i], one);
        if (!is_known) {
            complain("check", "'%s' is, or holds, no C file of the compilation database", *files);
            return false;
        }
    }
    return true;
}

static bool find_works(struct check *check, const struct wish *wish)
{
    struct list compilations = { .count = 0 };
    size_t skipped = 0;
    if (!database_read(wish->build, &compilations, &skipped) ||
        !files_are_known(&compilations, wish->files))
        return false;
    for (size_t i = 0; i < compilations.count; i++) {
        if (!is_wanted(compilations.items[i], wish->files))
            continue;
        struct work *work = checked_alloc(sizeof *work);
        work->compilation = compilations.items[i];
        work->stem = text_format("%s/%zu", check->directory, i);
        list_add(&check->works, work);
    }
    if (skipped && !*wish->files)
        complain("check", "%zu files that are not C are left out", skipped);
    if (check->works.count == 0)
        complain("check", "no C file is compiled there");
    return check->works.count > 0;
}

const char *check_path(const struct work *work, const char *path)
{
    char resolved[PATH_MAX];
    char *full = *path == '/' ? text_copy(path, strlen(path))
                              : text_format("%s/%s", work->compilation->directory, path);
    return realpath(full, resolved) ? text_copy(resolved, strlen(resolved)) : full;
}

const struct site *check_site(const struct check *check, const struct work *work, const char *file,
                              unsigned line, const char *variable)
{
    const struct site *best = NULL;
    const struct place *place = findings_place(&check->findings, file, line);
    for (size_t i = 0; place && i < work->sites.count; i++) {
        const struct site *site = work->sites.items[i];
        bool is_it = site->line <= line && site->variable &&
                     strcmp(site->variable, variable) == 0 &&
                     strcmp(site->function, place->function) == 0;
        if (is_it && (!best || site->line >= best->line))
            best = site;
    }
    return best;
}

/* ---- the steps ---- */

static void preprocess(struct check *check, unsigned seconds)
{
    static const char *const compilers[] = { "clang", "gcc" };
    struct list jobs = { .count = 0 };
    bool only_others = !check->tools[TOOL_CLANG] && !check->tools[TOOL_GCC];
    for (size_t i = 0; i < check->works.count; i++) {
        struct work *work = check->works.items[i];
        for (int dialect = 0; dialect < 2; dialect++) {
            bool is_wanted_here =
                check->tools[dialect] || (only_others && program_installed(compilers[dialect]));
            if (!is_wanted_here)
                continue;
            work->source[dialect] = text_format("%s.%s.i", work->stem, compilers[dialect]);
            struct job *job = job_new(&jobs, work->compilation->directory, work->source[dialect],
                                      text_format("%s.%s.err", work->stem, compilers[dialect]));
            job_argument(job, compilers[dialect]);
            job_argument(job, "-E");
            job_argument(job, "-DSNAG_CHECK");
            job_arguments(job, &work->compilation->options);
            job_argument(job, work->compilation->file);
        }
    }
    jobs_run(&jobs, seconds);
}

static void annotations(struct check *check)
{
    for (size_t i = 0; i < check->works.count; i++) {
        struct work *work = check->works.items[i];
        struct unit unit;
        const char *source = work->source[work->source[FOR_CLANG] ? FOR_CLANG : FOR_GCC];
        if (!source || !unit_read(&unit, source))
            continue;
        unit_annotations(&unit, &check->table);
        findings_places(&check->findings, &unit, work->compilation->directory);
        unit_free(&unit);
    }
}

static bool write_model(struct work *work, const struct check *check, int dialect)
{
    static const char *const names[] = { "clang", "gcc" };
    struct unit unit;
    struct model *model = &work->models[dialect];
    if (!work->source[dialect] || !unit_read(&unit, work->source[dialect]))
        return false;
    model_make(model, &check->table, &unit, dialect);
    char *prologue = model_prologue(model);
    char *all = text_format("%s%s", prologue, model->text);
    bool written =
        text_write(text_format("%s.%s-model.i", work->stem, names[dialect]), all, strlen(all));
    free(all);
    free(prologue);
    free(model->text);
    unit_free(&unit);
    return written;
}

/* Every site of the file, also of what one of the tools cannot follow. */
static void find_sites(struct work *work, const struct check *check)
{
    struct unit unit;
    struct model model;
    const char *source = work->source[work->source[FOR_CLANG] ? FOR_CLANG : FOR_GCC];
    if (!source || !unit_read(&unit, source))
        return;
    model_make(&model, &check->table, &unit, FOR_CLANG);
    work->sites = model.sites;
    free(model.text);
    unit_free(&unit);
}

static void analyze(struct check *check, unsigned seconds)
{
    struct list jobs = { .count = 0 };
    for (size_t i = 0; i < check->works.count; i++)
        find_sites(check->works.items[i], check);
    bool cppcheck = check->tools[TOOL_CPPCHECK] && cppcheck_prepare(check);
    bool spatch = check->tools[TOOL_SPATCH] && spatch_prepare(check);
    for (size_t i = 0; i < check->works.count; i++) {
        struct work *work = check->works.items[i];
        if (work->sites.count == 0)
            continue; /* nothing is made there */
        if (check->tools[TOOL_CLANG] && write_model(work, check, FOR_CLANG))
            clang_start(check, work, &jobs);
        if (check->tools[TOOL_GCC] && write_model(work, check, FOR_GCC))
            gcc_start(check, work, &jobs);
        if (cppcheck)
            cppcheck_start(check, work, &jobs);
        if (spatch)
            spatch_start(check, work, &jobs);
    }
    jobs_run(&jobs, seconds);
}

static void read_answers(struct check *check)
{
    static void (*const readers[TOOLS])(struct check *, struct work *) = { clang_read, gcc_read,
                                                                           cppcheck_read,
                                                                           spatch_read };
    for (size_t i = 0; i < check->works.count; i++)
        for (size_t tool = 0; tool < TOOLS; tool++) {
            struct work *work = check->works.items[i];
            if (!work->jobs[tool])
                continue;
            if (work->jobs[tool]->late)
                complain("check", "%s gave no answer in time for %s", tool_names[tool],
                         work->compilation->file);
            readers[tool](check, work);
        }
}

static int remove_one(const char *path, const struct stat *about, int flag, struct FTW *walk)
{
    (void)about;
    (void)flag;
    (void)walk;
    return remove(path);
}

static int check_all(struct check *check, const struct wish *wish)
{
    if (!read_tables(check, wish) || !find_works(check, wish))
        return STATUS_USAGE;
    jobs_end_on_signal();
    preprocess(check, PREPROCESS_SECONDS);
    annotations(check);
    analyze(check, wish->seconds);
    if (jobs_ended()) {
        complain("check", "ended by a signal");
        return STATUS_USAGE;
    }
    read_answers(check);
    findings_sort(&check->findings);
    return check->findings.all.count ? STATUS_FAILED : STATUS_OK;
}

static int run(char **arguments)
{
    struct wish wish = { .seconds = SECONDS };
    struct check check = { .directory = NULL };
    const char *temporary = getenv("TMPDIR");
    int status = read_options(arguments, &wish);
    if (status != STATUS_OK)
        return status < 0 ? STATUS_OK : status;
    if (!wish.build)
        wish.build = access("compile_commands.json", R_OK) == 0 ? "." : "build";
    status = choose_tools(&check, wish.only);
    if (status != STATUS_OK)
        return status;
    char *directory =
        text_format("%s/snag-check-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(directory)) {
        complain("check", "cannot make '%s': %s", directory, strerror(errno));
        return STATUS_USAGE;
    }
    check.directory = directory;
    status = check_all(&check, &wish);
    if (!getenv("SNAG_CHECK_KEEP"))
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    /* Last: who reads it may stop reading, and that ends this process. */
    if (status != STATUS_USAGE)
        (wish.sarif ? findings_sarif : findings_print)(&check.findings, stdout);
    return status;
}

const struct command check_command = {
    .name = "check",
    .about = "find what is not released, in the source",
    .help = help,
    .run = run,
};
