/* target.c: whom to ask; see target.h. */
#include "collect/target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct target *make_room(struct target_list *list)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct target *more = realloc(list->at, room * sizeof *more);
        if (!more)
            return NULL;
        list->at = more;
        list->room = room;
    }
    return &list->at[list->count];
}

/* "[::1]:6060" as part of a name: the brackets say nothing there. */
static void name_of_place(const struct place *place, char name[NAME_SIZE])
{
    char plain[sizeof place->text];
    size_t length = 0;
    const char *from = place->is_unix ? place->host + (*place->host == '/') : place->text;
    for (; *from; from++)
        if (*from != '[' && *from != ']')
            plain[length++] = *from;
    plain[length] = 0;
    name_make_safe(plain, name);
}

int target_add(struct target_list *list, const char *service, const char *instance,
               const char *prefix, const char *place, char *why, size_t size)
{
    char whole[1024];
    struct target *target = make_room(list);
    if (!target)
        return -ENOMEM;
    prefix = prefix ? prefix : "";
    int length = snprintf(whole, sizeof whole, "%s%s%s", place,
                          *prefix && *prefix != '/' ? "/" : "", prefix);
    if (length >= (int)sizeof whole) {
        snprintf(why, size, "it is too long");
        return -EINVAL;
    }
    memset(target, 0, sizeof *target);
    int status = place_read(whole, &target->place, why, size);
    if (status)
        return status;
    name_of_place(&target->place, target->instance);
    if (service && *service)
        name_make_safe(service, target->service);
    else
        memcpy(target->service, target->instance, sizeof target->service);
    if (instance && *instance)
        name_make_safe(instance, target->instance);
    snprintf(target->instance_label, sizeof target->instance_label, "%.255s",
             instance && *instance ? instance : target->place.text);
    list->count++;
    return 0;
}

int target_add_word(struct target_list *list, const char *word, char *why, size_t size)
{
    char name[256];
    size_t length = strcspn(word, "=/:");
    if (word[length] != '=')
        return target_add(list, NULL, NULL, NULL, word, why, size);
    if (length == 0 || length >= sizeof name) {
        snprintf(why, size, length ? "its name is too long" : "a name is missing before the =");
        return -EINVAL;
    }
    memcpy(name, word, length);
    name[length] = 0;
    return target_add(list, name, NULL, NULL, word + length + 1, why, size);
}

int target_add_all(struct target_list *list, const struct target_list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct target *target = make_room(list);
        if (!target)
            return -ENOMEM;
        *target = from->at[i];
        list->count++;
    }
    return 0;
}

int target_compare(const void *left, const void *right)
{
    const struct target *a = left;
    const struct target *b = right;
    int order = strcmp(a->service, b->service);
    return order ? order : strcmp(a->place.text, b->place.text);
}

static void drop_doubles(struct target_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || target_compare(&list->at[kept - 1], &list->at[i]) != 0)
            list->at[kept++] = list->at[i];
    list->count = kept;
}

static int compare_instances(const void *left, const void *right)
{
    const struct target *a = left;
    const struct target *b = right;
    int order = strcmp(a->instance, b->instance);
    return order ? order : strcmp(a->place.text, b->place.text);
}

/* "-1a2b3c4d", of the place. */
static void add_hash(struct target *target)
{
    snprintf(target->part, sizeof target->part, "%.*s-%08" PRIx32, NAME_MOST - 9, target->instance,
             (uint32_t)name_hash(target->place.text));
}

/* COUNT targets of one service. */
static void give_parts(struct target *at, size_t count)
{
    if (count < 2)
        return;
    qsort(at, count, sizeof *at, compare_instances);
    for (size_t i = 0; i < count; i++) {
        bool is_shared = (i > 0 && strcmp(at[i - 1].instance, at[i].instance) == 0) ||
                         (i + 1 < count && strcmp(at[i + 1].instance, at[i].instance) == 0);
        if (is_shared)
            add_hash(&at[i]);
        else
            memcpy(at[i].part, at[i].instance, sizeof at[i].part);
    }
    qsort(at, count, sizeof *at, target_compare);
}

void target_list_settle(struct target_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->at, list->count, sizeof *list->at, target_compare);
    drop_doubles(list);
    for (size_t first = 0, next; first < list->count; first = next) {
        next = first + 1;
        while (next < list->count && strcmp(list->at[first].service, list->at[next].service) == 0)
            next++;
        give_parts(list->at + first, next - first);
    }
}

void target_list_free(struct target_list *list)
{
    free(list->at);
    *list = (struct target_list){ .at = NULL };
}
