/* test_dump_access.c proves that a refusal is explained by the rule that is broken, and that what
 * is advised would help: every rule of ptrace(2), those of Yama that this machine's kernel may not
 * have, too. The facts are made up; tests/test_dump_command.sh meets some of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "cli/dump_access.h"

#include <stdio.h>
#include <string.h>

#define ALICE 1000
#define REDIS 104
#define BIND_SERVICE (UINT64_C(1) << 10)

/* A process of alice's that alice looks at, and all is refused. */
static struct access_facts refused(void)
{
    return (struct access_facts){
        .process = 812,
        .name = "redis-server",
        .user_name = "alice",
        .own_user_name = "alice",
        .lists_refused = true,
        .registers_refused = true,
        .memory_refused = true,
        .is_dumpable = true,
        .users = { ALICE, ALICE, ALICE },
        .groups = { ALICE, ALICE, ALICE },
        .own_user = ALICE,
        .own_group = ALICE,
        .yama = NO_YAMA,
    };
}

static void says(const struct access_facts *facts, const char *one, const char *other)
{
    char text[512];
    access_explain(facts, text, sizeof text);
    printf("%s\n", text);
    assert_non_null(strstr(text, one));
    assert_non_null(strstr(text, other));
    assert_true(strlen(text) < 300 && !strchr(text, '\n'));
}

static void test_another_user(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    strcpy(facts.user_name, "redis");
    for (int i = 0; i < IDS; i++)
        facts.users[i] = facts.groups[i] = REDIS;
    says(&facts, "belongs to redis (uid 104), and you are alice (uid 1000)", "with sudo");
    facts.user_name[0] = 0;
    says(&facts, "belongs to uid 104, and", "as that user, or with sudo");
    facts.is_capped = facts.is_contained = true;
    says(&facts, "as that user, or from the host", "--cap-add SYS_PTRACE");
}

static void test_between_users(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.users[EFFECTIVE] = 0;
    says(&facts, "real uid 1000, effective 0, saved 1000", "run it with sudo");
    facts = refused();
    facts.groups[SAVED] = 42;
    says(&facts, "another group", "saved 42; yours is 1000");
}

static void test_not_dumpable(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.is_dumpable = false;
    says(&facts, "not dumpable", "run it with sudo");
    /* Neither Yama nor its own user is the reason, then. */
    facts.yama = 1;
    says(&facts, "not dumpable", "run it with sudo");
}

static void test_capabilities(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.capabilities = BIND_SERVICE;
    says(&facts, "capabilities that you have not", "with sudo");
    facts.own_capabilities = BIND_SERVICE;
    says(&facts, "security module", "812");
}

static void test_root_without_the_capability(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.own_user = 0;
    facts.own_group = 0;
    says(&facts, "you are root, but without CAP_SYS_PTRACE", "as a root that has it");
    facts.is_capped = true;
    says(&facts, "without CAP_SYS_PTRACE", "not kept from");
    facts.is_contained = true;
    says(&facts, "from the host", "--cap-add SYS_PTRACE");
}

/* Lists are to be had, stacks are not: for that Yama is known. */
static void test_yama(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.lists_refused = false;
    facts.yama = 1;
    says(&facts, "kernel.yama.ptrace_scope is 1: only a parent of process 812", "with sudo");
    says(&facts, "sysctl -w kernel.yama.ptrace_scope=0", "or root");
    facts.yama = 2;
    says(&facts, "ptrace_scope is 2: only root may read process 812", "run it with sudo");
    facts.yama = 3;
    says(&facts, "ptrace_scope is 3: nobody", "snag run");
    facts.may_trace = true;
    says(&facts, "ptrace_scope is 3: nobody", "until the next boot");
    facts.yama = 0;
    says(&facts, "security module", "812");
}

/* To run it as that user would not help. */
static void test_another_user_under_yama(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.yama = 1;
    facts.users[REAL] = facts.users[EFFECTIVE] = facts.users[SAVED] = REDIS;
    says(&facts, "belongs to", "uid 1000): run it with sudo");
}

static void test_user_namespace(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.own_user = 0;
    facts.own_group = 0;
    facts.may_trace = facts.is_inside = true;
    facts.users[REAL] = facts.users[EFFECTIVE] = facts.users[SAVED] = 65534;
    says(&facts, "outside of your user namespace", "from the host");
}

static void test_seccomp(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    facts.lists_refused = facts.registers_refused = false;
    facts.is_filtered = true;
    says(&facts, "seccomp filter", "from the host");
}

static void test_what_is_needed(void **state)
{
    (void)state;
    struct access_facts facts = refused();
    assert_false(access_is_given(&facts, false));
    facts.lists_refused = false;
    assert_true(access_is_given(&facts, false));
    assert_false(access_is_given(&facts, true));
    facts.registers_refused = false;
    assert_false(access_is_given(&facts, true));
    facts.memory_refused = false;
    assert_true(access_is_given(&facts, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_user),
        cmocka_unit_test(test_between_users),
        cmocka_unit_test(test_not_dumpable),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_root_without_the_capability),
        cmocka_unit_test(test_yama),
        cmocka_unit_test(test_another_user_under_yama),
        cmocka_unit_test(test_user_namespace),
        cmocka_unit_test(test_seccomp),
        cmocka_unit_test(test_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
