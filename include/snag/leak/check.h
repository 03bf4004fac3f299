/* check.h: the leak check around each test of a Check program.
 *
 *     #include <snag/leak/check.h>    (after check.h)
 *     snag_leak_tcase(tcase);         before its tests are added
 *
 * A test that leaves something behind fails, after the report on stderr. Works with and without
 * forking (CK_FORK). Rules: a `const snag_leak_options *` named by SNAG_LEAK_TEST_OPTIONS, defined
 * before this is included. Header-only. */
#ifndef SNAG_LEAK_CHECK_H
#define SNAG_LEAK_CHECK_H

#include <snag/leak.h>

#ifndef SNAG_LEAK_TEST_OPTIONS
#define SNAG_LEAK_TEST_OPTIONS NULL
#endif

static snag_leaks *snag_leak_before;

static void snag_leak_setup(void)
{
    snag_leak_before = snag_leaks_begin();
}

/* Without forking, Check opens a file of its own for each test's notes: "/tmp/check_XXXXXX". */
static void snag_leak_teardown(void)
{
    const snag_leak_options *given = SNAG_LEAK_TEST_OPTIONS;
    snag_leak_options options = SNAG_LEAK_OPTIONS_INIT;
    const char *targets[64] = { "*/check_*" };
    if (given)
        options = *given;
    for (int i = 0; options.ignore_targets && options.ignore_targets[i] && i < 62; i++)
        targets[i + 1] = options.ignore_targets[i];
    options.ignore_targets = targets;
    int leaks = snag_leaks_end(snag_leak_before, &options, stderr);
    ck_assert_msg(leaks == 0, "the test left %d threads, descriptors or handles behind", leaks);
}

#define snag_leak_tcase(tcase) tcase_add_checked_fixture(tcase, snag_leak_setup, snag_leak_teardown)

#endif
