/* sarif.c: the findings as SARIF 2.1.0, for code hosts and editors. */
#include "check/check.h"

#include <snag/snag.h>

#include <json-c/json.h>
#include <string.h>

static const char *const explanations[KINDS] = {
    "What a function made is not released on every path",
    "What a function made is thrown away at once",
    "A resource is released twice on one path",
    "A resource is used on a path on which it was released",
};

static void put(struct json_object *object, const char *name, struct json_object *value)
{
    json_object_object_add(object, name, value);
}

static void put_text(struct json_object *object, const char *name, const char *text)
{
    put(object, name, json_object_new_string(text));
}

static struct json_object *message(const char *text)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "text", text);
    return object;
}

/* A path as a URI: everything but what needs no escape is escaped. */
static struct json_object *uri(const char *path)
{
    static const char plain[] = "/-._~";
    struct json_object *object = json_object_new_object();
    char *text = checked_alloc(3 * strlen(path) + 8), *to = text;
    memcpy(to, "file://", 7);
    for (to += 7; *path; path++) {
        if (is_word_character(*path) || strchr(plain, *path))
            *to++ = *path;
        else
            to += snprintf(to, 4, "%%%02X", (unsigned char)*path);
    }
    *to = 0;
    put_text(object, "uri", text);
    return object;
}

static struct json_object *location(const char *file, unsigned line, const char *function)
{
    struct json_object *object = json_object_new_object(), *physical = json_object_new_object(),
                       *region = json_object_new_object();
    put(region, "startLine", json_object_new_int((int)line));
    put(physical, "artifactLocation", uri(file));
    put(physical, "region", region);
    put(object, "physicalLocation", physical);
    if (function) {
        struct json_object *logical = json_object_new_object(), *list = json_object_new_array();
        put_text(logical, "name", function);
        put_text(logical, "kind", "function");
        json_object_array_add(list, logical);
        put(object, "logicalLocations", list);
    }
    return object;
}

static struct json_object *tools_of(const struct finding *finding)
{
    struct json_object *object = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < TOOLS; i++)
        if (finding->tools & 1u << i)
            json_object_array_add(list, json_object_new_string(tool_names[i]));
    put(object, "foundBy", list);
    return object;
}

static struct json_object *result(const struct finding *finding)
{
    struct json_object *object = json_object_new_object(), *places = json_object_new_array();
    put_text(object, "ruleId", finding_names[finding->kind]);
    put(object, "ruleIndex", json_object_new_int((int)finding->kind));
    put_text(object, "level", "warning");
    put(object, "message", message(finding_message(finding)));
    json_object_array_add(places, location(finding->file, finding->line, finding->function));
    put(object, "locations", places);
    if (finding->made) {
        struct json_object *related = json_object_new_array(),
                           *made = location(finding->made_file ? finding->made_file : finding->file,
                                            finding->made, NULL);
        put(made, "message", message("it is made here"));
        json_object_array_add(related, made);
        put(object, "relatedLocations", related);
    }
    put(object, "properties", tools_of(finding));
    return object;
}

static struct json_object *driver(void)
{
    struct json_object *tool = json_object_new_object(), *object = json_object_new_object(),
                       *rules = json_object_new_array();
    put_text(object, "name", "snag check");
    put_text(object, "version", SNAG_VERSION);
    for (size_t i = 0; i < KINDS; i++) {
        struct json_object *rule = json_object_new_object();
        put_text(rule, "id", finding_names[i]);
        put(rule, "shortDescription", message(explanations[i]));
        json_object_array_add(rules, rule);
    }
    put(object, "rules", rules);
    put(tool, "driver", object);
    return tool;
}

void findings_sarif(const struct findings *findings, FILE *to)
{
    struct json_object *root = json_object_new_object(), *runs = json_object_new_array(),
                       *run = json_object_new_object(), *results = json_object_new_array();
    put_text(root, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    put_text(root, "version", "2.1.0");
    put(run, "tool", driver());
    for (size_t i = 0; i < findings->all.count; i++)
        json_object_array_add(results, result(findings->all.items[i]));
    put(run, "results", results);
    json_object_array_add(runs, run);
    put(root, "runs", runs);
    fprintf(to, "%s\n",
            json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(root);
}
