/* rules.c: what a leak check is told to ignore.
 *
 * As goleak's IgnoreTopFunction, IgnoreAnyFunction and IgnoreCreatedBy. The top of a blocked C
 * stack is always some call of the C library, so the top is all of that down to the first function
 * that is not the C library's. */
#include "leak/found.h"
#include "leak/seam.h"

#include "base/stack.h"
#include "modules/modules.h"
#include "sources/fds.h"
#include "sources/inventories.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "symbolize/symbolize.h"
#include "waits/waits.h"

#include <string.h>

/* Whether TEXT, LENGTH bytes of it, is what PATTERN says; '*' stands for any text. The usual
 * greedy match: on a mismatch the last '*' takes one byte more. */
static bool matches_part(const char *pattern, const char *text, size_t length)
{
    const char *star = NULL;
    size_t at = 0;
    size_t from = 0;
    while (at < length) {
        if (*pattern == '*') {
            star = pattern++;
            from = at;
        } else if (*pattern == text[at] && *pattern) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

static bool listed(const char *const *list, const char *text)
{
    for (; list && *list && text; list++)
        if (matches_part(*list, text, strlen(text)))
            return true;
    return false;
}

/* A function by its whole name, or of C++ by the name before its arguments. */
static bool lists_function(const char *const *list, const char *name)
{
    const char *arguments = strchr(name, '(');
    for (; list && *list; list++)
        if (matches_part(*list, name, strlen(name)) ||
            (arguments && matches_part(*list, name, (size_t)(arguments - name))))
            return true;
    return false;
}

static bool lists_location(const char *const *list, const struct location *location)
{
    for (size_t i = 0; i < location->line_count; i++)
        if (lists_function(list, location->lines[i].function))
            return true;
    return false;
}

/* With ONLY_TOP down to the first function that is not the C library's. */
static bool lists_stack(const char *const *list, const uint64_t *frames, size_t count,
                        bool only_top, struct symbolizer *symbolizer)
{
    for (size_t i = 0; list && i < count; i++) {
        const struct location *location = symbolize(symbolizer, frame_lookup(frames[i]));
        if (lists_location(list, location))
            return true;
        if (only_top && !location_is_c_library(location))
            return false;
    }
    return false;
}

static bool is_sanitizer(const struct location *location)
{
    static const char *const names[] = { "libtsan", "libasan", "libhwasan", "liblsan", "libubsan" };
    const char *name = location->module ? module_name(location->module) : "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    const char *function = location->lines[location->line_count - 1].function;
    return strncmp(function, "__tsan::", 8) == 0 || strncmp(function, "__sanitizer::", 13) == 0;
}

/* ThreadSanitizer begins one with the program's first thread. It sleeps most of the time, and none
 * of its frames is the program's. */
bool rules_know_thread(const struct leaked_thread *leaked, struct symbolizer *symbolizer)
{
    const struct thread_sample *thread = leaked->thread;
    size_t by_sanitizer = 0;
    if (!leaked->wait || leaked->wait->kind != WAIT_TIME)
        return false;
    for (size_t i = 0; i < thread->frame_count; i++) {
        const struct location *location = symbolize(symbolizer, frame_lookup(thread->frames[i]));
        if (is_sanitizer(location))
            by_sanitizer++;
        else if (!location_is_c_library(location))
            return false;
    }
    return by_sanitizer > 0;
}

bool rules_ignore_thread(const struct leak_query *query, const struct leaked_thread *leaked,
                         struct symbolizer *symbolizer)
{
    const struct thread_sample *thread = leaked->thread;
    const struct origin *origin = leaked->origin;
    return listed(query->ignore[LEAK_THREAD_NAMES], thread->name) ||
           lists_stack(query->ignore[LEAK_TOP], thread->frames, thread->frame_count, true,
                       symbolizer) ||
           lists_stack(query->ignore[LEAK_ANY], thread->frames, thread->frame_count, false,
                       symbolizer) ||
           (origin && lists_stack(query->ignore[LEAK_CREATED_BY], origin->frames,
                                  origin->frame_count, false, symbolizer));
}

bool rules_ignore_fd(const struct leak_query *query, const struct descriptor *descriptor,
                     struct symbolizer *symbolizer)
{
    const struct origin *origin = &descriptor->origin;
    return listed(query->ignore[LEAK_TARGETS], descriptor->target) ||
           (descriptor->has_origin && lists_stack(query->ignore[LEAK_CREATED_BY], origin->frames,
                                                  origin->frame_count, false, symbolizer));
}

bool rules_ignore_handles(const struct leak_query *query, const struct leaked_handles *handles,
                          struct symbolizer *symbolizer)
{
    const struct pooled_stack *stack = &handles->holding->stack;
    return listed(query->ignore[LEAK_INVENTORIES], handles->inventory) ||
           lists_stack(query->ignore[LEAK_TOP], stack->frames, stack->count, true, symbolizer) ||
           lists_stack(query->ignore[LEAK_ANY], stack->frames, stack->count, false, symbolizer) ||
           lists_stack(query->ignore[LEAK_CREATED_BY], stack->frames, stack->count, false,
                       symbolizer);
}
