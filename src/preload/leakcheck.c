/* leakcheck.c: the leak check of a program that knows nothing of it; see leakcheck.h.
 *
 * What there is when main begins is no leak: other libraries' constructors have run then, which
 * they have not all in ours. So main is wrapped, where the C library is told of it. The look comes
 * last, after the program's own exit handlers, which may end threads and close descriptors: ours
 * was registered before theirs, and they run in the reverse order. A child of fork that ends by
 * exit is looked at, too, for what it did itself. */
#include "preload/leakcheck.h"

#define SNAG_LEAK_NOTHING_BEFORE_MAIN /* this is not the program */
#include <snag/leak.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int status_of_leaks; /* 0: nothing is looked for */

/* A program that fails leaks; its status says enough. */
static void look(int status, void *unused)
{
    (void)unused;
    if (status != 0)
        return;
    fflush(NULL);
    int leaks = snag_leaks_end(NULL, NULL, stderr);
    if (leaks == 0)
        return;
    fflush(NULL);
    _exit(status_of_leaks);
}

void leakcheck_begin(void)
{
    const char *text = getenv("SNAG_LEAKCHECK");
    char *end = NULL;
    long status = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || status < 1 || status > 255)
        return;
    status_of_leaks = (int)status;
    on_exit(look, NULL);
}

typedef int main_function(int argc, char **argv, char **environment);

static main_function *real_main;

static int main_with_baseline(int argc, char **argv, char **environment)
{
    snag_leaks_remember();
    return real_main(argc, argv, environment);
}

/* What every dynamic program begins with. */
typedef int start_function(main_function *main, int argc, char **argv, void (*init)(void),
                           void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

__attribute__((visibility("default"))) int
__libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                  void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_function *real = NULL;
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&real, &symbol, sizeof real);
    real_main = main;
    return real(status_of_leaks ? main_with_baseline : main, argc, argv, init, fini, rtld_fini,
                stack_end);
}
