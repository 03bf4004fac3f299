/* gcc.c: gcc's static analyzer (-fanalyzer) on its model of a file.
 *
 * Pointers are followed by the malloc attribute, which names for each maker those who release.
 * Numbers are left as they are written: gcc 13 and later know the descriptors of the C library by
 * themselves. It prints JSON, with places as the line markers say. */
#include "check/check.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

void gcc_start(struct check *check, struct work *work, struct list *jobs)
{
    static const char *const arguments[] = { "gcc",
                                             "-fanalyzer",
                                             "-fdiagnostics-format=json",
                                             "-Wno-analyzer-too-complex",
                                             "-Wno-analyzer-possible-null-dereference",
                                             "-O0",
                                             "-S",
                                             "-o",
                                             "/dev/null",
                                             "-x",
                                             "cpp-output" };
    (void)check;
    struct job *job =
        job_new(jobs, work->compilation->directory, NULL, text_format("%s.gcc.json", work->stem));
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        job_argument(job, arguments[i]);
    if (work->compilation->standard)
        job_argument(job, work->compilation->standard);
    job_argument(job, text_format("%s.gcc-model.i", work->stem));
    work->jobs[TOOL_GCC] = job;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return object && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static const char *text_of(struct json_object *object, const char *name)
{
    const char *text = json_object_get_string(member(object, name));
    return text ? text : "";
}

static bool kind_of(const char *option, enum finding_kind *kind)
{
    static const struct {
        const char *option;
        enum finding_kind kind;
    } kinds[] = {
        { "-Wanalyzer-malloc-leak", LEAK },
        { "-Wanalyzer-file-leak", LEAK },
        { "-Wanalyzer-fd-leak", LEAK },
        { "-Wanalyzer-double-free", DOUBLE_RELEASE },
        { "-Wanalyzer-double-fclose", DOUBLE_RELEASE },
        { "-Wanalyzer-fd-double-close", DOUBLE_RELEASE },
        { "-Wanalyzer-use-after-free", USE_AFTER_RELEASE },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(option, kinds[i].option) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

/* What is between the quotes of "leak of 'file'"; NULL: nothing, or nothing with a name. */
static const char *quoted(const char *message)
{
    const char *open = strstr(message, "of '");
    const char *close = open ? strchr(open + 4, '\'') : NULL;
    return close && open[4] != '<' ? text_copy(open + 4, (size_t)(close - open - 4)) : NULL;
}

static const struct site *site_on(const struct work *work, struct json_object *event)
{
    const struct list *sites = &work->models[FOR_GCC].sites;
    struct json_object *location = member(event, "location");
    size_t line = (size_t)json_object_get_int64(member(location, "line"));
    size_t number = (line - MODEL_SITES) / MODEL_SITE_LINES;
    bool is_one = strstr(text_of(event, "description"), "allocated here") && line >= MODEL_SITES &&
                  strcmp(text_of(location, "file"), "<snag>") == 0 && number < sites->count;
    return is_one ? sites->items[number] : NULL;
}

/* What was made on the path. When it is lost in FUNCTION, which its owner calls, CALL is the
 * owner's line of that call; else 0. (The place may be in a called function though the event is
 * not.) */
static const struct site *read_path(const struct work *work, struct json_object *diagnostic,
                                    const char *function, unsigned *call)
{
    struct json_object *path = member(diagnostic, "path");
    size_t events = path ? json_object_array_length(path) : 0;
    const struct site *site = NULL;
    int owner = 0, depth = 0;
    unsigned line = 0;
    bool is_elsewhere = false;
    for (size_t i = 0; i < events; i++) {
        struct json_object *event = json_object_array_get_idx(path, i);
        const struct site *made = site_on(work, event);
        depth = json_object_get_int(member(event, "depth"));
        if (made) {
            site = made;
            owner = depth - 1; /* it is made one call below */
        } else if (site && depth <= owner) {
            owner = depth; /* returned to a caller, who owns it now */
            is_elsewhere = strcmp(text_of(event, "function"), function) != 0;
            if (i + 1 < events || !is_elsewhere)
                line = (unsigned)json_object_get_int(member(member(event, "location"), "line"));
        }
    }
    *call = site && (depth > owner || is_elsewhere) ? line : 0;
    return site;
}

/* It loses elements of arrays in loops, and members behind a call that might change them; a member
 * is lost when what it is a member of is freed. */
static bool is_believed(const struct finding *finding, const struct site *site)
{
    const char *member = strstr(finding->variable, "->");
    size_t length;
    if (strpbrk(finding->variable, "[."))
        return false;
    if (!member)
        return true;
    char *call = text_format("free(%.*s)", (int)(member - finding->variable), finding->variable);
    char *text = text_read(finding->file, &length), *line = text;
    bool freed = false;
    for (unsigned number = 1; line && number <= finding->line + 1; number++) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        const char *at = text_find_word(line, "free");
        freed |= number >= site->line && at && strncmp(at, call, strlen(call)) == 0;
        line = next;
    }
    free(text);
    free(call);
    return freed;
}

static void read_diagnostic(struct check *check, struct work *work, struct json_object *diagnostic)
{
    struct finding finding = { .kind = LEAK };
    struct json_object *locations = member(diagnostic, "locations");
    if (!kind_of(text_of(diagnostic, "option"), &finding.kind) || !locations ||
        json_object_array_length(locations) == 0)
        return;
    struct json_object *caret = member(json_object_array_get_idx(locations, 0), "caret");
    finding.file = check_path(work, text_of(caret, "file"));
    finding.line = (unsigned)json_object_get_int(member(caret, "line"));
    finding.variable = quoted(text_of(diagnostic, "message"));
    unsigned call;
    const struct place *place = findings_place(&check->findings, finding.file, finding.line);
    const struct site *site = read_path(work, diagnostic, place ? place->function : "", &call);
    if (call && finding.kind == LEAK)
        finding.line = call;
    if (!site && finding.variable)
        site = check_site(check, work, finding.file, finding.line, finding.variable);
    if (!site)
        return;
    if (site->variable)
        finding.variable = site->variable;
    if (finding.variable && strncmp(finding.variable, "__snag", 6) == 0)
        finding.variable = NULL;
    if (finding.kind == LEAK && finding.variable && !is_believed(&finding, site))
        return;
    finding.maker = site->resource->maker;
    finding.made = site->line;
    finding.made_file = check_path(work, site->file);
    if (finding.kind == LEAK && site->lost) {
        finding.kind = LOST_RESULT;
        finding.line = site->line;
    }
    findings_add(&check->findings, TOOL_GCC, finding);
}

void gcc_read(struct check *check, struct work *work)
{
    size_t length;
    if (work->jobs[TOOL_GCC]->late)
        return;
    char *text = text_read(text_format("%s.gcc.json", work->stem), &length);
    char *begin = text ? strchr(text, '[') : NULL;
    struct json_object *root = begin ? json_tokener_parse(begin) : NULL;
    if (root && json_object_is_type(root, json_type_array))
        for (size_t i = 0; i < json_object_array_length(root); i++)
            read_diagnostic(check, work, json_object_array_get_idx(root, i));
    json_object_put(root);
    free(text);
}
