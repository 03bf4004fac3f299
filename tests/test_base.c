/* test_base.c proves the small things every step stands on: text that others
 * chose is made harmless, durations read as a person says them, memory that
 * is not mapped is an error and not a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/arena.h"
#include "base/sink.h"
#include "base/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void written_is(void (*function)(struct sink *, const char *), const char *text,
                       const char *expected)
{
    struct sink_buffer buffer;
    sink_buffer_init(&buffer);
    function(&buffer.sink, text);
    sink_puts(&buffer.sink, ".");
    assert_int_equal(buffer.sink.error, 0);
    buffer.bytes[buffer.length - 1] = 0;
    assert_string_equal(buffer.bytes, expected);
    sink_buffer_free(&buffer);
}

static void test_text_of_others_is_made_harmless(void **state)
{
    (void)state;
    written_is(sink_json_string, "a\"b\\c\n\x1b[31m", "\"a\\\"b\\\\c\\u000a\\u001b[31m\"");
    written_is(sink_json_string, "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
    written_is(sink_json_string, "\xff\xc3", "\"\\ufffd\\ufffd\"");
    written_is(sink_json_string, "\xc0\xaf\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
    written_is(sink_json_string, "\xf0\x9f\x90\x8c", "\"\xf0\x9f\x90\x8c\"");
    written_is(sink_json_string, NULL, "null");
    written_is(sink_plain, "worker\x1b]0;x\x07\n", "worker\\x1b]0;x\\x07\\x0a");
    written_is(sink_plain, "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5", "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5");
    written_is(sink_plain,
               "a\xc2\x9b"
               "31mb",
               "a\\xc2\\x9b31mb");
    written_is(sink_plain,
               "a\x9b"
               "31m\xff",
               "a\\x9b31m\\xff");
    written_is(sink_plain,
               "a\xe2\x80\xae"
               "b\xe2\x80\x94",
               "a\\xe2\\x80\\xaeb\xe2\x80\x94");
    written_is(sink_plain, "", "");
    written_is(sink_html, "<a href='x'>\"&\"", "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;");
}

static void test_durations_read_as_said(void **state)
{
    (void)state;
    const struct {
        uint64_t ns;
        const char *said;
    } cases[] = {
        { 0, "<1 ms" },
        { 999999, "<1 ms" },
        { 850000000, "850 ms" },
        { UINT64_C(3200000000), "3.2 s" },
        { UINT64_C(59999000000), "59 s" },
        { UINT64_C(1200000000000), "20 min" },
        { UINT64_C(18720000000000), "5 h 12 min" },
        { UINT64_C(864000000000000), "10 d 0 h" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sink_buffer buffer;
        sink_buffer_init(&buffer);
        sink_duration(&buffer.sink, cases[i].ns);
        assert_string_equal(buffer.bytes, cases[i].said);
        sink_buffer_free(&buffer);
    }
}

static void test_long_lines_are_whole(void **state)
{
    (void)state;
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = 0;
    struct sink_buffer buffer;
    sink_buffer_init(&buffer);
    for (int i = 0; i < 20; i++)
        sink_printf(&buffer.sink, "%d%s\n", i % 10, text);
    assert_int_equal(buffer.sink.error, 0);
    assert_int_equal(buffer.length, 20 * 100002);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(buffer.bytes[i * 100002], '0' + (int)(i % 10));
        assert_int_equal(buffer.bytes[i * 100002 + 100001], '\n');
    }
    sink_buffer_free(&buffer);
    free(text);
}

static int refuse(struct sink *sink, const void *bytes, size_t length)
{
    (void)sink;
    (void)bytes;
    (void)length;
    return -EPIPE;
}

static void test_a_sink_remembers_its_first_error(void **state)
{
    (void)state;
    struct sink sink = { .write = refuse };
    sink_puts(&sink, "a");
    assert_int_equal(sink.error, -EPIPE);
    sink.write = NULL; /* never called again */
    sink_printf(&sink, "%d", 1);
    assert_int_equal(sink.error, -EPIPE);
}

static void test_unmapped_memory_is_an_error(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_open(&target, 0), 0);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(two, MAP_FAILED);
    memset(two, 7, 2 * page);
    assert_int_equal(munmap(two + page, page), 0);
    unsigned char bytes[100];
    for (int way = 0; way < 2; way++) {
        target.vm_refused = way == 1; /* by process_vm_readv, then by /proc/PID/mem */
        assert_int_equal(target_read(&target, (uintptr_t)two + page - 40, bytes, 100), 40);
        assert_int_equal(bytes[39], 7);
        assert_false(target_read_all(&target, (uintptr_t)two + page - 40, bytes, 100));
        assert_true(target_read(&target, 8, bytes, 100) < 0);
        assert_true(target_read(&target, UINT64_MAX - 50, bytes, 100) < 0);
    }
    munmap(two, page);
    target_close(&target);
}

static void test_files_of_any_length_are_read_whole(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_open(&target, 0), 0);
    enum { MAPPINGS = 3000 };
    static void *pages[MAPPINGS];
    for (int i = 0; i < MAPPINGS; i++) {
        int rights = i % 2 ? PROT_READ : PROT_NONE; /* unlike neighbours are not merged */
        pages[i] = mmap(NULL, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    char *text;
    ssize_t length = proc_read_whole(target.proc_fd, "maps", &text);
    assert_true(length > MAPPINGS * 40);
    assert_int_equal(strlen(text), length);
    free(text);
    char small[5];
    assert_int_equal(proc_read(target.proc_fd, "cmdline", small, sizeof small), 4);
    assert_int_equal(small[4], 0);
    assert_int_equal(proc_read(target.proc_fd, "nothing", small, sizeof small), -ENOENT);
    for (int i = 0; i < MAPPINGS; i++)
        munmap(pages[i], 4096);
    target_close(&target);
}

static void test_an_arena_gives_zeroed_memory_of_any_size(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT;
    for (size_t size = 0; size < 3000000; size = size * 2 + 13) {
        unsigned char *bytes = arena_alloc(&arena, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < size; i += 97)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, size);
    }
    assert_null(arena_alloc(&arena, SIZE_MAX - 5));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    arena_release(&arena);
    assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_others_is_made_harmless),
        cmocka_unit_test(test_durations_read_as_said),
        cmocka_unit_test(test_long_lines_are_whole),
        cmocka_unit_test(test_a_sink_remembers_its_first_error),
        cmocka_unit_test(test_unmapped_memory_is_an_error),
        cmocka_unit_test(test_files_of_any_length_are_read_whole),
        cmocka_unit_test(test_an_arena_gives_zeroed_memory_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
