/* test_fds_views.c proves what is written of a dump of descriptors: the sentences for a person,
 * the blocks, the JSON, the profile.
 *
 * The dump is made by hand: a leak of a hundred connections opened by one function, with ages
 * and unread bytes, and some others, so that every word can be foretold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/sink.h"
#include "base/stack.h"
#include "base/target.h"
#include "modules/modules.h"
#include "profile/profile.h"
#include "profile_check.h"
#include "sources/fds.h"
#include "symbolize/symbolize.h"
#include "views/fds_text.h"
#include "views/fds_view.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAKED 1204
#define SECOND UINT64_C(1000000000)
#define NOW (UINT64_C(7200) * SECOND)

static struct target target;
static struct modules *modules;
static struct symbolizer *symbolizer;
static struct fd_dump dump;
static uint64_t frames[2];

/* Two functions that are on the stack of the opener. */
__attribute__((noinline)) static int fetch_user_for_test(int number)
{
    __asm__ volatile("" ::: "memory");
    return number * 3;
}

__attribute__((noinline)) static int serve_for_test(int number)
{
    __asm__ volatile("" ::: "memory");
    return fetch_user_for_test(number) + 1;
}

static struct descriptor *put(int fd, const char *kind, const char *state, const char *where)
{
    struct descriptor *descriptor = &dump.descriptors[dump.count++];
    *descriptor = (struct descriptor){ .fd = fd,
                                       .kind = kind,
                                       .kind_is_sure = true,
                                       .state = state,
                                       .target = where,
                                       .access = -1,
                                       .flags = -1,
                                       .position = -1,
                                       .other_end = -1 };
    return descriptor;
}

static void opened(struct descriptor *descriptor, uint64_t seconds_ago)
{
    descriptor->has_origin = true;
    descriptor->origin = (struct origin){ .frames = frames,
                                          .frame_count = 2,
                                          .call = "socket",
                                          .tid = 4711,
                                          .time_ns = NOW - seconds_ago * SECOND };
}

static int begin(void **state)
{
    (void)state;
    static char texts[LEAKED][64];
    frames[0] = (uint64_t)(uintptr_t)fetch_user_for_test | FRAME_EXACT;
    frames[1] = (uint64_t)(uintptr_t)serve_for_test | FRAME_EXACT;
    if (target_open(&target, 0) != 0)
        return -1;
    modules = modules_new(&target);
    if (!modules || modules_refresh(modules) != 0)
        return -1;
    symbolizer = symbolizer_new(&target, modules);
    dump = (struct fd_dump){ .limit = 4096,
                             .time_ns = 1700000000 * SECOND,
                             .monotonic_ns = NOW,
                             .tracked = true,
                             .listed_all = true,
                             .sockets_by = "sock_diag" };
    dump.descriptors = calloc(LEAKED + 16, sizeof *dump.descriptors);
    struct descriptor *file = put(0, "file", NULL, "/var/log/a\nb.log (deleted)");
    file->deleted = true;
    file->flags = O_WRONLY | O_APPEND | O_CLOEXEC;
    file->position = 77;
    file->inode = 12345;
    put(1, "file", NULL, "/var/log/second.log");
    put(2, "file", NULL, "/var/log/third.log");
    for (int i = 0; i < LEAKED; i++) {
        snprintf(texts[i], sizeof texts[i], "127.0.0.1:%d -> 127.0.0.1:8080", 20000 + i);
        struct descriptor *leaked = put(10 + i, "tcp", "CLOSE_WAIT", texts[i]);
        leaked->local = "127.0.0.1:20000";
        leaked->peer = i < 1200 ? "127.0.0.1:8080" : "10.0.0.1:443";
        leaked->queues_known = true;
        leaked->unread = 2575;
        opened(leaked, (uint64_t)(i + 1));
    }
    struct descriptor *pipe = put(5000, "pipe", NULL, "pipe:[9], write end");
    pipe->access = O_WRONLY;
    pipe->queues_known = true;
    pipe->unsent = 65536;
    struct descriptor *datagrams = put(5001, "udp", "unconnected", "0.0.0.0:53");
    datagrams->local = "0.0.0.0:53";
    datagrams->queues_known = datagrams->queues_are_memory = true;
    datagrams->unread = 2304;
    struct descriptor *epoll = put(5002, "epoll", NULL, "watches 12 descriptors");
    epoll->detail = "watches fd 10 tcp IN";
    epoll->watched = 12;
    struct descriptor *unsure = put(5003, "file", NULL, "/mnt/dead/file");
    unsure->kind_is_sure = false;
    return symbolizer ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    free(dump.descriptors);
    symbolizer_free(symbolizer);
    modules_free(modules);
    target_close(&target);
    return 0;
}

