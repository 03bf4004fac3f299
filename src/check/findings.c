/* findings.c: what all the tools found, once.
 *
 * Two findings are one when they are of the same kind, in the same function, about what the same
 * line made (or, where a tool did not say, the same variable), and near each other or from
 * different tools: each tool names the line of the loss a little differently. A line that says
 * "snag: ignore" silences what would be found on it, or about what it made; so does such a line
 * right above. */
#include "check/check.h"
#include "tool/colour.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEAR 3

const char *const finding_names[KINDS] = { "snag-leak", "snag-lost-result", "snag-double-release",
                                           "snag-use-after-release" };
const char *const tool_names[TOOLS] = { "clang", "gcc", "cppcheck", "spatch" };

void findings_places(struct findings *findings, const struct unit *unit, const char *directory)
{
    for (size_t i = 0; i < unit->function_count; i++) {
        const struct function *function = &unit->functions[i];
        const char *path = unit->files.items[function->file];
        char resolved[PATH_MAX];
        char *full =
            *path == '/' ? text_copy(path, strlen(path)) : text_format("%s/%s", directory, path);
        struct place *place = checked_alloc(sizeof *place);
        place->file = realpath(full, resolved) ? text_copy(resolved, strlen(resolved)) : full;
        place->function = function->name;
        place->first = function->first_line;
        place->last = function->last_line;
        place->scoped = &function->scoped;
        list_add(&findings->places, place);
    }
}

const struct place *findings_place(const struct findings *findings, const char *file, unsigned line)
{
    for (size_t i = 0; i < findings->places.count; i++) {
        const struct place *place = findings->places.items[i];
        if (line >= place->first && line <= place->last && strcmp(place->file, file) == 0)
            return place;
    }
    return NULL;
}

/* Whether the line says "snag: ignore", or the one above has nothing but that comment. */
static bool line_silences(const char *text, unsigned line)
{
    const char *above = NULL;
    for (unsigned number = 1; text && number < line; number++) {
        above = text;
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (!text)
        return false;
    const char *end = text + strcspn(text, "\n");
    const char *mark = strstr(text, "snag: ignore");
    if (mark && mark < end)
        return true;
    if (!above)
        return false;
    above += strspn(above, " \t");
    mark = strstr(above, "snag: ignore");
    return above[0] == '/' && (above[1] == '/' || above[1] == '*') && mark && mark < text;
}

static bool is_silenced(const struct finding *finding)
{
    size_t length;
    char *text = text_read(finding->file, &length);
    bool silenced =
        text && (line_silences(text, finding->line) ||
                 (finding->made && !finding->made_file && line_silences(text, finding->made)));
    free(text);
    return silenced;
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool is_same(const struct finding *a, const struct finding *b)
{
    if (strcmp(a->file, b->file) != 0 || strcmp(a->function, b->function) != 0 ||
        strcmp(a->maker, b->maker) != 0)
        return false;
    bool same_kind = a->kind == b->kind ||
                     (a->kind <= LOST_RESULT && b->kind <= LOST_RESULT); /* one is more exact */
    bool same_maker = a->made && b->made ? a->made == b->made : same_text(a->variable, b->variable);
    unsigned apart = a->line > b->line ? a->line - b->line : b->line - a->line;
    return same_kind && same_maker && (apart <= NEAR || (a->tools & b->tools) == 0);
}

static void merge(struct finding *known, const struct finding *other)
{
    known->tools |= other->tools;
    if (other->kind == LOST_RESULT)
        known->kind = LOST_RESULT;
    if (!known->variable)
        known->variable = other->variable;
}

void findings_add(struct findings *findings, enum tool tool, struct finding finding)
{
    const struct place *place = findings_place(findings, finding.file, finding.line);
    if (!place && finding.made)
        place = findings_place(findings, finding.file, finding.made);
    if (!place)
        return;
    finding.function = place->function;
    if (finding.made_file && strcmp(finding.made_file, finding.file) == 0)
        finding.made_file = NULL;
    if (finding.made_file)
        finding.variable = NULL; /* it is the name that it has there */
    finding.tools = 1u << tool;
    for (size_t i = 0; i < findings->all.count; i++) {
        struct finding *known = findings->all.items[i];
        if (is_same(known, &finding)) {
            merge(known, &finding);
            return;
        }
    }
    bool is_scoped = finding.variable && list_has_text(place->scoped, finding.variable);
    if ((is_scoped && finding.kind == LEAK) || is_silenced(&finding))
        return;
    struct finding *kept = checked_alloc(sizeof *kept);
    *kept = finding;
    list_add(&findings->all, kept);
}

static int by_place(const void *a, const void *b)
{
    const struct finding *one = *(struct finding *const *)a, *other = *(struct finding *const *)b;
    int order = strcmp(one->file, other->file);
    if (order == 0)
        order = (one->line > other->line) - (one->line < other->line);
    return order ? order : (int)one->kind - (int)other->kind;
}

void findings_sort(struct findings *findings)
{
    if (findings->all.count > 1)
        qsort(findings->all.items, findings->all.count, sizeof(void *), by_place);
}

char *finding_message(const struct finding *finding)
{
    static const char *const endings[KINDS] = { "is not released on this path", "is thrown away",
                                                "is released twice", "is used after its release" };
    const char *ending = endings[finding->kind];
    if (finding->variable && finding->kind != LOST_RESULT)
        return text_format("'%s' from %s() %s", finding->variable, finding->maker, ending);
    return text_format("the result of %s() %s", finding->maker, ending);
}

/* Relative to the working directory where it is below that. */
static const char *shown(const char *path)
{
    static char here[PATH_MAX];
    if (!*here && !getcwd(here, sizeof here))
        return path;
    size_t length = strlen(here);
    return strncmp(path, here, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

/* As a compiler does, in its colours. */
static void print_line(FILE *to, const char *file, unsigned line, enum colour which,
                       const char *severity)
{
    fprintf(to, "%s%s:%u:%s %s%s:%s ", colour(to, COLOUR_BOLD), file, line, colour(to, COLOUR_OFF),
            colour(to, which), severity, colour(to, COLOUR_OFF));
}

void findings_print(const struct findings *findings, FILE *to)
{
    for (size_t i = 0; i < findings->all.count; i++) {
        const struct finding *finding = findings->all.items[i];
        char *message = finding_message(finding);
        const char *file = shown(finding->file);
        print_line(to, file, finding->line, COLOUR_WARNING, "warning");
        fprintf(to, "%s [%s]\n", message, finding_names[finding->kind]);
        if (finding->made && finding->made != finding->line) {
            print_line(to, finding->made_file ? shown(finding->made_file) : file, finding->made,
                       COLOUR_NOTE, "note");
            fputs("it is made here\n", to);
        }
        free(message);
    }
}
