/* spatch.c: Coccinelle, with semantic patches made of the table.
 *
 * For each kind of resource that the project makes (the same releasers are one kind): a return, or
 * the next making, that a path reaches from a checked making without release or escape; a second
 * release with no condition between; a result that is thrown away. It reads the source as it is
 * written, also where an analyzer gives up on a function for its size; but it does not know which
 * conditions go together. So a leak counts only where nothing between the two lines releases the
 * variable or copies it. */
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#define PATCH "snag.cocci"

static const char head[] = "@initialize:python@\n@@\n"
                           "def say(kind, make, at, x):\n"
                           "    print(\"SNAG\\t%s\\t%s\\t%s\\t%s\\t%s\" % (kind, make[0].file, "
                           "at[0].line, make[0].line, x))\n\n";

/* What a path may meet between making and loss. $R: a release of x. */
static const char between[] =
    " ... when != $R\n"
    "     when != keeper(..., <+... x ...+>, ...)\n"
    "     when != x = E\n"
    "     when != E = x\n"
    "     when != &x\n"
    "     when != if (\\(x\\|x != NULL\\|x >= 0\\|x > 0\\|x != -1\\|x != E\\)) S1\n"
    "     when != if (\\(x\\|x != NULL\\|x >= 0\\|x > 0\\|x != -1\\|x != E\\)) S1 else S2\n";

/* $N: a number for the names of rules; $M: makers; $K: functions that keep nothing. */
static const char declared[] = "local idexpression x;\n"
                               "identifier make =~ \"^($M)$\";\n"
                               "identifier keeper !~ \"^($K)$\";\n"
                               "position p1, p2;\n"
                               "expression E;\n"
                               "statement S, S1, S2;\n"
                               "@@\n";
static const char checked_making[] = " x = make@p1(...)\n"
                                     " ... when != x\n"
                                     " if (\\(x == NULL\\|x < 0\\|x == -1\\|x == E\\)) S\n";

static const char *const rules[] = {
    /* a return while it is held */
    ("@early$N exists@\n$D$C$B(\n return <+... x ...+>;\n|\n return@p2 ...;\n)\n\n"
     "@script:python@\np1 << early$N.p1; p2 << early$N.p2; x << early$N.x;\n@@\n"
     "say(\"leak\", p1, p2, x)\n\n"),
    /* made again while it is held */
    ("@over$N exists@\nidentifier again =~ \"^($M)$\";\n$D$C$B x@p2 = again(...)\n\n"
     "@script:python@\np1 << over$N.p1; p2 << over$N.p2; x << over$N.x;\n@@\n"
     "say(\"leak\", p1, p2, x)\n\n"),
    /* released twice, with nothing to decide in between */
    ("@twice$N exists@\nlocal idexpression x;\nidentifier make =~ \"^($M)$\";\nposition p1, p2;\n"
     "expression E;\nstatement S;\n@@\n x = make@p1(...)\n ... when any\n $R;\n"
     " ... when != x = E\n     when != &x\n     when != if (...) S\n     when != if (...) S else "
     "S\n"
     " $P;\n\n"
     "@script:python@\np1 << twice$N.p1; p2 << twice$N.p2; x << twice$N.x;\n@@\n"
     "say(\"twice\", p1, p2, x)\n\n"),
    /* nobody has it */
    ("@lost$N@\nidentifier make =~ \"^($M)$\";\nposition p1;\n@@\n make@p1(...);\n\n"
     "@script:python@\np1 << lost$N.p1;\n@@\nsay(\"lost\", p1, p1, \"\")\n\n"),
};

/* One kind of resource, as the rules spell it. */
struct kind {
    size_t number;
    char *makers;   /* a|b */
    char *borrows;  /* patterns and releasers, as a regular expression */
    char *release;  /* \(fclose(x)\|pclose(x)\) */
    char *released; /* the same with its place */
};

static void print_rule(FILE *to, const char *text, const struct kind *kind)
{
    for (; *text; text++) {
        if (*text != '$') {
            fputc(*text, to);
            continue;
        }
        switch (*++text) {
        case 'N': fprintf(to, "%zu", kind->number); break;
        case 'M': fputs(kind->makers, to); break;
        case 'K': fputs(kind->borrows, to); break;
        case 'R': fputs(kind->release, to); break;
        case 'P': fputs(kind->released, to); break;
        case 'D': print_rule(to, declared, kind); break;
        case 'C': fputs(checked_making, to); break;
        case 'B': print_rule(to, between, kind); break;
        default: fputc('$', to); text--;
        }
    }
}