static void must_hold(const struct sink_buffer *text, const char *part)
{
    if (!strstr(text->bytes, part))
        fail_msg("\"%s\" is not in:\n%.2000s", part, text->bytes);
}

static void must_not_hold(const struct sink_buffer *text, const char *part)
{
    if (strstr(text->bytes, part))
        fail_msg("\"%s\" is in:\n%.2000s", part, text->bytes);
}

static void test_groups(void **state)
{
    (void)state;
    struct sink_buffer text;
    sink_buffer_init(&text);
    fds_write_groups(&text.sink, &dump, symbolizer);
    assert_int_equal(text.sink.error, 0);
    assert_memory_equal(text.bytes, "1211 of 4096 descriptors open (29 %)\n", 37);
    must_hold(&text, "1 path was not asked for the type");
    must_not_hold(&text, "libsnag-track");
    must_not_hold(&text, "sockets by");
    char *largest = strstr(text.bytes, "\n\n");
    const char *sentence =
        "\n\n1,204 tcp CLOSE_WAIT to 127.0.0.1:8080 (1,200), to 10.0.0.1:443 (4), 3.1 MB unread, "
        "opened by fetch_user_for_test at test_fds_views.c:";
    assert_non_null(largest);
    if (strncmp(largest, sentence, strlen(sentence)) != 0)
        fail_msg("the first group is %.300s", largest);
    must_hold(&text, ", oldest 20 min\n    fds 1213 1212 1211 1210 1209 1208 1207 1206 and 1,196 "
                     "more\n    #0   fetch_user_for_test at ");
    must_hold(&text, "    #1   serve_for_test at ");
    must_hold(&text, "\n2 files in /var/log\n    fds 1 2\n");
    must_hold(&text,
              "\n1 file deleted from /var/log\n    /var/log/a\\x0ab.log (deleted)\n    fd 0\n");
    must_hold(&text, "\n1 pipe write ends alone, 65.5 kB unsent\n");
    must_hold(&text, "\n1 udp unconnected on 0.0.0.0:53, 2.3 kB of kernel memory unread\n");
    must_hold(&text, "\n1 epoll\n    watches 12 descriptors\n");
    sink_buffer_free(&text);
}

static void test_groups_say_what_is_missing(void **state)
{
    (void)state;
    struct sink_buffer text;
    struct fd_dump poor = dump;
    sink_buffer_init(&text);
    poor.count = 3;
    poor.limit = 0;
    poor.tracked = false;
    poor.listed_all = false;
    poor.own_among_them = true;
    poor.not_looked_at = 5;
    poor.sockets_by = "/proc/net";
    fds_write_groups(&text.sink, &poor, symbolizer);
    assert_memory_equal(text.bytes, "3 descriptors open\n", 19);
    must_hold(&text, "who opened them is not known: libsnag-track is not in the process\n");
    must_hold(&text, "sockets by /proc/net\n");
    must_hold(&text, "5 descriptors were not looked at: the time was used up\n");
    must_hold(&text, "some descriptors are missing\n");
    must_hold(&text, "the listener's own descriptors are among them");
    sink_buffer_free(&text);
}

static void test_full_table(void **state)
{
    (void)state;
    struct sink_buffer text;
    struct fd_dump full = dump;
    sink_buffer_init(&text);
    full.limit = 1228;
    fds_write_totals(&text.sink, &full);
    assert_memory_equal(text.bytes, "1211 of 1228 descriptors open (98 %)\n", 37);
    sink_buffer_free(&text);
}

static void test_nothing_open(void **state)
{
    (void)state;
    struct sink_buffer text;
    struct fd_dump empty = dump;
    empty.count = 0;
    sink_buffer_init(&text);
    fds_write_groups(&text.sink, &empty, symbolizer);
    assert_string_equal(text.bytes, "0 of 4096 descriptors open (0 %)\n");
    text.length = 0;
    fds_write_json(&text.sink, &empty, symbolizer);
    must_hold(&text, "\"count\": 0");
    must_hold(&text, "\"fds\": []}\n");
    sink_buffer_free(&text);
}

