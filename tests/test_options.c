/* test_options.c proves that settings come from the options and, over them,
 * from the environment, and that a bad value is refused by one line that names
 * where it came from, what it was and what is allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include <snag/snag.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char last_line[600];
static int lines;

static void keep_line(const char *line, void *user)
{
    assert_ptr_equal(user, &lines);
    snprintf(last_line, sizeof last_line, "%s", line);
    lines++;
}

static snag_options quiet_options(void)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    options.log = keep_line;
    options.user = &lines;
    lines = 0;
    last_line[0] = 0;
    return options;
}

static int clear_environment(void **state)
{
    (void)state;
    const char *const names[] = { "SNAG_LISTEN", "SNAG_TOKEN", "SNAG_WATCH_SECONDS", "SNAG_SIGNAL",
                                  "SNAG_AUTO_DUMP_DIR" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    snag_stop();
    return 0;
}

static void refused(const snag_options *options, int status, const char *const parts[])
{
    assert_int_equal(snag_start(options), status);
    assert_null(snag_address());
    assert_int_equal(lines, 1);
    for (size_t i = 0; parts[i]; i++)
        if (!strstr(last_line, parts[i]))
            fail_msg("\"%s\" does not say \"%s\"", last_line, parts[i]);
}

static void test_variables_are_checked(void **state)
{
    (void)state;
    const struct {
        const char *name, *value, *allowed;
    } bad[] = {
        { "SNAG_SIGNAL", "sometimes", "never, auto or always" },
        { "SNAG_SIGNAL", "AUTO", "never, auto or always" },
        { "SNAG_WATCH_SECONDS", "-1", "0 (off) to 86400" },
        { "SNAG_WATCH_SECONDS", "10s", "0 (off) to 86400" },
        { "SNAG_WATCH_SECONDS", " 10", "0 (off) to 86400" },
        { "SNAG_WATCH_SECONDS", "86401", "0 (off) to 86400" },
        { "SNAG_WATCH_SECONDS", "99999999999999999999", "0 (off) to 86400" },
        { "SNAG_AUTO_DUMP_DIR", "/no/such/place", "no such directory" },
        { "SNAG_AUTO_DUMP_DIR", "/proc/version", "not a directory" },
        { "SNAG_LISTEN", "nonsense", "127.0.0.1:" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snag_options options = quiet_options();
        setenv(bad[i].name, bad[i].value, 1);
        refused(&options, -EINVAL,
                (const char *const[]){ bad[i].name, bad[i].value, bad[i].allowed, NULL });
        unsetenv(bad[i].name);
    }
}

static void test_a_refused_token_is_not_repeated(void **state)
{
    (void)state;
    snag_options options = quiet_options();
    setenv("SNAG_TOKEN", "top secret", 1);
    refused(&options, -EINVAL, (const char *const[]){ "SNAG_TOKEN", "without spaces", NULL });
    assert_null(strstr(last_line, "top secret"));
}

static void test_fields_are_checked(void **state)
{
    (void)state;
    snag_options options = quiet_options();
    options.signal_mode = (snag_signal_mode)7;
    refused(&options, -EINVAL,
            (const char *const[]){ "signal_mode", "7", "never, auto or always", NULL });
    options = quiet_options();
    options.watch_seconds = 100000;
    refused(&options, -EINVAL, (const char *const[]){ "watch_seconds", "100000", NULL });
    options = quiet_options();
    options.token = "a b";
    refused(&options, -EINVAL, (const char *const[]){ "snag_options.token", NULL });
    options = quiet_options();
    options.size = 0;
    snprintf(last_line, sizeof last_line, " ");
    /* Without a size the log callback is not trusted either: the line goes to stderr. */
    assert_int_equal(snag_start(&options), -EINVAL);
    assert_int_equal(lines, 0);
}

static void test_a_newer_caller_is_understood_while_its_news_are_zero(void **state)
{
    (void)state;
    struct {
        snag_options known;
        long news;
    } newer = { quiet_options(), 0 };
    newer.known.size = sizeof newer;
    assert_int_equal(snag_start(&newer.known), 0);
    snag_stop();
    newer.news = 1;
    lines = 0;
    refused(&newer.known, -EINVAL, (const char *const[]){ "does not know", NULL });
}

static void test_an_older_caller_is_understood(void **state)
{
    (void)state;
    snag_options options = quiet_options();
    options.size = offsetof(snag_options, token);
    options.token = "never read: it is past the size";
    assert_int_equal(snag_start(&options), 0);
    assert_non_null(snag_address());
}

static void test_the_environment_wins(void **state)
{
    (void)state;
    snag_options options = quiet_options();
    options.listen = "nonsense";
    setenv("SNAG_LISTEN", "127.0.0.1:0", 1);
    assert_int_equal(snag_start(&options), 0);
    assert_non_null(strstr(snag_address(), "127.0.0.1:"));
    snag_stop();
    setenv("SNAG_LISTEN", "off", 1);
    assert_int_equal(snag_start(NULL), 0);
    assert_null(snag_address());
}

static void test_an_empty_variable_is_no_variable(void **state)
{
    (void)state;
    snag_options options = quiet_options();
    setenv("SNAG_LISTEN", "", 1);
    setenv("SNAG_TOKEN", "", 1);
    setenv("SNAG_SIGNAL", "", 1);
    assert_int_equal(snag_start(&options), 0);
    assert_non_null(snag_address());
}

static void test_a_second_start_is_refused_and_harmless(void **state)
{
    (void)state;
    snag_options options = quiet_options();
    assert_int_equal(snag_start(&options), 0);
    char first[200];
    snprintf(first, sizeof first, "%s", snag_address());
    assert_int_equal(snag_start(&options), -EALREADY);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(last_line, first));
    assert_string_equal(snag_address(), first);
    snag_stop();
    snag_stop();
    assert_null(snag_address());
    assert_int_equal(snag_start(&options), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, clear_environment, clear_environment)
        TEST(test_variables_are_checked),
        TEST(test_a_refused_token_is_not_repeated),
        TEST(test_fields_are_checked),
        TEST(test_a_newer_caller_is_understood_while_its_news_are_zero),
        TEST(test_an_older_caller_is_understood),
        TEST(test_the_environment_wins),
        TEST(test_an_empty_variable_is_no_variable),
        TEST(test_a_second_start_is_refused_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