static bool is_used(const struct check *check, const struct resource *row)
{
    for (size_t i = 0; i < check->works.count; i++) {
        const struct work *work = check->works.items[i];
        for (size_t j = 0; j < work->sites.count; j++)
            if (((struct site *)work->sites.items[j])->resource == row)
                return true;
    }
    return false;
}

static bool same_releasers(const struct resource *a, const struct resource *b)
{
    if (a->releaser_count != b->releaser_count)
        return false;
    for (int i = 0; i < a->releaser_count; i++)
        if (strcmp(a->releasers[i].name, b->releasers[i].name) != 0 ||
            a->releasers[i].argument != b->releasers[i].argument)
            return false;
    return true;
}

/* A call of RELEASER on x, whatever the other arguments are. */
static char *release_of(const struct releaser *releaser, const char *place)
{
    char *text = text_format("%s%s(", releaser->name, place);
    for (int i = 1; i < releaser->argument; i++)
        text = text_format("%sE%d, ", text, i);
    return text_format("%sx, ...)", text);
}

/* Patterns of the table as one regular expression, with what the rule names itself. */
static char *borrowers(const struct table *table, const struct resource *row)
{
    char *all = text_format("%s", row->releasers[0].name);
    for (int i = 1; i < row->releaser_count; i++)
        all = text_format("%s|%s", all, row->releasers[i].name);
    for (size_t i = 0; i < table->borrows.count; i++) {
        const char *pattern = table->borrows.items[i];
        for (size_t at; *pattern; pattern += at + (pattern[at] == '*')) {
            at = strcspn(pattern, "*");
            const char *bar = pattern == table->borrows.items[i] ? "|" : "";
            all = text_format("%s%s%.*s%s", all, bar, (int)at, pattern, pattern[at] ? ".*" : "");
        }
    }
    return all;
}

