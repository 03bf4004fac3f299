/* dump_access.c: why the kernel refuses; see dump_access.h.
 *
 * The rules are those of ptrace(2), "Ptrace access mode checking", in their order there:
 *
 *   1  the caller's user and group are all three of the process's, or it has CAP_SYS_PTRACE
 *   2  the process is dumpable, or the same capability
 *   3  the process has no capability that the caller has not, or the same
 *   4  security modules agree: Yama of them has a number that says what it wants
 *
 * and the capability counts only in the process's user namespace or one around it. A seccomp filter
 * on the caller comes before all of them. The first rule that is broken is the answer: mending
 * a later one would not help. */
#include "cli/dump_access.h"

#include <stdarg.h>
#include <stdio.h>

#define OVERFLOW_ID 65534u /* how ids look that a user namespace has no number for */

struct explanation {
    char *text;
    size_t size;
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(struct explanation *to, const char *format,
                                                      ...)
{
    va_list arguments;
    if (to->length >= to->size)
        return;
    va_start(arguments, format);
    int length = vsnprintf(to->text + to->length, to->size - to->length, format, arguments);
    va_end(arguments);
    to->length += length > 0 ? (size_t)length : 0;
}

static void say_user(struct explanation *to, const char *name, uid_t user)
{
    if (*name)
        say(to, "%s (uid %u)", name, (unsigned)user);
    else
        say(to, "uid %u", (unsigned)user);
}

static void say_process(struct explanation *to, const struct access_facts *facts)
{
    say(to, "process %d (%s)", (int)facts->process, facts->name);
}

static bool is_one_user(const struct access_facts *facts)
{
    return facts->users[REAL] == facts->users[EFFECTIVE] &&
           facts->users[SAVED] == facts->users[EFFECTIVE];
}

static bool has_other_user(const struct access_facts *facts)
{
    return !is_one_user(facts) || facts->users[EFFECTIVE] != facts->own_user;
}

static bool has_other_group(const struct access_facts *facts)
{
    for (int i = 0; i < IDS; i++)
        if (facts->groups[i] != facts->own_group)
            return true;
    return false;
}

static bool has_more_capabilities(const struct access_facts *facts)
{
    return (facts->capabilities & ~facts->own_capabilities) != 0;
}

/* How to get the capability: what is out of reach for everybody here, sudo does not bring. */
static void say_remedy(struct explanation *to, const struct access_facts *facts)
{
    if (facts->is_capped && facts->is_contained)
        say(to, "from the host, or in a container that has the capability (docker run --cap-add "
                "SYS_PTRACE)");
    else if (facts->is_capped)
        say(to, "from a shell that is not kept from CAP_SYS_PTRACE");
    else if (facts->own_user == 0)
        say(to, "as a root that has it");
    else
        say(to, "with sudo");
}

static void say_unprivileged_root(struct explanation *to, const struct access_facts *facts)
{
    say(to, "you are root, but without CAP_SYS_PTRACE, which is needed for ");
    say_process(to, facts);
    say(to, ": run it ");
    say_remedy(to, facts);
}

static void say_other_user(struct explanation *to, const struct access_facts *facts)
{
    say_process(to, facts);
    if (!is_one_user(facts)) {
        say(to, " has changed its user (real uid %u, effective %u, saved %u): run it ",
            (unsigned)facts->users[REAL], (unsigned)facts->users[EFFECTIVE],
            (unsigned)facts->users[SAVED]);
    } else {
        say(to, " belongs to ");
        say_user(to, facts->user_name, facts->users[EFFECTIVE]);
        say(to, ", and you are ");
        say_user(to, facts->own_user_name, facts->own_user);
        /* Yama lets no user but root do it. */
        say(to, facts->yama >= 1 ? ": run it " : ": run it as that user, or ");
    }
    say_remedy(to, facts);
}

static void say_other_group(struct explanation *to, const struct access_facts *facts)
{
    say_process(to, facts);
    say(to, " runs as another group than you (real gid %u, effective %u, saved %u; yours is %u): ",
        (unsigned)facts->groups[REAL], (unsigned)facts->groups[EFFECTIVE],
        (unsigned)facts->groups[SAVED], (unsigned)facts->own_group);
    say(to, "run it as that group (sg), or ");
    say_remedy(to, facts);
}

static void say_yama(struct explanation *to, const struct access_facts *facts)
{
    say(to, "kernel.yama.ptrace_scope is %d: ", facts->yama);
    if (facts->yama >= 3) {
        say(to, "nobody may read another process, root neither, until the next boot; the "
                "service can show itself (snag run, snag_start)");
        return;
    }
    say(to, facts->yama == 1 ? "only a parent of " : "only root may read ");
    say_process(to, facts);
    say(to, facts->yama == 1 ? " or root may read it: run it " : ": run it ");
    say_remedy(to, facts);
    if (facts->yama == 1 && !facts->is_contained)
        say(to, ", or set it to 0 (sysctl -w kernel.yama.ptrace_scope=0)");
}

static void say_namespace(struct explanation *to, const struct access_facts *facts)
{
    say_process(to, facts);
    say(to, " is outside of your user namespace, where your CAP_SYS_PTRACE counts for nothing: "
            "run it from the host");
}

static void say_unknown(struct explanation *to, const struct access_facts *facts)
{
    say(to, "the kernel refuses to let you read ");
    say_process(to, facts);
    if (facts->is_filtered)
        say(to, ", likely by the seccomp filter that you run under, as containers have one: run it "
                "from the host, or with --security-opt seccomp=unconfined");
    else if (facts->is_inside)
        say(to, ", likely because it is outside of your user namespace: run it from the host");
    else
        say(to, ", and neither users nor capabilities are the reason: likely a security module "
                "(AppArmor, SELinux, Landlock, a BPF program: see the kernel's log)");
}

/* The capability, and what it does not help against. */
static void explain_privileged(struct explanation *to, const struct access_facts *facts)
{
    if (facts->is_inside &&
        (facts->users[EFFECTIVE] == OVERFLOW_ID || facts->users[REAL] == OVERFLOW_ID))
        say_namespace(to, facts);
    else if (facts->yama >= 3)
        say_yama(to, facts);
    else
        say_unknown(to, facts);
}

void access_explain(const struct access_facts *facts, char *text, size_t size)
{
    struct explanation to = { text, size, 0 };
    text[0] = 0;
    if (facts->may_trace) {
        explain_privileged(&to, facts);
        return;
    }
    bool breaks_rules = has_other_user(facts) || has_other_group(facts) || !facts->is_dumpable ||
                        has_more_capabilities(facts);
    if (facts->yama >= 3 || (facts->yama >= 1 && !breaks_rules && !facts->lists_refused)) {
        say_yama(&to, facts);
    } else if (breaks_rules && facts->own_user == 0) {
        say_unprivileged_root(&to, facts);
    } else if (has_other_user(facts)) {
        say_other_user(&to, facts);
    } else if (has_other_group(facts)) {
        say_other_group(&to, facts);
    } else if (!facts->is_dumpable) {
        say_process(&to, facts);
        say(&to, " is not dumpable (it has changed its user, was not readable for its user when it "
                 "was started, or has said so itself by prctl): run it ");
        say_remedy(&to, facts);
    } else if (has_more_capabilities(facts)) {
        say_process(&to, facts);
        say(&to, " has capabilities that you have not: run it ");
        say_remedy(&to, facts);
    } else {
        say_unknown(&to, facts);
    }
}

bool access_is_given(const struct access_facts *facts, bool stacks)
{
    return !facts->lists_refused &&
           !(stacks && (facts->registers_refused || facts->memory_refused));
}
