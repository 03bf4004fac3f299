/* other_waits.c: waits for a time, a signal, a child, a queue, an open, a page.
 *
 * What keeps two threads apart that wait alike (the time that is left, a process id) goes into
 * the detail, never into the text. */
#include "waits/finder.h"

#include "base/inner_ids.h"
#include "base/sink.h"
#include "base/target.h"
#include "sources/fds.h"
#include "sources/threads.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define NAMED_SIGNALS 3 /* a set of more is counted */
#define PATH_SHOWN 256

static void say(struct wait *wait, enum wait_kind kind, const char *text, const char *detail)
{
    wait->kind = kind;
    wait->text = text;
    wait->detail = detail;
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now = { 0 };
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    bool has_clock = call->class == CALL_CLOCK_SLEEP;
    struct timespec wanted;
    say(wait, WAIT_TIME, "sleep", "sleep");
    wait->timed = true;
    if (!target_read_all(finder->target, thread->arguments[has_clock ? 2 : 0], &wanted,
                         sizeof wanted))
        return;
    uint64_t until = (uint64_t)wanted.tv_sec * 1000000000u + (uint64_t)wanted.tv_nsec;
    bool absolute = has_clock && (thread->arguments[1] & TIMER_ABSTIME);
    uint64_t now =
        absolute ? clock_ns((clockid_t)int_argument(thread->arguments[0])) : thread->blocked_ns;
    uint64_t left = until > now ? until - now : 0;
    struct sink *sink = finder_words(finder);
    sink_puts(sink, absolute ? "sleep until a given time, " : "sleep of ");
    sink_duration(sink, absolute ? left : until);
    sink_puts(sink, absolute ? " from now" : ", of which about ");
    if (!absolute) {
        sink_duration(sink, left);
        sink_puts(sink, " are left");
    }
    wait->detail = finder_said(finder);
}

/* "SIGTERM, SIGINT"; more than a few are counted. */
static const char *signals_text(struct finder *finder, uint64_t set)
{
    char text[128] = "";
    size_t length = 0;
    int count = __builtin_popcountll(set);
    if (count > NAMED_SIGNALS)
        return finder_text(finder, "signal[%d of them]", count);
    for (int number = 1; number <= 64; number++) {
        if (!(set >> (number - 1) & 1))
            continue;
        const char *name = sigabbrev_np(number);
        const char *comma = length ? " or " : "";
        int more =
            name ? snprintf(text + length, sizeof text - length, "%sSIG%s", comma, name)
                 : snprintf(text + length, sizeof text - length, "%ssignal %d", comma, number);
        length += more > 0 ? (size_t)more : 0;
    }
    return finder_text(finder, "%s", text);
}

void signal_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    uint64_t set;
    say(wait, WAIT_SIGNAL, "any signal", "any signal");
    if (call->class != CALL_SIGNAL_SET)
        return;
    wait->timed = thread->arguments[2] != 0;
    if (target_read_all(finder->target, thread->arguments[0], &set, sizeof set))
        wait->text = wait->detail = signals_text(finder, set);
}

/* The process that the pidfd FD is for cannot be told without opening it; a
 * group and "any" are no one process. */
static pid_t one_child(const struct thread_sample *thread, const struct call *call)
{
    int first = int_argument(thread->arguments[0]);
    if (call->class == CALL_CHILD)
        return first > 0 ? first : 0;
    return first == P_PID ? int_argument(thread->arguments[1]) : 0;
}

