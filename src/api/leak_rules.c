/* leak_rules.c: options and environment of a leak check; see leak_rules.h.
 *
 * Each list has a variable, whose pieces are added to the option's. */
#include "api/leak_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 20
#define ATTEMPTS_MAX 100000
#define ALL (SNAG_LEAK_THREADS | SNAG_LEAK_FDS | SNAG_LEAK_HANDLES)

static const char *const variables[LEAK_LISTS] = {
    [LEAK_TOP] = "SNAG_LEAK_IGNORE_TOP",
    [LEAK_ANY] = "SNAG_LEAK_IGNORE_ANY",
    [LEAK_CREATED_BY] = "SNAG_LEAK_IGNORE_CREATED_BY",
    [LEAK_THREAD_NAMES] = "SNAG_LEAK_IGNORE_THREADS",
    [LEAK_TARGETS] = "SNAG_LEAK_IGNORE_TARGETS",
    [LEAK_INVENTORIES] = "SNAG_LEAK_IGNORE_INVENTORIES",
};

static size_t count_of(const char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

static size_t pieces_in(const char *text)
{
    size_t count = 1;
    for (; *text; text++)
        count += *text == ';';
    return count;
}

/* OWN and the pieces of variable WHICH, as one list. */
static bool join(struct leak_rules *rules, enum leak_list which, const char *const *own)
{
    const char *text = getenv(variables[which]);
    size_t count = count_of(own);
    const char **list = calloc(count + (text ? pieces_in(text) : 0) + 1, sizeof *list);
    rules->texts[which] = text ? strdup(text) : NULL;
    rules->ignore[which] = list;
    if (!list || (text && !rules->texts[which]))
        return false;
    for (size_t i = 0; i < count; i++)
        list[i] = own[i];
    char *rest = rules->texts[which];
    for (char *piece; (piece = strsep(&rest, ";")) != NULL;)
        if (*piece)
            list[count++] = piece;
    rules->any |= count > 0;
    return true;
}

static int check(const snag_leak_options *options, char *error, size_t size)
{
    if (options->size < sizeof options->size || options->size > 4096) {
        snprintf(error, size, "snag_leak_options.size is %zu: begin with SNAG_LEAK_OPTIONS_INIT",
                 options->size);
        return -EINVAL;
    }
    return 0;
}

static int check_values(const snag_leak_options *options, char *error, size_t size)
{
    if (options->what & ~ALL) {
        snprintf(error, size,
                 "snag_leak_options.what is 0x%x: SNAG_LEAK_THREADS, SNAG_LEAK_FDS "
                 "and SNAG_LEAK_HANDLES are allowed",
                 options->what);
        return -EINVAL;
    }
    if (options->attempts > ATTEMPTS_MAX) {
        snprintf(error, size, "snag_leak_options.attempts is %u: 1 to %d are allowed, 0 for %d",
                 options->attempts, ATTEMPTS_MAX, ATTEMPTS);
        return -EINVAL;
    }
    return 0;
}

int leak_rules_read(const snag_leak_options *options, struct leak_rules *rules, char *error,
                    size_t size)
{
    snag_leak_options own = SNAG_LEAK_OPTIONS_INIT;
    *rules = (struct leak_rules){ 0 };
    int status = options ? check(options, error, size) : 0;
    if (status)
        return status;
    if (options) /* of an older or newer version: what both know */
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    status = check_values(&own, error, size);
    if (status)
        return status;
    rules->what = own.what ? own.what : ALL;
    rules->attempts = own.attempts ? own.attempts : ATTEMPTS;
    const char *const *const lists[LEAK_LISTS] = {
        [LEAK_TOP] = own.ignore_top,
        [LEAK_ANY] = own.ignore_any,
        [LEAK_CREATED_BY] = own.ignore_created_by,
        [LEAK_THREAD_NAMES] = own.ignore_threads,
        [LEAK_TARGETS] = own.ignore_targets,
        [LEAK_INVENTORIES] = own.ignore_inventories,
    };
    for (int i = 0; i < LEAK_LISTS; i++)
        if (!join(rules, (enum leak_list)i, lists[i])) {
            leak_rules_free(rules);
            return -ENOMEM;
        }
    return 0;
}

void leak_rules_free(struct leak_rules *rules)
{
    for (int i = 0; i < LEAK_LISTS; i++) {
        free((void *)rules->ignore[i]);
        free(rules->texts[i]);
    }
}