static void test_blocks(void **state)
{
    (void)state;
    struct sink_buffer text;
    sink_buffer_init(&text);
    fds_write_blocks(&text.sink, &dump, symbolizer);
    assert_memory_equal(text.bytes, "1211 of 4096 descriptors open (29 %)\n", 37);
    must_hold(&text, "\nfd 0: file, /var/log/a\\x0ab.log (deleted)\n"
                     "     flags O_WRONLY|O_APPEND|O_CLOEXEC, position 77, inode 12345\n");
    must_hold(&text, "\nfd 10: tcp CLOSE_WAIT, 127.0.0.1:20000 -> 127.0.0.1:8080\n"
                     "     unread 2.5 kB, unsent 0 bytes\n"
                     "     opened by socket() in thread 4711 1.0 s ago\n"
                     "     #0   0x");
    must_hold(&text, "\nfd 5001: udp unconnected, 0.0.0.0:53\n"
                     "     unread 2.3 kB of kernel memory, unsent 0 bytes of kernel memory\n");
    must_hold(&text, "\nfd 5002: epoll, watches 12 descriptors\n     watches fd 10 tcp IN\n");
    must_hold(&text, "\nfd 5003: file (not certain), /mnt/dead/file\n");
    sink_buffer_free(&text);
}

static void test_json(void **state)
{
    (void)state;
    struct sink_buffer text;
    sink_buffer_init(&text);
    fds_write_json(&text.sink, &dump, symbolizer);
    must_hold(&text, "\"count\": 1211, \"limit\": 4096, \"sockets_by\": \"sock_diag\"");
    must_hold(&text, "{\"fd\": 0, \"kind\": \"file\", \"kind_is_sure\": true, \"state\": null, "
                     "\"target\": \"/var/log/a\\u000ab.log (deleted)\", \"local\": null, "
                     "\"peer\": null, \"detail\": null, \"inode\": \"12345\", \"deleted\": true, "
                     "\"flags\": \"O_WRONLY|O_APPEND|O_CLOEXEC\", \"position\": 77, ");
    must_hold(&text, "\"unread\": 2575, \"unsent\": 0, \"queues_are_memory\": false, "
                     "\"watched\": null, \"other_end\": null,\n   \"opened\": {\"call\": "
                     "\"socket\", \"tid\": 4711, \"age_ns\": 1000000000, \"partial\": null, "
                     "\"frames\": [");
    must_hold(&text, "\"function\": \"fetch_user_for_test\"");
    must_hold(&text, "\"watched\": 12");
    sink_buffer_free(&text);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        { 0, "0 bytes" },         { 1, "1 byte" },
        { 999, "999 bytes" },     { 1000, "1.0 kB" },
        { 999999, "999.9 kB" },   { 1000000, "1.0 MB" },
        { 3100816, "3.1 MB" },    { UINT64_C(18000000000000000000), "18.0 EB" },
        { 1234567890, "1.2 GB" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink_buffer text;
        sink_buffer_init(&text);
        fds_write_bytes(&text.sink, rows[i].bytes);
        assert_string_equal(text.bytes, rows[i].text);
        sink_buffer_free(&text);
    }
    struct sink_buffer text;
    sink_buffer_init(&text);
    fds_write_count(&text.sink, 1002003);
    assert_string_equal(text.bytes, "1,002,003");
    text.length = 0;
    fds_write_flags(&text.sink, O_RDWR | O_TMPFILE | O_SYNC | O_PATH);
    assert_string_equal(text.bytes, "O_RDWR|O_PATH|O_TMPFILE|O_SYNC");
    sink_buffer_free(&text);
}

/* The profile of one dump, or of the difference of two. */
static Perftools__Profiles__Profile *profile_of(const struct fd_dump *before,
                                                const struct fd_dump *after, bool with_numbers)
{
    struct sink_buffer bytes;
    struct profile *profile = profile_new("fds", modules, symbolizer);
    fds_profile_types(profile);
    if (before)
        fds_profile_add(profile, before, -1, with_numbers);
    fds_profile_add(profile, after, 1, with_numbers);
    fds_profile_comments(profile, after);
    sink_buffer_init(&bytes);
    assert_int_equal(profile_write_gzip(profile, &bytes.sink), 0);
    const char *wrong = profile_check(bytes.bytes, bytes.length);
    if (wrong)
        fail_msg("%s", wrong);
    Perftools__Profiles__Profile *read = profile_read(bytes.bytes, bytes.length);
    assert_non_null(read);
    sink_buffer_free(&bytes);
    profile_free(profile);
    return read;
}

static int64_t number_of(const Perftools__Profiles__Profile *profile,
                         const Perftools__Profiles__Sample *sample, const char *key)
{
    for (size_t i = 0; i < sample->n_label; i++)
        if (strcmp(profile_text(profile, sample->label[i]->key), key) == 0)
            return sample->label[i]->num;
    return -1;
}

static void check_stack(const Perftools__Profiles__Profile *profile,
                        const Perftools__Profiles__Sample *sample, const char *const *names)
{
    size_t depth = 0;
    for (; names[depth]; depth++) {
        assert_true(depth < sample->n_location_id);
        assert_string_equal(profile_frame_name(profile, sample, depth), names[depth]);
    }
    assert_int_equal(sample->n_location_id, depth);
}