static void print_kind(FILE *to, const struct check *check, size_t first, size_t number)
{
    const struct table *table = &check->table;
    const struct resource *row = table->resources.items[first];
    struct kind kind = { .number = number, .makers = NULL };
    for (size_t i = first; i < table->resources.count; i++) {
        const struct resource *other = table->resources.items[i];
        if (other->where == BY_RETURN && same_releasers(row, other) && is_used(check, other))
            kind.makers = kind.makers ? text_format("%s|%s", kind.makers, other->maker)
                                      : text_format("%s", other->maker);
    }
    kind.borrows = borrowers(table, row);
    for (int i = 0; i < row->releaser_count; i++) {
        char *one = release_of(&row->releasers[i], ""),
             *placed = release_of(&row->releasers[i], "@p2");
        kind.release = i ? text_format("%s\\|%s", kind.release, one) : one;
        kind.released = i ? text_format("%s\\|%s", kind.released, placed) : placed;
    }
    if (row->releaser_count > 1) {
        kind.release = text_format("\\(%s\\)", kind.release);
        kind.released = text_format("\\(%s\\)", kind.released);
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        print_rule(to, rules[i], &kind);
}

/* Its releasers' other arguments would need names of their own. */
static bool is_spelled(const struct check *check, const struct resource *row)
{
    for (int i = 0; i < row->releaser_count; i++)
        if (row->releasers[i].argument != 1)
            return false;
    return row->where == BY_RETURN && is_used(check, row);
}

bool spatch_prepare(struct check *check)
{
    const struct list *rows = &check->table.resources;
    size_t kinds = 0;
    FILE *file = fopen(text_format("%s/" PATCH, check->directory), "we");
    if (!file)
        return false;
    fputs(head, file);
    for (size_t i = 0; i < rows->count; i++) {
        bool is_first = is_spelled(check, rows->items[i]);
        for (size_t j = 0; j < i && is_first; j++)
            is_first = !(is_spelled(check, rows->items[j]) &&
                         same_releasers(rows->items[j], rows->items[i]));
        if (is_first)
            print_kind(file, check, i, kinds++);
    }
    return fclose(file) == 0 && kinds > 0;
}

void spatch_start(struct check *check, struct work *work, struct list *jobs)
{
    struct job *job =
        job_new(jobs, work->compilation->directory, text_format("%s.spatch", work->stem), NULL);
    job_argument(job, "spatch");
    job_argument(job, "--very-quiet");
    job_argument(job, "--no-includes");
    job_argument(job, "--sp-file");
    job_argument(job, text_format("%s/" PATCH, check->directory));
    job_argument(job, work->compilation->file);
    work->jobs[TOOL_SPATCH] = job;
}

static bool any_called(const char *text, const struct list *functions)
{
    for (size_t i = 0; i < functions->count; i++)
        if (text_find_word(text, ((struct releaser *)functions->items[i])->name))
            return true;
    return false;
}

/* Whether something in the text, a few lines of source, releases, gives away or copies the
 * variable. */
static bool is_handled(const char *text, const struct site *site, const struct table *table)
{
    const char *at = text;
    if (any_called(text, &table->takes) || any_called(text, &table->keeps))
        return true;
    for (int i = 0; i < site->resource->releaser_count; i++)
        if (text_find_word(text, site->resource->releasers[i].name))
            return true;
    while ((at = text_find_word(at, site->variable))) {
        const char *before = at;
        while (before > text && (before[-1] == ' ' || before[-1] == ')' || before[-1] == '*'))
            before--;
        bool is_copied = before > text && before[-1] == '=' &&
                         (before - 1 == text || !strchr("=!<>", before[-2]));
        if (is_copied || (at > text && at[-1] == '&'))
            return true;
        at += strlen(site->variable);
    }
    return false;
}

/* The lines after FROM up to TO; a later TO than FROM, as the source stands. */
static bool lines_handle(const char *file, unsigned from, unsigned to, const struct site *site,
                         const struct table *table)
{
    size_t length;
    char *text = text_read(file, &length), *start = text;
    for (unsigned number = 1; start && number <= from; number++) {
        start = strchr(start, '\n');
        start = start ? start + 1 : NULL;
    }
    char *end = start;
    for (unsigned number = from; end && number < to; number++) {
        end = strchr(end, '\n');
        end = end ? end + 1 : NULL;
    }
    if (end)
        *end = 0;
    bool handled = !start || to <= from || is_handled(start, site, table);
    free(text);
    return handled;
}

static const struct site *site_on(const struct check *check, const struct work *work,
                                  const char *file, unsigned line, const char *variable)
{
    if (*variable)
        return check_site(check, work, file, line, variable);
    for (size_t i = 0; i < work->sites.count; i++) {
        const struct site *site = work->sites.items[i];
        if (site->lost && site->line == line && strcmp(check_path(work, site->file), file) == 0)
            return site;
    }
    return NULL;
}

/* SNAG KIND FILE LINE MADE VARIABLE */
static void read_line(struct check *check, struct work *work, char *text)
{
    char *words[6] = { text };
    for (size_t i = 1; i < 6; i++) {
        char *tab = strchr(words[i - 1], '\t');
        if (!tab)
            return;
        *tab = 0;
        words[i] = tab + 1;
    }
    const char *file = check_path(work, words[2]);
    unsigned line = (unsigned)atoi(words[3]), made = (unsigned)atoi(words[4]);
    const struct site *site = site_on(check, work, file, made, words[5]);
    if (strcmp(words[0], "SNAG") != 0 || !site || site->line != made)
        return;
    struct finding finding = { .kind = strcmp(words[1], "twice") == 0  ? DOUBLE_RELEASE
                                       : strcmp(words[1], "lost") == 0 ? LOST_RESULT
                                                                       : LEAK,
                               .file = file,
                               .line = line,
                               .variable = site->variable,
                               .maker = site->resource->maker,
                               .made = made };
    if (finding.kind == LEAK && lines_handle(file, made, line, site, &check->table))
        return;
    findings_add(&check->findings, TOOL_SPATCH, finding);
}

void spatch_read(struct check *check, struct work *work)
{
    size_t length;
    char *text = text_read(text_format("%s.spatch", work->stem), &length);
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        read_line(check, work, line);
    }
    free(text);
}
