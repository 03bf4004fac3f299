/* module_list.h: a module added to the table. Private to modules/. */
#ifndef SNAG_MODULES_MODULE_LIST_H
#define SNAG_MODULES_MODULE_LIST_H

#include <stdbool.h>

struct module;
struct modules;

/* Takes MODULE over and gives it its id; false without memory. */
bool module_list_add(struct modules *modules, struct module *module);

#endif
