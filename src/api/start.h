/* start.h: a start by libsnag-preload. */
#ifndef SNAG_API_START_H
#define SNAG_API_START_H

#include "api/options.h"

/* snag_start with the settings that VARIABLE tells; the environment is not looked at. Lines go to
 * LOG. */
int start_from(settings_variable *variable, void (*log)(const char *line, void *user));

#endif
