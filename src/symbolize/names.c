/* names.c: names as a person reads them; see names.h.
 *
 * The demangler is libiberty's, the one of binutils and gdb, so names read as
 * there. Its callback form allocates nothing but stack, and that within bounds:
 * it refuses names of too many parts by itself. Without it at build time names stay
 * mangled, and pprof demangles them. */
#include "symbolize/names.h"

#include "base/arena.h"
#include "base/sink.h"

#include <string.h>

#ifdef SNAG_HAVE_LIBIBERTY
#include <demangle.h>
#endif

bool name_is_mangled(const char *symbol)
{
    return symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R');
}

#ifdef SNAG_HAVE_LIBIBERTY

#define MANGLED_MAX ((size_t)16 << 10) /* what is longer is left as it is */

static void append(const char *text, size_t length, void *opaque)
{
    sink_write(opaque, text, length);
}

static bool demangle(const char *symbol, struct sink *sink)
{
    const int options = DMGL_PARAMS | DMGL_ANSI;
    return rust_demangle_callback(symbol, options, append, sink) ||
           cplus_demangle_v3_callback(symbol, options, append, sink);
}

const char *name_demangled(struct arena *arena, const char *symbol)
{
    if (!name_is_mangled(symbol) || strlen(symbol) > MANGLED_MAX)
        return symbol;
    struct sink_buffer buffer;
    sink_buffer_init(&buffer);
    const char *name = symbol;
    if (demangle(symbol, &buffer.sink) && !buffer.sink.error && buffer.length > 0)
        name = arena_strndup(arena, buffer.bytes, buffer.length);
    sink_buffer_free(&buffer);
    return name;
}
#else
const char *name_demangled(struct arena *arena, const char *symbol)
{
    (void)arena;
    return symbol;
}
#endif

/* Takes the last part off PATH, which is LENGTH long; 0 where there is none that may go. */
static size_t without_last(const char *path, size_t length)
{
    size_t slash = length;
    while (slash > 0 && path[slash - 1] != '/')
        slash--;
    bool is_up = length - slash == 2 && memcmp(path + slash, "..", 2) == 0;
    return slash == 0 || is_up ? 0 : slash - 1;
}

char *name_path(struct arena *arena, const char *directory, const char *file)
{
    size_t length = directory ? strlen(directory) : 0;
    char *path = arena_alloc(arena, length + strlen(file) + 2);
    if (!path)
        return NULL;
    const char *parts[2] = { file[0] == '/' ? NULL : directory, file };
    length = 0;
    bool absolute = parts[0] ? parts[0][0] == '/' : file[0] == '/';
    for (int i = 0; i < 2; i++) {
        for (const char *from = parts[i]; from && *from;) {
            size_t step = strcspn(from, "/");
            bool here = step == 0 || (step == 1 && from[0] == '.');
            bool up = step == 2 && from[0] == '.' && from[1] == '.';
            if (up && length > 0 && without_last(path, length) + absolute > 0) {
                length = without_last(path, length);
            } else if (!here && !(up && absolute && length == 0)) {
                if (length > 0 || absolute)
                    path[length++] = '/';
                memcpy(path + length, from, step);
                length += step;
            }
            from += step;
            from += strspn(from, "/");
        }
    }
    path[length] = 0;
    return path;
}

size_t name_length(const char *symbol)
{
    size_t length = strcspn(symbol, "@");
    return length > 0 ? length : strlen(symbol);
}
