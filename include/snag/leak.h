/* leak.h: a test that leaves threads, descriptors or handles behind fails.
 *
 *     #include <snag/leak.h>
 *     int main(void) { return snag_leaks_verify_main(run_tests()); }
 *
 * or around one test:
 *
 *     snag_leaks *before = snag_leaks_begin();
 *     ...
 *     int leaks = snag_leaks_end(before, NULL, stderr);
 *
 * What came in between and is still there is a leak. What goes away by itself is waited for: the
 * check is repeated, at growing intervals, for about 0.4 s in all (as goleak does), so code
 * that stops in the background needs no sleep before the check. A leaked thread is shown with the
 * stack that it hangs in, a descriptor with what it is, a handle (snag_profile_add) with the stack
 * that holds it; with libsnag-track linked or preloaded, also with who created the thread and who
 * opened the descriptor.
 *
 * No listener is needed, and nothing is interrupted. Threads of snag's own and of the kernel
 * (io_uring workers) never count. Two tests that run at the same time in one process cannot be told
 * apart. Nothing of this may be called from a signal handler. */
#ifndef SNAG_LEAK_H
#define SNAG_LEAK_H

#include <snag/snag.h>

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What there was at some moment. */
typedef struct snag_leaks snag_leaks;

/* What is looked for. */
#define SNAG_LEAK_THREADS 1u
#define SNAG_LEAK_FDS 2u
#define SNAG_LEAK_HANDLES 4u

/* Rules. Initialise with SNAG_LEAK_OPTIONS_INIT; zero means the default. Each list is of strings,
 * ended by NULL, and may be NULL. In a string a '*' stands for any text, also none; a function's
 * name is that of the stack as shown (C++: demangled, with its arguments).
 *
 * Lists from the environment are added to these, separated by ';': SNAG_LEAK_IGNORE_TOP,
 * SNAG_LEAK_IGNORE_ANY, SNAG_LEAK_IGNORE_CREATED_BY, SNAG_LEAK_IGNORE_THREADS,
 * SNAG_LEAK_IGNORE_TARGETS, SNAG_LEAK_IGNORE_INVENTORIES. */
typedef struct snag_leak_options {
    size_t size;                   /* sizeof(snag_leak_options) */
    unsigned what;                 /* SNAG_LEAK_* together; 0: all */
    unsigned attempts;             /* looks in all; 0: 20 */
    const char *const *ignore_top; /* the innermost function of its stack that is the program's
                                      or a library's other than the C library */
    const char *const *ignore_any; /* any function of its stack */
    const char *const *ignore_created_by; /* any function of the stack that started the thread or
                                             opened the descriptor: known with libsnag-track */
    const char *const *ignore_threads;    /* a thread's name */
    const char *const
        *ignore_targets; /* a descriptor's target as in /debug/fds: a path, "127.0.0.1:*
                            -> 10.0.0.1:80" */
    const char *const *ignore_inventories; /* an inventory's name */
    int exit_status;                       /* of snag_leaks_verify_main on a leak; 0: 1 */
    int check_failed; /* snag_leaks_verify_main: 1: also when the tests have failed */
} snag_leak_options;

#define SNAG_LEAK_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(snag_leak_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                    \
    }

/* What exists now is not a leak. To be ended by snag_leaks_end. NULL with errno: ENOMEM, or why
 * /proc cannot be read (EMFILE: no descriptor is left to read it by). */
SNAG_API snag_leaks *snag_leaks_begin(void);

/* How many leaks there are since BEFORE, which is freed; NULL: since the program began, as far as
 * it includes this header (see below), else since it was loaded. The calling thread is none.
 * OPTIONS may be NULL. With OUT, a report is written there if there are leaks: one line that says
 * how many of what, then a block for each. A negative errno when it could not be found out (-EINVAL
 * for an option that is not allowed), after a line on OUT. */
SNAG_API int snag_leaks_end(snag_leaks *before, const snag_leak_options *options, FILE *out);

/* To end main with: STATUS if that is not 0 (then nothing is looked for: a failed test leaks), else
 * 1 after a report on stderr if the program leaked something, else 0. A check that could not be
 * made is 1, too. */
SNAG_API int snag_leaks_verify_main(int status);
SNAG_API int snag_leaks_verify_main_with(int status, const snag_leak_options *options);

/* Remembers, once, what there is before main. A program that includes this header does it in a
 * constructor; in others (`snag run --leakcheck`) somebody else does. */
SNAG_API void snag_leaks_remember(void);

#if defined(__GNUC__) && !defined(SNAG_LEAK_NOTHING_BEFORE_MAIN)
__attribute__((constructor, unused)) static void snag_leaks_remember_here(void)
{
    snag_leaks_remember();
}
#endif

#ifdef __cplusplus
}
#endif

#endif
