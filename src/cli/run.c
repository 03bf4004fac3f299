/* run.c: `snag run`: a program with the listener in it that was built without.
 *
 * Sets the environment and becomes the program: the libraries are put into it
 * by the loader, and libsnag-preload does the rest from within. */
#include "base/number.h"
#include "cli/commands.h"
#include "cli/program.h"
#include "preload/variables.h"
#include "tool/options.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRELOAD "libsnag-preload.so.0"
#define TRACK "libsnag-track.so.0"
#define DEFAULT_LISTEN "127.0.0.1:6060-6079"

static const char help[] =
    "Usage: snag run [OPTION...] COMMAND [ARGUMENT...]\n"
    "\n"
    "Runs COMMAND with snag's listener in it, which says on stderr where it listens:\n"
    "then curl ADDRESS/debug/threads, ADDRESS/debug/fds (and who opened them).\n"
    "\n"
    "  --listen ADDRESS     where; else SNAG_LISTEN, else the first free of\n"
    "                       " DEFAULT_LISTEN "\n"
    "  --address-file FILE  write the address to FILE; %p in it is the process id\n"
    "  --children           also in the processes that COMMAND makes, each with its\n"
    "                       own listener (give a range of ports, or unix:...%p)\n"
    "  --no-fds             do not record who opens descriptors and starts threads\n"
    "  --leakcheck          no listener: when COMMAND ends well, report leaked\n"
    "                       threads, descriptors and handles, and exit with 1\n"
    "  --exit-code N        with --leakcheck: with N (1 to 255) instead of 1\n"
    "\n"
    "COMMAND must be linked dynamically, and not be set-user-ID; of any other process\n"
    "`snag dump PID` shows the same from outside. The listener stays when COMMAND\n"
    "goes to the background, or becomes another program, as a script by exec.\n"
    "SNAG_TRACK_HANDLES=all also lists streams, directories and threads that nobody\n"
    "joins (/debug/handles).\n"
    "\n"
    "The exit status is COMMAND's; 1 when it cannot be run, 2 for wrong usage.\n";

struct wish {
    const char *listen;       /* NULL: not given */
    const char *address_file; /* NULL: not given */
    bool no_fds;
    bool children;
    bool leakcheck;
    const char *exit_code; /* NULL: not given */
    char **command;
};

static int misused(const char *option, const char *what)
{
    return option_misused("run", option, what);
}

static bool *flag_of(struct wish *wish, const char *option)
{
    if (strcmp(option, "--no-fds") == 0)
        return &wish->no_fds;
    if (strcmp(option, "--children") == 0)
        return &wish->children;
    return strcmp(option, "--leakcheck") == 0 ? &wish->leakcheck : NULL;
}

static const char *listen_of(const struct wish *wish)
{
    const char *set = getenv("SNAG_LISTEN");
    return wish->listen ? wish->listen : set && *set ? set : DEFAULT_LISTEN;
}

/* Whether two processes can listen at ADDRESS. What is no address is refused later. */
static bool is_for_many(const char *address)
{
    if (strncmp(address, "unix:", strlen("unix:")) == 0)
        return strstr(address, "%p") != NULL;
    const char *port = strrchr(address, ':');
    return !port || strchr(port, '-') || strcmp(port, ":0") == 0;
}

/* STATUS_OK, or the status to end with. */
static int check_children(const struct wish *wish)
{
    if (!is_for_many(listen_of(wish)))
        return misused("--children",
                       " needs an address for each process: a range of ports, or unix:...%p");
    if (wish->address_file && !strstr(wish->address_file, "%p"))
        return misused("--children", " needs a %p, the process id, in --address-file");
    return STATUS_OK;
}

/* STATUS_OK, or the status to end with. */
static int check(const struct wish *wish)
{
    unsigned number;
    if (wish->exit_code && !wish->leakcheck)
        return misused("--exit-code", " is for --leakcheck");
    if (wish->exit_code && (!number_read(wish->exit_code, 255, &number) || number == 0))
        return misused("--exit-code", " is a number from 1 to 255");
    if (!*wish->command)
        return misused("what", " is to be run?");
    return wish->children && !wish->leakcheck ? check_children(wish) : STATUS_OK;
}

/* STATUS_OK, or the status to end with; -1: to end well. */
static int read_options(char **arguments, struct wish *wish)
{
    for (; *arguments && **arguments == '-'; arguments++) {
        const char *option = *arguments;
        bool *flag = flag_of(wish, option);
        if (strcmp(option, "--") == 0) {
            arguments++;
            break;
        }
        if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
            fputs(help, stdout);
            return -1;
        }
        if (flag)
            *flag = true;
        else if (option_value(&arguments, "--listen", &wish->listen)) {
            if (!wish->listen)
                return misused(option, " needs an address");
        } else if (option_value(&arguments, "--address-file", &wish->address_file)) {
            if (!wish->address_file)
                return misused(option, " needs a file");
        } else if (option_value(&arguments, "--exit-code", &wish->exit_code)) {
            if (!wish->exit_code)
                return misused(option, " needs a number");
        } else
            return option_unknown(&run_command, option);
    }
    wish->command = arguments;
    return check(wish);
}

/* The directory of our libraries: that of this program, or the library directory beside it. */
static bool find_libraries(char *directory)
{
    static const char *const places[] = { "", "/../lib", SNAG_LIBRARY_DIRECTORY };
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return false;
    own[length] = 0;
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[PATH_MAX];
        int written = snprintf(path, sizeof path, "%s%s/" PRELOAD, own, places[i]);
        if (written <= 0 || written >= (int)sizeof path || access(path, R_OK) != 0)
            continue;
        path[written - (int)strlen("/" PRELOAD)] = 0;
        return realpath(path, directory) != NULL;
    }
    return false;
}

