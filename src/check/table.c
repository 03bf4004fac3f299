/* table.c: the table of who makes and who releases, read from text.
 *
 * The form is described at the head of src/check/resources.txt. The shipped table comes first, then
 * the project's own file, then what its headers say: a later row of the same maker replaces an
 * earlier one, except that annotations add up (each names one way to release). */
#include "check/check.h"
#include "tool/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const failures[] = { "NULL", "-1", "MAP_FAILED", "nonzero", "negative", "zero" };

/* "NAME:ARGUMENT"; the argument is from 1 to 99. */
static bool read_releaser(const char *text, struct releaser *releaser)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text)
        return false;
    releaser->name = text_copy(text, (size_t)(colon - text));
    releaser->argument = atoi(colon + 1);
    return releaser->argument > 0 && releaser->argument < 100;
}

static bool read_where(const char *text, struct resource *row)
{
    row->count = 1;
    if (strncmp(text, "int", 3) == 0 && (text[3] == '@' || text[3] == '[')) {
        row->is_number = true;
        if (text[3] == '[')
            row->count = atoi(text + 4);
        text = strchr(text, '@');
        if (!text || row->count < 1 || row->count > 2)
            return false;
        text++;
    }
    if (strcmp(text, "return") == 0)
        return row->count == 1;
    row->where = BY_ARGUMENT;
    if (strncmp(text, "object@", 7) == 0 && !row->is_number) {
        row->where = BY_OBJECT;
        text += 7;
    }
    if (strncmp(text, "arg", 3) != 0)
        return false;
    row->argument = atoi(text + 3);
    return row->argument > 0 && row->argument < 100;
}

static bool read_fails(const char *text, struct resource *row)
{
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (strcmp(failures[i], text) == 0) {
            row->fails = (enum fails)i;
            bool by_value = row->fails <= FAILS_MAP_FAILED;
            return by_value == (row->where == BY_RETURN) &&
                   row->is_number ==
                       (row->fails == FAILS_MINUS_ONE || (!by_value && row->is_number));
        }
    return false;
}

static bool read_releasers(char *text, struct resource *row)
{
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
        if (row->releaser_count == RELEASERS_MAX ||
            !read_releaser(one, &row->releasers[row->releaser_count++]))
            return false;
    return row->releaser_count > 0;
}

static bool read_option(const char *text, struct resource *row)
{
    if (strncmp(text, "takes=", 6) == 0 || strncmp(text, "eats=", 5) == 0) {
        row->takes_always = *text == 'e';
        text = strchr(text, '=') + 1;
        row->takes_number = strncmp(text, "int@", 4) == 0;
        row->takes = atoi(text + (row->takes_number ? 4 : 0));
        return row->takes > 0;
    }
    const char *colon = strchr(text, ':');
    if (strncmp(text, "when=", 5) != 0 || !colon)
        return false;
    row->when_argument = atoi(text + 5);
    row->when_value = text_copy(colon + 1, strlen(colon + 1));
    return row->when_argument > 0;
}

/* What is wrong, or NULL. */
static const char *read_maker(struct table *table, char **rest)
{
    struct resource *row = checked_alloc(sizeof *row);
    char *words[4];
    for (size_t i = 0; i < 4; i++)
        if (!(words[i] = strtok_r(NULL, " \t", rest)))
            return "make wants FUNCTION WHERE FAILS RELEASER:ARGUMENT";
    row->maker = text_copy(words[0], strlen(words[0]));
    if (!read_where(words[1], row))
        return "WHERE is return, int@return, argN, int@argN, int[2]@argN or object@argN";
    if (!read_fails(words[2], row))
        return "FAILS is NULL or MAP_FAILED for return, -1 for int@return, and for arguments "
               "nonzero, "
               "negative or zero";
    if (!read_releasers(words[3], row))
        return "RELEASER:ARGUMENT[,...] wants a function and the number of its argument";
    for (char *word; (word = strtok_r(NULL, " \t", rest));)
        if (!read_option(word, row))
            return "what may follow is takes= or eats=[int@]ARGUMENT and when=ARGUMENT:VALUE";
    list_add(&table->resources, row);
    return NULL;
}

