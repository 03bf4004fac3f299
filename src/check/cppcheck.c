/* cppcheck.c: cppcheck with a library file made of the table.
 *
 * It reads the source itself, not a model, and knows a resource by allocation and deallocation
 * functions. It names the variable that is lost; which call made it is looked up among the sites.
 */
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#define LIBRARY "snag.cfg"

/* Rows with the same releasers are one kind of resource to it. */
static bool same_releasers(const struct resource *a, const struct resource *b)
{
    if (a->releaser_count != b->releaser_count)
        return false;
    for (int i = 0; i < a->releaser_count; i++)
        if (strcmp(a->releasers[i].name, b->releasers[i].name) != 0)
            return false;
    return true;
}

static void print_resource(FILE *to, const struct table *table, size_t first)
{
    const struct resource *kind = table->resources.items[first];
    fprintf(to, "  <resource>\n");
    for (size_t i = first; i < table->resources.count; i++) {
        const struct resource *row = table->resources.items[i];
        if (!same_releasers(kind, row) || row->count > 1 || row->where == BY_OBJECT ||
            row->when_argument || row->takes)
            continue;
        if (row->where == BY_ARGUMENT)
            fprintf(to, "    <alloc init=\"true\" arg=\"%d\">%s</alloc>\n", row->argument,
                    row->maker);
        else
            fprintf(to, "    <alloc init=\"true\">%s</alloc>\n", row->maker);
    }
    for (int i = 0; i < kind->releaser_count; i++)
        fprintf(to, "    <dealloc arg=\"%d\">%s</dealloc>\n", kind->releasers[i].argument,
                kind->releasers[i].name);
    fprintf(to, "  </resource>\n");
}

static void print_library(FILE *to, const struct table *table)
{
    fprintf(to, "<?xml version=\"1.0\"?>\n<def format=\"2\">\n");
    for (size_t i = 0; i < table->resources.count; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i && is_first; j++)
            is_first = !same_releasers(table->resources.items[j], table->resources.items[i]);
        if (is_first)
            print_resource(to, table, i);
    }
    fprintf(to, "</def>\n");
}

bool cppcheck_prepare(struct check *check)
{
    FILE *file = fopen(text_format("%s/" LIBRARY, check->directory), "we");
    if (!file)
        return false;
    print_library(file, &check->table);
    return fclose(file) == 0;
}

/* Of the compiler's options it knows these. */
static void pass_options(struct job *job, const struct compilation *compilation)
{
    for (size_t i = 0; i < compilation->options.count; i++) {
        const char *option = compilation->options.items[i];
        if (strncmp(option, "-D", 2) != 0 && strncmp(option, "-U", 2) != 0 &&
            strncmp(option, "-I", 2) != 0)
            continue;
        if (!option[2] && i + 1 < compilation->options.count)
            option = text_format("%s%s", option, (char *)compilation->options.items[++i]);
        job_argument(job, option);
    }
}

void cppcheck_start(struct check *check, struct work *work, struct list *jobs)
{
    static const char *const arguments[] = {
        "cppcheck",          "--quiet",
        "--language=c",      "--library=posix",
        "--library=gnu",     "--library=zlib",
        "--library=libcurl", "--template={file}\t{line}\t{id}\t{message}"
    };
    struct job *job =
        job_new(jobs, work->compilation->directory, NULL, text_format("%s.cppcheck", work->stem));
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        job_argument(job, arguments[i]);
    job_argument(job, text_format("--library=%s/" LIBRARY, check->directory));
    pass_options(job, work->compilation);
    job_argument(job, work->compilation->file);
    work->jobs[TOOL_CPPCHECK] = job;
}

static bool kind_of(const char *id, enum finding_kind *kind)
{
    static const struct {
        const char *id;
        enum finding_kind kind;
    } kinds[] = {
        { "resourceLeak", LEAK },
        { "memleak", LEAK },
        { "leakReturnValNotUsed", LOST_RESULT },
        { "doubleFree", DOUBLE_RELEASE },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(id, kinds[i].id) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

/* "Resource leak: file", "Memory pointed to by 'file' is freed twice." */
static char *variable_of(const char *message)
{
    const char *from = strstr(message, "leak: ");
    if (from)
        return text_copy(from + 6, strcspn(from + 6, "\n"));
    from = strchr(message, '\'');
    const char *to = from ? strchr(from + 1, '\'') : NULL;
    return to ? text_copy(from + 1, (size_t)(to - from - 1)) : NULL;
}

/* A site whose result goes nowhere, on the very line. */
static const struct site *lost_site(const struct work *work, const char *file, unsigned line)
{
    for (size_t i = 0; i < work->sites.count; i++) {
        const struct site *site = work->sites.items[i];
        if (site->line == line && site->lost && strcmp(check_path(work, site->file), file) == 0)
            return site;
    }
    return NULL;
}

/* `return fd < 0 ? -errno : fd;`: it does not see that. */
static bool is_returned(const struct finding *finding)
{
    size_t length;
    char *text = text_read(finding->file, &length), *line = text;
    for (unsigned number = 1; line && number < finding->line; number++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (line)
        line[strcspn(line, "\n")] = 0;
    const char *from = line ? text_find_word(line, "return") : NULL;
    bool returned = from && text_find_word(from, finding->variable);
    free(text);
    return returned;
}

static void read_line(struct check *check, struct work *work, char *text)
{
    char *rest = NULL, *words[4];
    struct finding finding = { .kind = LEAK };
    for (size_t i = 0; i < 4; i++)
        if (!(words[i] = strtok_r(i ? NULL : text, "\t", &rest)))
            return;
    if (!kind_of(words[2], &finding.kind))
        return;
    finding.file = check_path(work, words[0]);
    finding.line = (unsigned)atoi(words[1]);
    const char *variable = variable_of(words[3]);
    const struct site *site =
        finding.kind == LOST_RESULT ? lost_site(work, finding.file, finding.line)
        : variable                  ? check_site(check, work, finding.file, finding.line, variable)
                                    : NULL;
    if (!site)
        return;
    finding.variable = site->variable;
    finding.maker = site->resource->maker;
    finding.made = site->line;
    if (finding.kind != LEAK || !is_returned(&finding))
        findings_add(&check->findings, TOOL_CPPCHECK, finding);
}

void cppcheck_read(struct check *check, struct work *work)
{
    size_t length;
    char *text = text_read(text_format("%s.cppcheck", work->stem), &length);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        read_line(check, work, line);
    }
    free(text);
}
