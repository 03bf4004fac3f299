#!/usr/bin/env bash
# test_leakcheck_run.sh proves that the leak check works without a change of code
# (`snag run --leakcheck`), in programs that fork, within cmocka, Check and
# GoogleTest, in programs built with sanitizers, and under valgrind.
set -u
[ "${SNAG_ENGINE_IS_LINKED:-0}" = 0 ] || { echo "skipped: a sanitizer build"; exit 77; }
. "$SNAG_SOURCE/tests/support/service.sh"
snag=$SNAG_BUILD/src/snag
unset SNAG_LISTEN LD_PRELOAD

# ends STATUS COMMAND...: runs it, with what it says in $work/out
ends() {
    local wanted=$1 status=0
    shift
    timeout 120 "$@" >"$work/out" 2>&1 </dev/null || status=$?
    [ "$status" = "$wanted" ] || { cat "$work/out"; fail "$*: status $status, not $wanted"; }
}
says() { grep -qF -- "$1" "$work/out" || { cat "$work/out"; fail "'$1' was not said"; }; }
silent() { ! grep -qF -- "$1" "$work/out" || { cat "$work/out"; fail "'$1' was said"; }; }

cat >"$work/plain.c" <<'END_OF_C'
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static pthread_t thread;
static int fd = -1;
__attribute__((noinline)) static int opens_file(void) { int n = open("/etc/passwd", O_RDONLY); __asm__ volatile("" ::: "memory"); return n; }
static void *hangs(void *unused) { pause(); return unused; }
static void ends_all(void) { close(fd); pthread_cancel(thread); pthread_join(thread, NULL); }
/* What a library does before main is no leak of the program's. */
__attribute__((constructor)) static void early(void) { open("/etc/group", O_RDONLY); }
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "file") == 0)
        opens_file();
    if (strcmp(what, "thread") == 0 || strcmp(what, "exit handler") == 0)
        pthread_create(&thread, NULL, hangs, NULL);
    if (strcmp(what, "exit handler") == 0) {
        fd = opens_file();
        atexit(ends_all);
    }
    if (strcmp(what, "fails") == 0)
        return opens_file() < 0 ? 1 : 5;
    if (strcmp(what, "child") == 0 || strcmp(what, "clean child") == 0) {
        int own = opens_file();
        fflush(NULL);
        if (fork() == 0) {
            if (strcmp(what, "child") == 0)
                opens_file();
            exit(0);
        }
        int status;
        wait(&status);
        close(own);
        printf("child ended with %d\n", WEXITSTATUS(status));
    }
    if (strcmp(what, "starts another") == 0) {
        char *arguments[] = { argv[0], "file", NULL };
        pid_t child;
        int status;
        posix_spawn(&child, argv[0], NULL, NULL, arguments, environ);
        waitpid(child, &status, 0);
        printf("another ended with %d\n", WEXITSTATUS(status));
    }
    return 0;
}
END_OF_C
gcc -g -pthread -o "$work/plain" "$work/plain.c" || fail "plain.c does not compile"

ends 0 "$snag" run --leakcheck "$work/plain"
[ ! -s "$work/out" ] || fail "a program that leaks nothing is not silent"
ends 1 "$snag" run --leakcheck "$work/plain" file
says "snag: 1 leak: 1 descriptor"
says "opens_file at "
ends 9 "$snag" run --leakcheck --exit-code 9 "$work/plain" thread
says "snag: 1 leak: 1 thread"
says "hangs at "
says "started by pthread_create"
ends 0 "$snag" run --leakcheck "$work/plain" "exit handler"
ends 5 "$snag" run --leakcheck "$work/plain" fails
[ ! -s "$work/out" ] || fail "a program that failed was looked at"
ends 0 "$snag" run --leakcheck "$work/plain" "clean child"
says "child ended with 0"
ends 0 "$snag" run --leakcheck "$work/plain" child
says "child ended with 1"
says "snag: 1 leak: 1 descriptor"
ends 0 "$snag" run --leakcheck "$work/plain" "starts another"
says "another ended with 0"
ends 0 "$snag" run --leakcheck --children "$work/plain" "starts another"
says "another ended with 1"
ends 1 "$snag" run --leakcheck --no-fds "$work/plain" file
says "opened by whom is not known"
ends 0 env SNAG_LEAK_IGNORE_TARGETS="/etc/*" "$snag" run --leakcheck "$work/plain" file
ends 2 "$snag" run --leakcheck --exit-code 256 "$work/plain"
says "--exit-code is a number from 1 to 255"
ends 2 "$snag" run --exit-code 3 "$work/plain"
says "--exit-code is for --leakcheck"

