/* cmocka.h: the leak check around each test of a cmocka program.
 *
 *     #include <snag/leak/cmocka.h>   (after cmocka.h and what that needs)
 *     const struct CMUnitTest tests[] = { snag_leak_test(opens_nothing) };
 *
 * A test that leaves something behind fails in its teardown, after the report on stderr. With
 * fixtures of your own, call snag_leak_setup first in the setup and return
 * snag_leak_teardown(state) at the end of the teardown. Rules: a `const snag_leak_options *` named
 * by SNAG_LEAK_TEST_OPTIONS, defined before this is included. Header-only; needs cmocka nowhere
 * else. */
#ifndef SNAG_LEAK_CMOCKA_H
#define SNAG_LEAK_CMOCKA_H

#include <snag/leak.h>

#ifndef SNAG_LEAK_TEST_OPTIONS
#define SNAG_LEAK_TEST_OPTIONS NULL
#endif

static snag_leaks *snag_leak_before;

__attribute__((unused)) static int snag_leak_setup(void **state)
{
    (void)state;
    snag_leak_before = snag_leaks_begin();
    return snag_leak_before ? 0 : -1;
}

__attribute__((unused)) static int snag_leak_teardown(void **state)
{
    (void)state;
    return snag_leaks_end(snag_leak_before, SNAG_LEAK_TEST_OPTIONS, stderr) == 0 ? 0 : -1;
}

#define snag_leak_test(function)                                                                   \
    cmocka_unit_test_setup_teardown(function, snag_leak_setup, snag_leak_teardown)

#endif
