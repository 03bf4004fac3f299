/* test_track_gone.c proves that a descriptor's opener is named rightly when it
 * was in a plug-in that is gone, and another plug-in is mapped at the same
 * addresses; and that where its file is gone too, no other name is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "track_look.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static struct track_look look;

static void path_of(const char *name, char *path)
{
    snprintf(path, PATH_MAX, "%s/tests/programs/%s.so", getenv("SNAG_BUILD"), name);
}

/* Opens /dev/null by the plug-in at PATH, which is unloaded again. *PLACE is where its function
 * was. */
static int open_by(const char *path, uintptr_t *place)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        print_error("%s\n", dlerror());
    assert_non_null(module);
    int (*const *opens)(const char *) = (int (*const *)(const char *))dlsym(module, "plugin_opens");
    assert_non_null(opens);
    *place = (uintptr_t)*opens;
    int fd = (*opens)("/dev/null");
    dlclose(module);
    assert_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD)); /* it is gone indeed */
    return fd;
}

static bool opened_by(int fd, const char *function)
{
    struct origin origin;
    assert_true(tracking_fd(look.tracking, fd, &origin));
    bool found = track_has_function(&look, &origin, function);
    if (!found)
        print_error("fd %d: opened by %s, not by %s\n", fd, track_function(&look, &origin),
                    function);
    return found && track_has_function(&look, &origin, "main");
}

static void test_another_in_its_place(void **state)
{
    char first[PATH_MAX], second[PATH_MAX];
    uintptr_t places[4];
    int fds[4];
    (void)state;
    path_of("opener_first", first);
    path_of("opener_second", second);
    for (int i = 0; i < 4; i++)
        fds[i] = open_by(i % 2 ? second : first, &places[i]);
    assert_int_equal(places[0], places[1]); /* else this test shows nothing */
    for (int reading = 0; reading < 2; reading++) {
        assert_true(track_look_again(&look));
        for (int i = 0; i < 4; i++)
            assert_true(opened_by(fds[i], i % 2 ? "second_plugin_opens" : "first_plugin_opens"));
        void *module = dlopen(second, RTLD_NOW); /* now it is there when its stack is read */
        assert_true(track_look_again(&look));
        for (int i = 0; i < 4; i++)
            assert_true(opened_by(fds[i], i % 2 ? "second_plugin_opens" : "first_plugin_opens"));
        dlclose(module);
    }
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void copy_file(const char *from, const char *to)
{
    struct stat status;
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    assert_true(in >= 0 && out >= 0 && fstat(in, &status) == 0);
    assert_int_equal(sendfile(out, in, NULL, (size_t)status.st_size), status.st_size);
    close(in);
    close(out);
}

static void test_no_name_from_another_file(void **state)
{
    char third[PATH_MAX], second[PATH_MAX], directory[] = "/tmp/snag-gone-XXXXXX";
    char copy[sizeof directory + 16];
    struct origin origin;
    uintptr_t place, other;
    (void)state;
    path_of("opener_third", third);
    path_of("opener_second", second);
    assert_non_null(mkdtemp(directory));
    snprintf(copy, sizeof copy, "%s/plugin.so", directory);
    copy_file(third, copy);
    int fd = open_by(copy, &place);
    copy_file(second, copy); /* a new version of it */
    int newer = open_by(copy, &other);
    assert_int_equal(place, other);
    assert_true(track_look_again(&look));
    assert_true(tracking_fd(look.tracking, fd, &origin));
    assert_true(track_has_function(&look, &origin, "plugin.so+0x*"));
    assert_false(track_has_function(&look, &origin, "second_plugin_opens"));
    assert_true(opened_by(newer, "second_plugin_opens"));
    unlink(copy);
    rmdir(directory);
    close(fd);
    close(newer);
}

int main(void)
{
    alarm(120);
    track_look_open(&look);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_in_its_place),
        cmocka_unit_test(test_no_name_from_another_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    track_look_close(&look);
    return failed;
}