# Frameworks: of two tests, the one that leaks fails, and the other passes.
common="-g -I$SNAG_SOURCE/include -L$SNAG_BUILD/src -Wl,-rpath,$SNAG_BUILD/src -Wall -Wextra -Wpedantic -Werror"
cat >"$work/with_cmocka.c" <<'END_OF_C'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <snag/leak/cmocka.h>
#include <fcntl.h>
static void keeps_nothing(void **state) { (void)state; }
static void forgets_a_file(void **state) { (void)state; assert_true(open("/etc/passwd", O_RDONLY) >= 0); }
int main(void)
{
    const struct CMUnitTest tests[] = { snag_leak_test(keeps_nothing), snag_leak_test(forgets_a_file), snag_leak_test(keeps_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
END_OF_C
# shellcheck disable=SC2086
gcc -std=c11 $common -o "$work/with_cmocka" "$work/with_cmocka.c" -lcmocka -lsnag || fail "with_cmocka.c does not compile"
ends 1 "$work/with_cmocka"
says "snag: 1 leak: 1 descriptor"
says "[  PASSED  ] 2 test(s)."

cat >"$work/with_check.c" <<'END_OF_C'
#include <check.h>
#include <snag/leak/check.h>
#include <fcntl.h>
START_TEST(keeps_nothing) {} END_TEST
START_TEST(forgets_a_file) { ck_assert(open("/etc/passwd", O_RDONLY) >= 0); } END_TEST
int main(void)
{
    Suite *suite = suite_create("leaks");
    TCase *tcase = tcase_create("all");
    snag_leak_tcase(tcase);
    tcase_add_test(tcase, keeps_nothing);
    tcase_add_test(tcase, forgets_a_file);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
END_OF_C
# shellcheck disable=SC2046,SC2086
gcc -std=gnu11 -g -I"$SNAG_SOURCE/include" -L"$SNAG_BUILD/src" -Wl,-rpath,"$SNAG_BUILD/src" -o "$work/with_check" "$work/with_check.c" $(pkg-config --cflags --libs check) -lsnag ||
    fail "with_check.c does not compile"
for mode in yes no; do
    ends 1 env CK_FORK=$mode CK_DEFAULT_TIMEOUT=120 "$work/with_check"
    says "snag: 1 leak: 1 descriptor"
    says "50%: Checks: 2, Failures: 1, Errors: 0"
    says "the test left 1 threads, descriptors or handles behind"
done

cat >"$work/with_gtest.cc" <<'END_OF_C'
#include <snag/leak/gtest.hpp>
#include <fcntl.h>
TEST(leaks, keeps_nothing) {}
TEST(leaks, forgets_a_file) { ASSERT_GE(open("/etc/passwd", O_RDONLY), 0); }
TEST(leaks, keeps_nothing_either) {}
int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    snag::leak_listener::install();
    return RUN_ALL_TESTS();
}
END_OF_C
# shellcheck disable=SC2086
g++ -std=c++17 $common -o "$work/with_gtest" "$work/with_gtest.cc" -lgtest -lsnag -pthread || fail "with_gtest.cc does not compile"
ends 1 "$work/with_gtest"
says "snag: 1 leak: 1 descriptor"
says "[  FAILED  ] leaks.forgets_a_file"
says "[  PASSED  ] 2 tests."

# A program with its own main, plain, under sanitizers and valgrind.
cat >"$work/own.c" <<'END_OF_C'
#include <snag/leak.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
static void *hangs(void *unused) { pause(); return unused; }
int main(int argc, char **argv)
{
    (void)argv;
    pthread_t thread;
    if (argc > 1) {
        pthread_create(&thread, NULL, hangs, NULL);
        open("/etc/passwd", O_RDONLY);
    }
    return snag_leaks_verify_main(0);
}
END_OF_C
for sanitizer in "" -fsanitize=address -fsanitize=undefined -fsanitize=thread; do
    # shellcheck disable=SC2086
    gcc -std=c11 $common $sanitizer -o "$work/own" "$work/own.c" -pthread -lsnag || fail "own.c does not compile"
    ends 0 "$work/own"
    [ ! -s "$work/out" ] || fail "$sanitizer: a program that leaks nothing is not silent"
    ends 1 env ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_bugs=0 "$work/own" leak
    says "snag: 2 leaks: 1 thread, 1 descriptor"
    says "hangs"
done
# shellcheck disable=SC2086
gcc -std=c11 $common -o "$work/own" "$work/own.c" -pthread -lsnag
ends 0 valgrind -q --error-exitcode=99 "$work/own"
ends 1 valgrind -q --error-exitcode=99 "$work/own" leak
says "snag: 2 leaks: 1 thread, 1 descriptor"
exit $failed