static const char *read_words(struct list *list, char **rest, bool is_releaser)
{
    size_t before = list->count;
    for (char *word; (word = strtok_r(NULL, " \t", rest));) {
        struct releaser *releaser = checked_alloc(sizeof *releaser);
        if (is_releaser && !read_releaser(word, releaser))
            return "take and keep want FUNCTION:ARGUMENT";
        list_add(list, is_releaser ? (void *)releaser : (void *)text_copy(word, strlen(word)));
    }
    return list->count > before ? NULL : "nothing is named";
}

static const char *read_line(struct table *table, char *line)
{
    char *rest = NULL;
    char *kind = strtok_r(line, " \t", &rest);
    if (!kind || *kind == '#')
        return NULL;
    if (strcmp(kind, "make") == 0)
        return read_maker(table, &rest);
    if (strcmp(kind, "take") == 0)
        return read_words(&table->takes, &rest, true);
    if (strcmp(kind, "keep") == 0)
        return read_words(&table->keeps, &rest, true);
    if (strcmp(kind, "borrow") == 0)
        return read_words(&table->borrows, &rest, false);
    if (strcmp(kind, "end") == 0)
        return read_words(&table->ends, &rest, false);
    return "a line begins with make, take, keep, borrow or end";
}

bool table_read(struct table *table, const char *path)
{
    size_t length;
    unsigned number = 0;
    char *text = text_read(path, &length);
    if (!text) {
        complain("check", "cannot read '%s': %s", path, strerror(errno));
        return false;
    }
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line[strcspn(line, "\r#")] = 0;
        const char *wrong = read_line(table, line);
        number++;
        if (wrong) {
            complain("check", "%s:%u: %s", path, number, wrong);
            free(text);
            return false;
        }
    }
    free(text);
    return true;
}

static struct resource *find(const struct table *table, const char *name)
{
    for (size_t i = table->resources.count; i > 0; i--) {
        struct resource *row = table->resources.items[i - 1];
        if (strcmp(row->maker, name) == 0)
            return row;
    }
    return NULL;
}

void table_annotate(struct table *table, const char *maker, bool is_number, const char *releaser,
                    int argument)
{
    struct resource *row = find(table, maker);
    if (!row || !row->annotated) {
        row = checked_alloc(sizeof *row);
        row->maker = maker;
        row->count = 1;
        row->is_number = is_number;
        row->fails = is_number ? FAILS_MINUS_ONE : FAILS_NULL;
        row->annotated = true;
        list_add(&table->resources, row);
    }
    for (int i = 0; i < row->releaser_count; i++)
        if (strcmp(row->releasers[i].name, releaser) == 0)
            return;
    if (row->releaser_count < RELEASERS_MAX)
        row->releasers[row->releaser_count++] =
            (struct releaser){ .name = releaser, .argument = argument };
}

const struct resource *table_maker(const struct table *table, const char *name)
{
    return find(table, name);
}

const struct resource *table_releaser(const struct table *table, const char *name, int *argument)
{
    for (size_t i = table->resources.count; i > 0; i--) {
        const struct resource *row = table->resources.items[i - 1];
        for (int j = 0; j < row->releaser_count; j++)
            if (strcmp(row->releasers[j].name, name) == 0) {
                *argument = row->releasers[j].argument;
                return row;
            }
    }
    return NULL;
}

bool table_taken(const struct table *table, const char *name, int argument)
{
    for (size_t i = 0; i < table->takes.count; i++) {
        const struct releaser *one = table->takes.items[i];
        if (one->argument == argument && strcmp(one->name, name) == 0)
            return true;
    }
    return false;
}

int table_kept(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->keeps.count; i++) {
        const struct releaser *one = table->keeps.items[i];
        if (strcmp(one->name, name) == 0)
            return one->argument;
    }
    return 0;
}

static bool any_matches(const struct list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (text_matches(patterns->items[i], name))
            return true;
    return false;
}

bool table_borrows(const struct table *table, const char *name)
{
    return any_matches(&table->borrows, name);
}

bool table_ends(const struct table *table, const char *name)
{
    return any_matches(&table->ends, name);
}
