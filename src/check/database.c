/* database.c: compile_commands.json: which files, by which options.
 *
 * Kept of a command line is what decides what the source means: macros, include
 * directories, the standard, the word size. Warnings and code generation are not ours. */
#include "check/check.h"
#include "tool/command.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Their value may follow as the next argument. */
static const char *const with_value[] = { "-D",        "-U",         "-I",       "-isystem",
                                          "-iquote",   "-idirafter", "-include", "-imacros",
                                          "-isysroot", "--sysroot" };
static const char *const alone[] = {
    "-m32",      "-m64",          "-mx32",           "-ansi",        "-pthread",
    "-nostdinc", "-fshort-enums", "-funsigned-char", "-fsigned-char"
};

/* The next word of a shell command line; NULL at its end. */
static char *next_word(const char **at)
{
    const char *from = *at;
    char quote = 0;
    while (*from == ' ' || *from == '\t' || *from == '\n')
        from++;
    if (!*from)
        return NULL;
    char *word = checked_alloc(strlen(from) + 1), *to = word;
    for (; *from && (quote || (*from != ' ' && *from != '\t' && *from != '\n')); from++) {
        if (quote ? *from == quote : (*from == '\'' || *from == '"'))
            quote = quote ? 0 : *from;
        else if (*from == '\\' && quote != '\'' && from[1])
            *to++ = *++from;
        else
            *to++ = *from;
    }
    *at = from;
    return word;
}

static struct list words_of(struct json_object *entry)
{
    struct list words = { .count = 0 };
    struct json_object *value;
    if (json_object_object_get_ex(entry, "arguments", &value)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            const char *text = json_object_get_string(json_object_array_get_idx(value, i));
            list_add(&words, text_copy(text, strlen(text)));
        }
    } else if (json_object_object_get_ex(entry, "command", &value)) {
        const char *at = json_object_get_string(value);
        for (char *word; (word = next_word(&at));)
            list_add(&words, word);
    }
    return words;
}

static void keep_option(struct compilation *compilation, const struct list *words, size_t *at)
{
    const char *word = words->items[*at];
    if (strncmp(word, "-std=", 5) == 0) {
        compilation->standard = word;
        list_add(&compilation->options, words->items[*at]);
        return;
    }
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (strcmp(word, alone[i]) == 0) {
            list_add(&compilation->options, words->items[*at]);
            return;
        }
    for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++) {
        size_t length = strlen(with_value[i]);
        if (strncmp(word, with_value[i], length) != 0)
            continue;
        list_add(&compilation->options, words->items[*at]);
        if (!word[length] && *at + 1 < words->count)
            list_add(&compilation->options, words->items[++*at]);
        return;
    }
}

static const char *string_of(struct json_object *entry, const char *name)
{
    struct json_object *value;
    if (!json_object_object_get_ex(entry, name, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return text_copy(text, strlen(text));
}

static bool is_compiled(const struct list *compilations, const char *file)
{
    for (size_t i = 0; i < compilations->count; i++)
        if (strcmp(((struct compilation *)compilations->items[i])->file, file) == 0)
            return true;
    return false;
}

static bool is_c(const char *file)
{
    size_t length = strlen(file);
    return length > 2 && strcmp(file + length - 2, ".c") == 0;
}

/* A file that is compiled several times counts by its first command. */
static void add(struct list *compilations, struct json_object *entry, size_t *skipped)
{
    const char *file = string_of(entry, "file"), *directory = string_of(entry, "directory");
    char resolved[PATH_MAX];
    if (!file || !directory)
        return;
    if (*file != '/')
        file = text_format("%s/%s", directory, file);
    if (realpath(file, resolved))
        file = text_copy(resolved, strlen(resolved));
    if (!is_c(file)) {
        ++*skipped;
        return;
    }
    if (is_compiled(compilations, file))
        return;
    struct compilation *compilation = checked_alloc(sizeof *compilation);
    compilation->file = file;
    compilation->directory = directory;
    struct list words = words_of(entry);
    for (size_t i = 1; i < words.count; i++)
        keep_option(compilation, &words, &i);
    list_add(compilations, compilation);
}

bool database_read(const char *build, struct list *compilations, size_t *skipped)
{
    char *path = text_format("%s/compile_commands.json", build);
    size_t length;
    char *text = text_read(path, &length);
    if (!text) {
        complain("check",
                 "cannot read '%s': %s (CMake writes it with "
                 "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON, make with bear)",
                 path, strerror(errno));
        return false;
    }
    struct json_object *root = json_tokener_parse(text);
    free(text);
    if (!root || !json_object_is_type(root, json_type_array)) {
        complain("check", "'%s' is not a compilation database", path);
        json_object_put(root);
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(root); i++)
        add(compilations, json_object_array_get_idx(root, i), skipped);
    json_object_put(root);
    return true;
}
