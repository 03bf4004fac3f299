/* wrap.h: what the headers beside it are made of.
 *
 *     #include <snag/wrap/stdio.h>
 *
 * From there on, in that source file, the calls that make and end a handle of a known kind enter
 * it in an inventory and take it out: every FILE * that is open shows in /debug/handles with the
 * function that opened it. One line a file, or -include on the command line of the compiler:
 *
 *     snag/wrap/stdio.h    stdio.FILE
 *     snag/wrap/dirent.h   dirent.DIR
 *     snag/wrap/pthread.h  pthread.mutex, .cond, .rwlock, .barrier, .key
 *     snag/wrap/curl.h     curl.easy, .multi, .share, .slist, .mime, .url
 *     snag/wrap/event.h    libevent.event_base, .event, .evbuffer, .bufferevent, ...
 *
 * Include them last: a struct member or method that has the name of such a call is renamed with
 * it. Calls that make are macros with arguments, so that a pointer to one is the library's own and
 * what comes of it is not entered. Calls that end are renamed as a whole: unique_ptr<FILE,
 * decltype(&fclose)> is counted down too. Calls of other source files and of libraries are as they
 * were: what comes from there and ends here is let pass, and is no mistake.
 *
 * Needs gcc or clang, C99 or C++11. A wrapped call costs one snag_profile_add or _remove more. */
#ifndef SNAG_WRAP_WRAP_H
#define SNAG_WRAP_WRAP_H

#include <snag/snag.h>

#ifdef __cplusplus
extern "C" {
#endif

/* HANDLE lives from here on in the inventory NAME, held by the caller of the function that calls
 * this. What was live there under the same handle has ended where nobody saw it: the new one takes
 * its place. HERE is the inventory as the calling place knows it, written once. errno is left as it
 * was. */
SNAG_API void snag_wrap_made(snag_profile **here, const char *name, const void *handle,
                             size_t bytes);

/* HANDLE is gone. 1 when it was live, or 0: then it was made where nobody saw it, and that is
 * not counted as a mistake. errno is left as it was. */
SNAG_API int snag_wrap_ended(snag_profile **here, const char *name, const void *handle);

/* A wrapped call is a function of its own, never inlined: the stack of a handle leaves out that
 * one frame and so begins with who called. That caller would be gone if its last act was a jump to
 * the call (`return fopen(...)` at -O2): each call that makes a handle is handed a piece of
 * its caller's frame, SNAG_WRAP_HERE, and a function whose frame is still needed does not jump. */
struct snag_wrap_place {
    char unused;
#ifdef __cplusplus
    const snag_wrap_place *self() const
    {
        return this;
    }
#endif
};

#ifdef __cplusplus
#define SNAG_WRAP_HERE (::snag_wrap_place().self())
#else
#define SNAG_WRAP_HERE (&(struct snag_wrap_place){ 0 })
#endif

#if defined(__clang__)
#define SNAG_WRAP_FUNCTION __attribute__((unused, noinline)) static
#else
#define SNAG_WRAP_FUNCTION __attribute__((unused, noinline, noclone)) static
#endif

/* First in a call that makes, whose first parameter is SNAG_WRAP_PLACE: for all that the compiler
 * knows, the frame is read. */
#define SNAG_WRAP_PLACE const struct snag_wrap_place *snag_place
#define SNAG_WRAP_BEGIN() __asm__ __volatile__("" : : "r"(snag_place) : "memory")

/* The inventory NAME, once per source file, as `inventory`. */
#define SNAG_WRAP_INVENTORY(inventory, name)                                                       \
    __attribute__((unused)) static const char inventory##_name[] = name;                           \
    __attribute__((unused)) static snag_profile *inventory

/* The call is not the wrapping function's last act either: that is there to be left out. */
#define SNAG_WRAP_MADE(inventory, handle, bytes)                                                   \
    do {                                                                                           \
        snag_wrap_made(&inventory, inventory##_name, handle, bytes);                               \
        SNAG_STAYS();                                                                              \
    } while (0)
#define SNAG_WRAP_ENDED(inventory, handle) snag_wrap_ended(&inventory, inventory##_name, handle)

/* Defines snag_wrap_CALL: a call that returns the handle, NULL where it failed. PARAMETERS begin
 * with SNAG_WRAP_PLACE. */
#define SNAG_WRAP_MAKER(inventory, type, call, parameters, arguments)                              \
    SNAG_WRAP_FUNCTION type snag_wrap_##call parameters                                            \
    {                                                                                              \
        SNAG_WRAP_BEGIN();                                                                         \
        type made = call arguments;                                                                \
        if (made)                                                                                  \
            SNAG_WRAP_MADE(inventory, made, 0);                                                    \
        return made;                                                                               \
    }

/* One that ends HANDLE, whatever it returns. Taken out before: right after, another thread may
 * have a new one at the same address. */
#define SNAG_WRAP_ENDER(inventory, type, call, handle_type)                                        \
    SNAG_WRAP_FUNCTION type snag_wrap_##call(handle_type handle)                                   \
    {                                                                                              \
        SNAG_WRAP_ENDED(inventory, handle);                                                        \
        return call(handle);                                                                       \
    }

#define SNAG_WRAP_FREER(inventory, call, handle_type)                                              \
    SNAG_WRAP_FUNCTION void snag_wrap_##call(handle_type handle)                                   \
    {                                                                                              \
        SNAG_WRAP_ENDED(inventory, handle);                                                        \
        call(handle);                                                                              \
    }

/* One that makes OBJECT in memory of the caller's, and returns 0 when it did; and one that ends
 * it so. */
#define SNAG_WRAP_INIT(inventory, call, parameters, arguments)                                     \
    SNAG_WRAP_FUNCTION int snag_wrap_##call parameters                                             \
    {                                                                                              \
        SNAG_WRAP_BEGIN();                                                                         \
        int status = call arguments;                                                               \
        if (status == 0)                                                                           \
            SNAG_WRAP_MADE(inventory, object, sizeof *object);                                     \
        return status;                                                                             \
    }
#define SNAG_WRAP_DESTROY(inventory, call, object_type)                                            \
    SNAG_WRAP_FUNCTION int snag_wrap_##call(object_type *object)                                   \
    {                                                                                              \
        int status = call(object);                                                                 \
        if (status == 0)                                                                           \
            SNAG_WRAP_ENDED(inventory, object);                                                    \
        return status;                                                                             \
    }

#ifdef __cplusplus
}
#endif

#endif
