/* clang.c: clang's static analyzer on the model of a file.
 *
 * Two of its checkers follow what the model makes: unix.Malloc pointers, fuchsia.HandleChecker
 * numbers. It walks the paths of each function, into the functions it calls as far as they are in
 * the file, and knows what conditions hold on a path. What it found says the place and the events
 * before it by lines of the model, which are looked up in its line markers. */
#include "check/check.h"
#include "tool/command.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 32

/* A line of the model. */
struct line {
    const char *text;
    const char *file; /* where it is from */
    unsigned number;
};

struct answer {
    struct check *check;
    struct work *work;
    struct line *lines;
    size_t line_count;
};

void clang_start(struct check *check, struct work *work, struct list *jobs)
{
    static const char *const arguments[] = {
        "clang",
        "-cc1",
        "-analyze",
        "-w",
        "-ferror-limit",
        "1",
        "-analyzer-checker=core,unix.DynamicMemoryModeling,unix.Malloc,fuchsia.HandleChecker",
        "-analyzer-config",
        "unix.DynamicMemoryModeling:Optimistic=true",
        "-analyzer-inlining-mode=all",
        "-analyzer-max-loop",
        "5",
        "-analyzer-output=sarif",
        "-fblocks",
        "-x",
        "cpp-output"
    };
    (void)check;
    char *errors = text_format("%s.clang.err", work->stem);
    struct job *job = job_new(jobs, work->compilation->directory, NULL, errors);
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        job_argument(job, arguments[i]);
    if (work->compilation->standard)
        job_argument(job, work->compilation->standard);
    job_argument(job, "-o");
    job_argument(job, text_format("%s.clang.sarif", work->stem));
    job_argument(job, text_format("%s.clang-model.i", work->stem));
    work->jobs[TOOL_CLANG] = job;
}

/* Where each line of the model is from. */
static void map_lines(struct answer *answer, char *text)
{
    const char *file = "";
    unsigned number = 1;
    size_t room = 0;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (answer->line_count == room)
            answer->lines =
                checked_grow(answer->lines, (room = 2 * room + 4096) * sizeof *answer->lines);
        answer->lines[answer->line_count++] = (struct line){ line, file, number++ };
        char *after;
        unsigned long marked = *line == '#' ? strtoul(line + 1, &after, 10) : 0;
        if (*line != '#' || after[0] != ' ' || after[1] != '"')
            continue;
        char *end = strchr(after + 2, '"');
        if (!end)
            continue;
        file = text_copy(after + 2, (size_t)(end - after - 2));
        number = (unsigned)marked;
    }
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return object && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static struct json_object *item(struct json_object *array, size_t i)
{
    return array && json_object_is_type(array, json_type_array) &&
                   i < json_object_array_length(array)
               ? json_object_array_get_idx(array, i)
               : NULL;
}

static const char *message_of(struct json_object *object)
{
    const char *text = json_object_get_string(member(member(object, "message"), "text"));
    return text ? text : "";
}

static const struct line *line_of(const struct answer *answer, struct json_object *location,
                                  size_t *column)
{
    struct json_object *region = member(member(location, "physicalLocation"), "region");
    int64_t number = json_object_get_int64(member(region, "startLine"));
    *column = (size_t)json_object_get_int64(member(region, "startColumn"));
    return number > 0 && (size_t)number <= answer->line_count ? &answer->lines[number - 1] : NULL;
}

static bool is_ours(const struct line *line)
{
    return strcmp(line->file, "<snag>") == 0;
}

/* The site whose making is written on the line, at or behind the column; -1: none. */
static long site_number(const struct line *line, size_t column)
{
    static const char *const makers[] = { "__snag_ptr_", "__snag_fd_", "__snag_made_" };
    const char *from = line->text;
    if (!is_ours(line) && column > 0 && column <= strlen(from))
        from += column - 1;
    const char *found = NULL;
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        const char *at = strstr(from, makers[i]);
        if (at && (!found || at < found))
            found = at;
    }
    return found ? atol(strpbrk(found, "0123456789")) : -1;
}

/* What the events before a finding say. */
struct path {
    const struct site *site;     /* what was made last */
    const struct line *last;     /* the last place in the project's own source */
    const struct line *furthest; /* behind the making of it, the lowest line */
    const struct line *call;     /* where its owner called what lost it; NULL: it did itself */
};

