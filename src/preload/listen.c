/* listen.c: the listener of this process, and how it says where it is; see listen.h.
 *
 * A child may have made anything of descriptor 2: a line about snag must not end up in a client's
 * connection, a database's file or the output of a command that is read. So it is written only
 * where it is what it was in the beginning, with --children that of `snag run` itself, or a file
 * that is appended to, as logs are. */
#include "preload/listen.h"

#include "api/inside.h"
#include "api/write_guard.h"
#include "preload/address_file.h"
#include "preload/variables.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TAKE_OVER_TRIES 40 /* of 50 ms: the old listener's socket is closed a little later */

static char program[64];
static struct stat first_stderr;
static bool had_stderr;

/* Where to listen in place of the process that listened last in this line of processes, and where
 * that is or was. */
static char heirs_address[160];
static char last_address[160];

/* The last line of a start that may be tried again; NULL: lines are said at once. */
static _Thread_local char *unsaid __attribute__((tls_model("initial-exec")));
#define UNSAID_SIZE 512

/* How many children of fork had none, counted by all of them: a service that forks for each
 * connection is not to fill its log with that. NULL: it is not counted. */
#define FAILURES_TOLD 5U
static _Atomic unsigned *failures;

void listen_prepare(bool children)
{
    if (children) {
        void *page =
            mmap(NULL, sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        failures = page == MAP_FAILED ? NULL : page;
    }
    snprintf(program, sizeof program, "%s", program_invocation_short_name);
    const char *told = variables_value(VARIABLE_STDERR);
    unsigned long long device = 0;
    unsigned long long inode = 0;
    had_stderr = fstat(STDERR_FILENO, &first_stderr) == 0;
    if (told && sscanf(told, "%llu:%llu", &device, &inode) == 2) {
        had_stderr = inode != 0;
        first_stderr.st_dev = (dev_t)device;
        first_stderr.st_ino = (ino_t)inode;
    }
}

static bool stderr_is_for_lines(void)
{
    struct stat now;
    if (fstat(STDERR_FILENO, &now) != 0)
        return false;
    if (had_stderr && now.st_dev == first_stderr.st_dev && now.st_ino == first_stderr.st_ino)
        return true;
    return S_ISREG(now.st_mode) && (fcntl(STDERR_FILENO, F_GETFL) & O_APPEND);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[512 + 128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length <= 0 || !stderr_is_for_lines())
        return;
    line[sizeof line - 2] = 0;
    strcat(line, "\n");
    struct write_guard guard;
    write_guard_begin(&guard);
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    write_guard_end(&guard);
    (void)written; /* nowhere left to say so */
}

static void log_line(const char *line, void *user)
{
    (void)user;
    if (unsaid)
        snprintf(unsaid, UNSAID_SIZE, "%s", line);
    else
        say("snag: %.500s", line);
}

static const char *at_heirs_address(const char *name)
{
    return strcmp(name, "SNAG_LISTEN") == 0 ? heirs_address : variables_value(name);
}

/* With a %p of the pattern every process has its own. */
static void remember_address(void)
{
    const char *pattern = variables_value("SNAG_LISTEN");
    bool has_own = pattern && strncmp(pattern, "unix:", 5) == 0 && strstr(pattern, "%p");
    snprintf(last_address, sizeof last_address, "%s", snag_address());
    snprintf(heirs_address, sizeof heirs_address, "%s", has_own ? pattern : last_address);
    variables_tell_address(heirs_address);
}

static void say_address(const char *how)
{
    remember_address();
    int status = address_file_write(variables_value(VARIABLE_ADDRESS_FILE), snag_address());
    say("snag: %s (pid %d) %slistens on %s", program, (int)getpid(), how, snag_address());
    if (status)
        say("snag: cannot write the address of pid %d to %s: %s", (int)getpid(),
            variables_value(VARIABLE_ADDRESS_FILE), strerror(-status));
}

void listen_begin(void)
{
    if (snag_inside()->start_from(variables_value, log_line) != 0 || !snag_address())
        return;
    say_address("");
}

/* The calling thread's table becomes its own, with the standard descriptors in it. Where that is
 * refused, what is opened shows in the service for a moment; and where snag watches, since the
 * thread that says what it sees begins here, and the service's stderr is its own, now and later. */
static void leave_descriptors(void)
{
    if (!listen_watches())
        syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_UNSHARE);
}

static void say_failure(const char *why)
{
    unsigned before = failures ? atomic_fetch_add(failures, 1) : 0;
    if (before < FAILURES_TOLD)
        say("snag: %s (pid %d) has no listener: %s%s", program, (int)getpid(), why,
            before + 1 == FAILURES_TOLD ? " (of others it is not said any more)" : "");
}

void listen_begin_in_child(void)
{
    char why[UNSAID_SIZE] = "";
    leave_descriptors();
    unsaid = why;
    int status = snag_inside()->start_from(variables_value, log_line);
    unsaid = NULL;
    if (status != 0 && status != -EALREADY)
        say_failure(why);
    else if (status == 0 && snag_address())
        say_address("");
}

/* What PROCESS, which listened last, has left in the file system. */
static void remove_left(pid_t process)
{
    address_file_remove(process);
    if (strncmp(last_address, "unix:", 5) == 0 && strcmp(last_address, snag_address()) != 0)
        unlink(last_address + 5);
}

void listen_take_over(pid_t before)
{
    static const struct timespec pause = { .tv_nsec = 50000000 };
    char why[UNSAID_SIZE] = "";
    char how[48];
    int status;
    leave_descriptors();
    unsaid = why;
    for (int i = 0;; i++) {
        status = snag_inside()->start_from(at_heirs_address, log_line);
        if (status != -EADDRINUSE || i == TAKE_OVER_TRIES)
            break;
        nanosleep(&pause, NULL);
    }
    unsaid = NULL;
    if (status == 0 && snag_address()) {
        remove_left(before);
        snprintf(how, sizeof how, "took over from pid %d and ", (int)before);
        say_address(how);
    } else if (status != 0 && status != -EALREADY)
        say("snag: %s (pid %d) could not take over the listener of pid %d: %s", program,
            (int)getpid(), (int)before, why);
}

bool listen_watches(void)
{
    return variables_value("SNAG_WATCH_SECONDS") || variables_value("SNAG_AUTO_DUMP_DIR");
}

bool listen_is_on(void)
{
    return snag_address() != NULL;
}

/* What a clean end leaves behind nobody needs. A child of vfork is not the process that listens. */
__attribute__((destructor)) static void end(void)
{
    const char *address = snag_address();
    if (!address)
        return;
    address_file_remove(getpid());
    if (strncmp(address, "unix:", 5) == 0)
        unlink(address + 5);
}

/* An end is clean by _exit, too: a shell and the children of Python's multiprocessing end so. It
 * may come from a signal handler or a child of vfork, where nothing can be looked up. */
typedef void exit_function(int status);

static exit_function *real_exit;

void listen_watch_exit(void)
{
    real_exit = (exit_function *)(uintptr_t)dlsym(RTLD_NEXT, "_exit");
}

static __attribute__((noreturn)) void end_at_once(int status)
{
    end();
    if (real_exit)
        real_exit(status);
    for (;;)
        syscall(SYS_exit_group, status);
}

#define EXPORT __attribute__((visibility("default")))

EXPORT void _exit(int status)
{
    end_at_once(status);
}

EXPORT void _Exit(int status)
{
    end_at_once(status);
}