static pid_t number_at(const char *at)
{
    pid_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

/* The child of thread TID that the process calls PID, which is in a pid namespace; 0. */
static pid_t child_called(struct finder *finder, pid_t tid, pid_t pid)
{
    char path[48];
    char text[4096];
    snprintf(path, sizeof path, "%d/children", (int)tid);
    if (proc_read(finder->target->task_fd, path, text, sizeof text) <= 0)
        return 0;
    for (const char *at = text; *at; at += strcspn(at, " "), at += *at == ' ')
        if (inner_pid(finder->target, number_at(at)) == pid)
            return number_at(at);
    return 0;
}

/* The process that PID is out here; 0: not known. */
static pid_t outer_child(struct finder *finder, const struct thread_sample *thread, pid_t pid)
{
    if (pid == 0 || !ids_are_nested(finder->target))
        return pid;
    pid_t found = child_called(finder, thread->tid, pid);
    return found ? found : child_called(finder, finder->target->pid, pid);
}

/* The children of the thread's own, where the kernel lists them: "4711 (sh)". */
static const char *children_text(struct finder *finder, const struct thread_sample *thread)
{
    char path[48];
    char text[64];
    snprintf(path, sizeof path, "%d/children", (int)thread->tid);
    if (proc_read(finder->target->task_fd, path, text, sizeof text) <= 0)
        return "";
    int pid = number_at(text);
    const char *name = pid ? process_name(finder, pid) : NULL;
    return name ? finder_text(finder, ": %d (%s)", pid, name) : "";
}

void child_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    pid_t pid = call->class == CALL_CLONE ? 0 : one_child(thread, call);
    if (call->class == CALL_CLONE) {
        const char *children = children_text(finder, thread);
        say(wait, WAIT_CHILD, "child that has not called exec yet",
            finder_text(finder, "child that has not called exec yet%s", children));
        return;
    }
    bool is_one = pid != 0;
    pid = outer_child(finder, thread, pid);
    wait->holder = pid;
    const char *name = pid ? process_name(finder, pid) : NULL;
    if (name)
        say(wait, WAIT_CHILD, finder_text(finder, "child %s", name),
            finder_text(finder, "child %s, process %d", name, (int)pid));
    else if (is_one)
        say(wait, WAIT_CHILD, "child", pid ? finder_text(finder, "child %d", (int)pid) : "child");
    else
        say(wait, WAIT_CHILD, "any child",
            finder_text(finder, "any child%s", children_text(finder, thread)));
}

static const char *ipc_word(const struct thread_sample *thread)
{
    const char *name = syscall_name(thread->syscall_number);
    return name && strncmp(name, "msg", 3) == 0 ? "message queue" : "semaphore set";
}

void ipc_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    wait->kind = WAIT_IPC;
    wait->timed = call->timeout != ARGUMENT_NONE && thread->arguments[call->timeout] != 0;
    if (call->class == CALL_QUEUE) { /* named by its descriptor */
        const char *name = syscall_name(thread->syscall_number);
        wait->fd = int_argument(thread->arguments[0]);
        wait->writes = name && strcmp(name, "mq_timedsend") == 0;
        return;
    }
    const char *text =
        finder_text(finder, "System V %s %d", ipc_word(thread), int_argument(thread->arguments[0]));
    say(wait, WAIT_IPC, text, text);
}

/* The kernel's function in which the thread waits; "" or "0" where that is not told. */
static void read_place(struct finder *finder, const struct thread_sample *thread, char *text,
                       size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "%d/wchan", (int)thread->tid);
    if (proc_read(finder->target->task_fd, path, text, size) <= 0)
        text[0] = 0;
}

/* By the function of the kernel's that a frozen thread is in: the freezer of control groups 2,
 * which may be inlined into the way to user mode, or that of control groups 1 (and of suspending).
 * There is no other wait in these. */
bool frozen_is(struct finder *finder, const struct thread_sample *thread)
{
    static const char *const places[] = { "get_signal", "do_freezer_trap", "__refrigerator" };
    char place[64];
    if (thread->state != 'S' && thread->state != 'D')
        return false;
    read_place(finder, thread, place, sizeof place);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(place, places[i]) == 0)
            return true;
    return false;
}

/* Which page it is, and who should bring it, nobody can tell from outside the kernel; but the
 * function says whether it is a disk or a handler of the program's own (handle_userfault). */
void fault_find(struct finder *finder, size_t index)
{
    char place[64];
    struct wait *wait = &finder->set->waits[index];
    say(wait, WAIT_FAULT, "memory page", "memory page");
    read_place(finder, &finder->threads->threads[index], place, sizeof place);
    if (place[0] && strcmp(place, "0") != 0)
        wait->detail = finder_text(finder, "memory page, in the kernel's %s", place);
}

void open_find(struct finder *finder, size_t index, const struct call *call)
{
    const struct thread_sample *thread = &finder->threads->threads[index];
    struct wait *wait = &finder->set->waits[index];
    char path[PATH_SHOWN];
    char place[64];
    wait->kind = WAIT_OTHER;
    ssize_t length =
        target_read(finder->target, thread->arguments[call->subject], path, sizeof path - 1);
    if (length <= 0)
        return;
    path[length] = 0;
    read_place(finder, thread, place, sizeof place);
    wait->text = wait->detail = strcmp(place, "wait_for_partner") == 0
                                    ? finder_text(finder, "other end of fifo %s", path)
                                    : finder_text(finder, "open of %s", path);
}
