/* test_pages_never.c proves that no dump waits for memory that nobody brings, of
 * a file on a dead mount or of a userfaultfd, wherever it lies (programs/mute.c): every
 * report is an answer in seconds with all threads in it, and snag_stop
 * returns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "http_get.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 15 /* for one answer, on a machine that has other things to do */

struct mute {
    pid_t pid;
    int in;
    int out;
    char address[64];
    char directory[32]; /* where it mounts */
};

static struct mute spawn(const char *what, const char *where)
{
    int in[2];
    int out[2];
    struct mute mute = { .pid = -1, .directory = "/tmp/snag-mute-XXXXXX" };
    const char *build = getenv("SNAG_BUILD");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/programs/mute", build ? build : ".");
    assert_non_null(mkdtemp(mute.directory));
    assert_true(pipe(in) == 0 && pipe(out) == 0);
    mute.pid = fork();
    assert_true(mute.pid >= 0);
    if (mute.pid == 0) {
        setenv("SNAG_LISTEN", "127.0.0.1:0", 1);
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl(path, path, what, where, mute.directory, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    mute.in = in[1];
    mute.out = out[0];
    return mute;
}

static void end(struct mute *mute)
{
    kill(mute->pid, SIGKILL);
    waitpid(mute->pid, NULL, 0);
    close(mute->in);
    close(mute->out);
    rmdir(mute->directory);
}

/* What MUTE says until END is in it, within SECONDS; what there is otherwise. */
static void listen_to(const struct mute *mute, const char *until, char *text, size_t size)
{
    size_t length = 0;
    text[0] = 0;
    while (!strstr(text, until) && length < size - 1) {
        struct pollfd fd = { mute->out, POLLIN, 0 };
        if (poll(&fd, 1, SECONDS * 1000) != 1)
            return;
        ssize_t got = read(mute->out, text + length, size - 1 - length);
        if (got <= 0)
            return;
        length += (size_t)got;
        text[length] = 0;
    }
}

/* NULL, or what went wrong when PATH was asked for, which is to hold WORDS. */
static const char *ask(const struct mute *mute, const char *path, const char *words)
{
    static char why[512];
    struct http_reply reply;
    int error = http_get(mute->address, path, SECONDS, &reply);
    if (error || reply.status != 200)
        snprintf(why, sizeof why, "%s: %s, status %d", path, strerror(-error), reply.status);
    else if (words && !strstr(reply.body, words))
        snprintf(why, sizeof why, "%s: nothing of \"%s\" in \"%.200s\"", path, words, reply.body);
    else
        why[0] = 0;
    http_reply_free(&reply);
    return why[0] ? why : NULL;
}

static const char *ask_all(struct mute *mute, const char *thread)
{
    const char *why = NULL;
    for (int round = 0; round < 2 && !why; round++) {
        why = ask(mute, "/debug/pprof/threads?debug=2", thread);
        if (!why)
            why = ask(mute, "/debug/pprof/threads?debug=2", "main");
        if (!why)
            why = ask(mute, "/debug/pprof/threads", NULL);
        if (!why)
            why = ask(mute, "/debug/threads", thread);
        if (!why)
            why = ask(mute, "/debug/stuck", NULL);
        if (!why)
            why = ask(mute, "/debug/fds", NULL);
    }
    char said[256];
    if (!why && write(mute->in, "\n", 1) == 1) {
        listen_to(mute, "stopped\n", said, sizeof said);
        why = strstr(said, "stopped\n") ? NULL : "snag_stop did not return";
    }
    return why;
}

static void answer_beside(const char *what, const char *where, const char *thread)
{
    char said[512];
    char why[600] = "";
    struct mute mute = spawn(what, where);
    listen_to(&mute, "ready\n", said, sizeof said);
    if (strncmp(said, "skip ", 5) == 0) {
        end(&mute);
        print_message("%s %s: %s", what, where, said);
        skip();
    }
    if (sscanf(said, "address %63s", mute.address) != 1) {
        snprintf(why, sizeof why, "the service says \"%s\"", said);
    } else {
        const char *wrong = ask_all(&mute, thread);
        snprintf(why, sizeof why, "%s", wrong ? wrong : "");
    }
    end(&mute);
    if (why[0])
        fail_msg("%s %s: %s", what, where, why);
}

#define BESIDE(WHAT, WHERE, THREAD)                                                                \
    static void answers_##WHAT##_##WHERE(void **state)                                             \
    {                                                                                              \
        (void)state;                                                                               \
        answer_beside(#WHAT, #WHERE, THREAD);                                                      \
    }

BESIDE(file, above, "below")
BESIDE(file, running, "runner")
BESIDE(file, poll, "poller")
BESIDE(file, futex, "waiter")
BESIDE(file, code, "runner")
BESIDE(file, touched, "toucher")
BESIDE(gone, above, "below")
BESIDE(gone, code, "runner")
BESIDE(fault, above, "below")
BESIDE(fault, running, "runner")
BESIDE(fault, poll, "poller")
BESIDE(fault, futex, "waiter")
BESIDE(fault, code, "runner")
BESIDE(fault, touched, "toucher")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_file_above),   cmocka_unit_test(answers_file_poll),
        cmocka_unit_test(answers_file_futex),   cmocka_unit_test(answers_file_code),
        cmocka_unit_test(answers_file_touched), cmocka_unit_test(answers_fault_above),
        cmocka_unit_test(answers_gone_above),   cmocka_unit_test(answers_gone_code),
        cmocka_unit_test(answers_file_running), cmocka_unit_test(answers_fault_running),
        cmocka_unit_test(answers_fault_poll),   cmocka_unit_test(answers_fault_futex),
        cmocka_unit_test(answers_fault_code),   cmocka_unit_test(answers_fault_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
