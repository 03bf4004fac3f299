/* place_words.c: a code address in a sentence; see place_words.h. */
#include "waits/place_words.h"

#include "base/sink.h"
#include "base/stack.h"
#include "modules/modules.h"
#include "symbolize/symbolize.h"

#include <string.h>

void place_write(struct sink *sink, struct symbolizer *symbolizer, uint64_t frame)
{
    const struct location *location = symbolize(symbolizer, frame_lookup(frame));
    const struct source_line *line = &location->lines[0];
    sink_puts(sink, line->function);
    if (location->has_function && !strchr(line->function, '('))
        sink_puts(sink, "()");
    const char *slash = line->file ? strrchr(line->file, '/') : NULL;
    if (line->file && line->line > 0)
        sink_printf(sink, " in %s:%d", slash ? slash + 1 : line->file, line->line);
    else if (location->has_function && location->module)
        sink_printf(sink, " in %s", module_name(location->module));
}