static void check_sample(const Perftools__Profiles__Profile *profile,
                         const Perftools__Profiles__Sample *sample)
{
    static const struct {
        int fd;
        const char *names[4];
        int64_t unread;
    } rows[] = {
        { 0, { "deleted", "file" }, 0 },
        { 1, { "file" }, 0 },
        { 10, { "fetch_user_for_test", "serve_for_test" }, 2575 },
        { 5000, { "write end", "pipe" }, 0 },
        { 5001, { "unconnected", "udp", "socket" }, 2304 },
        { 5002, { "epoll" }, 0 },
    };
    int64_t fd = number_of(profile, sample, "fd");
    const struct descriptor *descriptor = fd_dump_find(&dump, (int)fd);
    assert_non_null(descriptor);
    assert_string_equal(profile_label_text(profile, sample, "kind"), descriptor->kind);
    assert_string_equal(profile_label_text(profile, sample, "target"), descriptor->target);
    if (descriptor->state)
        assert_string_equal(profile_label_text(profile, sample, "state"), descriptor->state);
    else
        assert_null(profile_label_text(profile, sample, "state"));
    assert_int_equal(sample->value[0], 1);
    assert_int_equal(sample->value[1], fds_age_ns(&dump, descriptor));
    assert_int_equal(sample->value[2], descriptor->unread);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].fd != fd)
            continue;
        check_stack(profile, sample, rows[i].names);
        assert_int_equal(sample->value[2], rows[i].unread);
    }
}

static void test_profile(void **state)
{
    (void)state;
    Perftools__Profiles__Profile *profile = profile_of(NULL, &dump, true);
    assert_int_equal(profile->n_sample_type, 3);
    assert_string_equal(profile_text(profile, profile->sample_type[0]->type), "fds");
    assert_string_equal(profile_text(profile, profile->sample_type[1]->unit), "nanoseconds");
    assert_string_equal(profile_text(profile, profile->sample_type[2]->type), "unread");
    assert_string_equal(profile_text(profile, profile->sample_type[2]->unit), "bytes");
    assert_int_equal(profile->n_sample, dump.count);
    for (size_t i = 0; i < profile->n_sample; i++)
        check_sample(profile, profile->sample[i]);
    assert_true(profile->n_comment >= 1);
    assert_string_equal(profile_text(profile, profile->comment[0]),
                        "1211 of 4096 descriptors open");
    perftools__profiles__profile__free_unpacked(profile, NULL);
}

/* Without numbers those that are alike are one sample. */
static void test_profile_without_numbers(void **state)
{
    (void)state;
    struct fd_dump alike = dump;
    alike.descriptors = calloc(100, sizeof *alike.descriptors);
    for (int i = 0; i < 100; i++) {
        alike.descriptors[i] = dump.descriptors[3 + i]; /* leaked ones, each from its own port */
        alike.descriptors[i].fd = i;
    }
    alike.count = 100;
    Perftools__Profiles__Profile *profile = profile_of(NULL, &alike, false);
    assert_int_equal(profile->n_sample, 1);
    assert_int_equal(profile->sample[0]->value[0], 100);
    assert_int_equal(profile->sample[0]->value[2], 257500);
    assert_string_equal(profile_label_text(profile, profile->sample[0], "target"),
                        "to 127.0.0.1:8080");
    assert_int_equal(number_of(profile, profile->sample[0], "fd"), -1);
    perftools__profiles__profile__free_unpacked(profile, NULL);
    profile = profile_of(NULL, &alike, true);
    assert_int_equal(profile->n_sample, 100);
    perftools__profiles__profile__free_unpacked(profile, NULL);
    free(alike.descriptors);
}

/* A difference holds what came and what went, and nothing of what stayed. */
static void test_profile_difference(void **state)
{
    (void)state;
    struct fd_dump before = dump;
    struct fd_dump after = dump;
    before.count = dump.count - 1;
    after.descriptors = dump.descriptors + 1;
    after.count = dump.count - 1;
    Perftools__Profiles__Profile *profile = profile_of(&before, &after, true);
    assert_int_equal(profile->n_sample, 2);
    for (size_t i = 0; i < 2; i++) {
        int64_t fd = number_of(profile, profile->sample[i], "fd");
        assert_int_equal(profile->sample[i]->value[0], fd == 0 ? -1 : 1);
        assert_true(fd == 0 || fd == 5003);
    }
    perftools__profiles__profile__free_unpacked(profile, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_groups_say_what_is_missing),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_nothing_open),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_profile_without_numbers),
        cmocka_unit_test(test_profile_difference),
    };
    return cmocka_run_group_tests_name("views of descriptors", tests, begin, end);
}