static struct path read_path(const struct answer *answer, struct json_object *result)
{
    struct json_object *flow = item(member(item(member(result, "codeFlows"), 0), "threadFlows"), 0);
    struct json_object *events = member(flow, "locations"), *event;
    const struct list *sites = &answer->work->models[FOR_CLANG].sites;
    struct path path = { .site = NULL };
    const struct line *calls[CALLS_MAX] = { NULL };
    size_t count = 0, depth = 0, owner = 0;
    while (item(events, count))
        count++;
    for (size_t i = 0; (event = item(events, i)); i++) {
        struct json_object *location = member(event, "location");
        size_t column;
        const struct line *line = line_of(answer, location, &column);
        if (!line)
            continue;
        long number = strstr(message_of(location), "allocated") ? site_number(line, column) : -1;
        if (number >= 0 && (size_t)number < sites->count) {
            path.site = sites->items[number];
            path.furthest = NULL;
            owner = is_ours(line) && depth > 0 ? depth - 1 : depth;
        }
        if (strncmp(message_of(location), "Calling ", 8) == 0 && depth < CALLS_MAX)
            calls[depth++] = line;
        else if (strncmp(message_of(location), "Returning ", 10) == 0 && depth > 0)
            depth--;
        if (depth < owner)
            owner = depth; /* returned to a caller, who owns it now */
        if (is_ours(line))
            continue;
        path.last = line;
        if (i + 1 < count && path.site && line->number > path.site->line &&
            strcmp(line->file, path.site->file) == 0 &&
            (!path.furthest || line->number > path.furthest->number))
            path.furthest = line;
    }
    path.call = depth > owner ? calls[owner] : NULL;
    return path;
}

static bool kind_of(const char *message, enum finding_kind *kind)
{
    static const struct {
        const char *begins;
        enum finding_kind kind;
    } kinds[] = {
        { "Potential leak of", LEAK },
        { "Potential memory leak", LEAK },
        { "Attempt to free released memory", DOUBLE_RELEASE },
        { "Releasing a previously released handle", DOUBLE_RELEASE },
        { "Use of memory after it is freed", USE_AFTER_RELEASE },
        { "Using a previously released handle", USE_AFTER_RELEASE },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(message, kinds[i].begins, strlen(kinds[i].begins)) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

static bool is_same_function(const struct answer *answer, const struct line *line,
                             const struct site *site)
{
    const struct place *place = findings_place(&answer->check->findings,
                                               check_path(answer->work, line->file), line->number);
    return place && strcmp(place->function, site->function) == 0;
}

static void read_result(struct answer *answer, struct json_object *result)
{
    struct finding finding = { .kind = LEAK };
    size_t column;
    const struct line *line = line_of(answer, item(member(result, "locations"), 0), &column);
    struct path path = read_path(answer, result);
    const struct site *site = path.site;
    if (!site || !line || !kind_of(message_of(result), &finding.kind))
        return;
    if (finding.kind == LEAK && path.call)
        line = path.call;
    if (is_ours(line))
        line = path.last;
    if (!line)
        return;
    /* Lost on the way back to the head of a loop: it is seen when the next one is made. */
    if (finding.kind == LEAK && path.furthest && line->number <= site->line &&
        is_same_function(answer, line, site))
        line = path.furthest;
    finding.maker = site->resource->maker;
    finding.variable = site->variable;
    finding.made = site->line;
    finding.made_file = check_path(answer->work, site->file);
    finding.file = check_path(answer->work, line->file);
    finding.line = line->number;
    if (finding.kind == LEAK && site->lost) {
        finding.kind = LOST_RESULT;
        finding.line = site->line;
    }
    findings_add(&answer->check->findings, TOOL_CLANG, finding);
}

/* Its first complaint, for who wants to know why there is no answer. */
static void tell_error(const struct work *work)
{
    size_t length;
    char *errors = text_read(text_format("%s.clang.err", work->stem), &length);
    if (errors)
        errors[strcspn(errors, "\n")] = 0;
    complain("check", "clang could not read %s%s%s", work->compilation->file,
             errors && *errors ? ": " : "", errors ? errors : "");
    free(errors);
}

void clang_read(struct check *check, struct work *work)
{
    struct answer answer = { .check = check, .work = work };
    size_t length;
    if (work->jobs[TOOL_CLANG]->late)
        return;
    struct json_object *root = json_object_from_file(text_format("%s.clang.sarif", work->stem));
    if (work->jobs[TOOL_CLANG]->status != 0 || !root) {
        tell_error(work);
        json_object_put(root);
        return;
    }
    struct json_object *results = member(item(member(root, "runs"), 0), "results"), *result;
    char *text =
        item(results, 0) ? text_read(text_format("%s.clang-model.i", work->stem), &length) : NULL;
    if (text)
        map_lines(&answer, text);
    for (size_t i = 0; text && (result = item(results, i)); i++)
        read_result(&answer, result);
    free(text);
    free(answer.lines);
    json_object_put(root);
}