static int set(const char *name, const char *value)
{
    if (setenv(name, value, 1) == 0)
        return STATUS_OK;
    complain("run", "cannot set %s: %s", name, strerror(errno));
    return STATUS_FAILED;
}

/* Ours come first, before what was to be preloaded anyway. */
static int set_preload(const struct wish *wish)
{
    char directory[PATH_MAX];
    char list[4 * PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    bool has_others = others && *others;
    if (!find_libraries(directory)) {
        complain("run", "cannot find " PRELOAD ": it belongs beside the command, or in ../lib");
        return STATUS_FAILED;
    }
    if (strpbrk(directory, ": ")) {
        complain("run", "the loader cannot be told of libraries in '%s', because of the %s",
                 directory, strchr(directory, ':') ? "colon" : "space");
        return STATUS_FAILED;
    }
    int length =
        snprintf(list, sizeof list, "%s/" PRELOAD "%s%s%s%s%s", directory, wish->no_fds ? "" : ":",
                 wish->no_fds ? "" : directory, wish->no_fds ? "" : "/" TRACK,
                 has_others ? ":" : "", has_others ? others : "");
    if (length >= (int)sizeof list) {
        complain("run", "LD_PRELOAD is too long");
        return STATUS_FAILED;
    }
    return set("LD_PRELOAD", list);
}

/* COMMAND may go to another directory before it writes. */
static int set_address_file(const char *file)
{
    char directory[PATH_MAX] = "";
    char path[2 * PATH_MAX];
    if (*file != '/' && !getcwd(directory, sizeof directory)) {
        complain("run", "the working directory is not known: %s", strerror(errno));
        return STATUS_FAILED;
    }
    int length = snprintf(path, sizeof path, "%s%s%s", directory, *directory ? "/" : "", file);
    if (length >= (int)sizeof path) {
        complain("run", "--address-file is too long");
        return STATUS_FAILED;
    }
    return set(VARIABLE_ADDRESS_FILE, path);
}

/* A child's stderr may be read by COMMAND. */
static int set_stderr(void)
{
    char text[64];
    struct stat now = { .st_ino = 0 };
    if (fstat(STDERR_FILENO, &now) != 0)
        now.st_ino = 0;
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)now.st_dev,
             (unsigned long long)now.st_ino);
    return set(VARIABLE_STDERR, text);
}

static bool is_odd(int number)
{
    return number % 2 != 0;
}

/* This command may itself be run by one with --children. */
static void forget_wish_before(void)
{
    static const char *const names[] = { VARIABLE_ADDRESS_FILE, VARIABLE_LEAKCHECK, VARIABLE_STDERR,
                                         VARIABLE_EVEN };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static int set_environment(const struct wish *wish)
{
    const char *preload = getenv("LD_PRELOAD");
    bool had_preload = preload && *preload; /* it stays, then */
    forget_wish_before();
    int status = set_preload(wish);
    if (status == STATUS_OK)
        status = set(VARIABLE_LISTEN, listen_of(wish));
    if (status == STATUS_OK && wish->address_file)
        status = set_address_file(wish->address_file);
    if (status == STATUS_OK && wish->leakcheck)
        status = set(VARIABLE_LEAKCHECK, wish->exit_code ? wish->exit_code : "1");
    if (status == STATUS_OK)
        status = set(VARIABLE_WISH, wish->children ? VARIABLE_WISH_CHILDREN : "1");
    if (status == STATUS_OK && wish->children)
        status = set_stderr();
    if (status == STATUS_OK &&
        is_odd(1 + !had_preload + 1 + !!wish->address_file + wish->leakcheck + wish->children))
        status = set(VARIABLE_EVEN, "1");
    return status;
}

/* Returns only when it fails. */
static int become(struct program *program, char **command)
{
    size_t count = 0;
    while (command[count])
        count++;
    char **arguments = calloc(count + 2, sizeof *arguments);
    if (!arguments) {
        complain("run", "no memory");
        return STATUS_FAILED;
    }
    char **to = arguments;
    if (program->by_env) {
        *to++ = program->interpreter;
        *to++ = program->script;
    } else {
        *to++ = command[0];
    }
    for (size_t i = 1; i < count; i++)
        *to++ = command[i];
    execv(program->path, arguments);
    if (errno == ENOEXEC)
        complain("run",
                 "%s is neither a program nor a script that begins with #!; if the shell "
                 "understands it: snag run sh %s",
                 program->path, program->path);
    else
        complain("run", "cannot run '%s': %s", program->path, strerror(errno));
    free(arguments);
    return STATUS_FAILED;
}

static int run(char **arguments)
{
    struct wish wish = { .listen = NULL };
    struct program program;
    char why[PATH_MAX + 256];
    int status = read_options(arguments, &wish);
    if (status != STATUS_OK)
        return status < 0 ? STATUS_OK : status;
    if (!program_find(wish.command[0], &program, why, sizeof why)) {
        complain("run", "%s", why);
        return STATUS_FAILED;
    }
    status = set_environment(&wish);
    return status == STATUS_OK ? become(&program, wish.command) : status;
}

const struct command run_command = {
    .name = "run",
    .about = "run a program with the listener in it",
    .help = help,
    .run = run,
};
