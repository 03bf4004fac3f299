/* track_look.c: the engine's reader of tracking, in a test; see track_look.h. */
#include "track_look.h"

#include "base/stack.h"
#include "modules/modules.h"
#include "symbolize/symbolize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void track_look_open(struct track_look *look)
{
    if (target_open(&look->target, 0) == 0) {
        look->modules = modules_new(&look->target);
        look->symbolizer = symbolizer_new(&look->target, look->modules);
        look->tracking = tracking_new(&look->target, look->modules);
        if (look->modules && look->symbolizer && look->tracking)
            return;
    }
    fprintf(stderr, "the reader cannot be opened\n");
    exit(2);
}

void track_look_close(struct track_look *look)
{
    tracking_free(look->tracking);
    symbolizer_free(look->symbolizer);
    modules_free(look->modules);
    target_close(&look->target);
}

bool track_look_again(struct track_look *look)
{
    return modules_refresh(look->modules) == 0 && tracking_refresh(look->tracking);
}

static const char *function_at(struct track_look *look, uint64_t frame)
{
    const struct location *location = symbolize(look->symbolizer, frame_lookup(frame));
    return location->lines[location->line_count - 1].function;
}

const char *track_function(struct track_look *look, const struct origin *origin)
{
    return origin->frame_count > 0 ? function_at(look, origin->frames[0]) : "";
}

bool track_has_function(struct track_look *look, const struct origin *origin, const char *name)
{
    size_t length = strcspn(name, "*");
    for (size_t i = 0; i < origin->frame_count; i++) {
        const char *function = function_at(look, origin->frames[i]);
        if (strncmp(function, name, length) == 0 && (name[length] == '*' || !function[length]))
            return true;
    }
    return false;
}
