/* annotate.h: who releases what a function returns, told to the compiler; and Go's `defer`.
 *
 *     void http_close(struct http_response *);
 *     struct http_response *http_get(const char *url) SNAG_RELEASED_BY(http_close, 1);
 *
 * gcc's analyzer (-fanalyzer, 11 and later) then warns of paths that lose the response, and so does
 * `snag check` with every analyzer it has. And where a path is easily forgotten:
 *
 *     SNAG_SCOPE(http_close, struct http_response *, NULL)     once, at file scope
 *
 *     struct http_response *response SNAG_SCOPED(http_close) = http_get(url);
 *
 * closes it wherever the block is left. Nothing of this makes code or data of its own but
 * that call. With a compiler that knows none of it SNAG_RELEASED_BY is nothing. */
#ifndef SNAG_ANNOTATE_H
#define SNAG_ANNOTATE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Behind the declarator of a function that returns a pointer: the caller owns what it returns (when
 * it is not NULL) and hands it to FUNCTION as its argument number ARGUMENT (from 1) to be rid of it.
 * FUNCTION must be declared before. Several may stand side by side, one for each way to release.
 * Goes on a declaration; a definition has it from there. */
#if defined(SNAG_CHECK) /* `snag check` reads the source: whatever compiler it reads it for */
#define SNAG_RELEASED_BY(function, argument)                                                       \
    __attribute__((annotate("snag:released-by:" #function ":" #argument)))
#elif defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define SNAG_RELEASED_BY(function, argument) __attribute__((malloc(function, argument)))
#else
#define SNAG_RELEASED_BY(function, argument)
#endif

/* The same for a function that returns a descriptor or another number, negative when it fails. No
 * compiler knows such an attribute for numbers; `snag check` does. (gcc 13 and later know the C
 * library's own makers of descriptors, and that is all they have.) */
#if defined(SNAG_CHECK)
#define SNAG_NUMBER_RELEASED_BY(function, argument) SNAG_RELEASED_BY(function, argument)
#else
#define SNAG_NUMBER_RELEASED_BY(function, argument)
#endif

/* At file scope: lets variables of TYPE be SNAG_SCOPED(FUNCTION). FUNCTION takes the value and may
 * be a macro; NONE is the value that there is nothing to release for, as NULL or -1. */
#define SNAG_SCOPE(function, type, none)                                                           \
    __attribute__((unused)) static inline void snag_scoped_##function(type *variable)              \
    {                                                                                              \
        if (*variable != (none))                                                                   \
            (void)function(*variable);                                                             \
    }

/* Behind the declarator of a local variable: FUNCTION gets its value when its block is left, by
 * whatever way (in C++ also by an exception), variables that were declared later first. It must
 * have a value from the start: initialise it. To hand the value on to the caller or to another owner,
 * set the variable to NONE after that (SNAG_TAKE).
 *
 * The variable is released by its address: what it holds then, not what it held first. */
#define SNAG_SCOPED(function) __attribute__((cleanup(snag_scoped_##function)))

/* The value of a scoped variable, which then holds NONE and so releases nothing:
 *     return SNAG_TAKE(response, NULL); */
#define SNAG_TAKE(variable, none)                                                                  \
    __extension__({                                                                                \
        __typeof__(variable) snag_taken = (variable);                                              \
        (variable) = (none);                                                                       \
        snag_taken;                                                                                \
    })

/* Ready: fclose, pclose, closedir, close, and free for a pointer to anything. errno is what
 * FUNCTION makes of it. */
SNAG_SCOPE(fclose, FILE *, NULL)
#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 2
SNAG_SCOPE(pclose, FILE *, NULL)
#endif
SNAG_SCOPE(closedir, DIR *, NULL)
SNAG_SCOPE(close, int, -1)

__attribute__((unused)) static inline void snag_scoped_free(void *variable)
{
    void *memory;
    memcpy(&memory, variable, sizeof memory);
    free(memory);
}

#endif
