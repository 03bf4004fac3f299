/* target.h: whom to ask: a service, one of its instances, and the place where that answers. */
#ifndef SNAG_COLLECT_TARGET_H
#define SNAG_COLLECT_TARGET_H

#include "collect/names.h"
#include "collect/place.h"

#include <stddef.h>

struct target {
    char service[NAME_SIZE]; /* its folder */
    char instance[NAME_SIZE];
    char instance_label[256]; /* as it was given: what it is pushed as */
    char part[NAME_SIZE];     /* of the names of its files; "" when the service has one target */
    struct place place;
};

struct target_list {
    struct target *at;
    size_t count;
    size_t room;
};

/* SERVICE NULL: the place is its name, and so with INSTANCE. 0, -ENOMEM, or -EINVAL and WHY. */
int target_add(struct target_list *list, const char *service, const char *instance,
               const char *prefix, const char *place, char *why, size_t size);

/* "[NAME=]TARGET", as on the command line. The same results. */
int target_add_word(struct target_list *list, const char *word, char *why, size_t size);

/* Adds all of FROM. 0 or -ENOMEM. */
int target_add_all(struct target_list *list, const struct target_list *from);

/* Sorts them, drops those that are there twice, and gives each its part of file names: no two of
 * one service share it. */
void target_list_settle(struct target_list *list);

/* By service and place: 0 for the same target. */
int target_compare(const void *left, const void *right);

void target_list_free(struct target_list *list);

#endif
