/* lifecycle.c: starts, uses and stops snag as often as its argument says, with
 * a child of fork that does the same in between. For valgrind and the
 * sanitizers: everything taken must be given back. */
#include <snag/snag.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what, int status)
{
    fprintf(stderr, "lifecycle: %s: %d\n", what, status);
    return 1;
}

static int use_once(int out)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    int status = snag_start(&options);
    if (status || !snag_address())
        return fail("snag_start", status);
    for (int debug = 0; debug <= 2; debug++)
        if ((status = snag_write("threads", out, debug)) != 0)
            return fail("snag_write with a listener", status);
    snag_stop();
    if (snag_address())
        return fail("an address after snag_stop", 0);
    if ((status = snag_write("threads", out, 0)) != 0)
        return fail("snag_write without a listener", status);
    return 0;
}

static int use_in_child(int out)
{
    pid_t child = fork();
    if (child < 0)
        return fail("fork", child);
    if (child == 0)
        _exit(snag_address() ? fail("an address in the child", 0) : use_once(out));
    int status;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail("the child of fork", status);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    int out = open("/dev/null", O_WRONLY);
    for (int round = 0; round < rounds; round++)
        if (use_once(out))
            return 1;
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    int status = snag_start(&options);
    if (status)
        return fail("snag_start before fork", status);
    if (use_in_child(out))
        return 1;
    snag_stop();
    close(out);
    puts("lifecycle: all rounds done");
    return 0;
}
