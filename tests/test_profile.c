/* test_profile.c proves that what the builder writes is a profile: by the rules
 * of the format, the same bytes whatever the order of adding, merged, with differences of
 * either sign, and read by `go tool pprof` in both forms. */
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
#include "profile/message.h"
#include "profile/profile.h"
#include "profile_check.h"
#include "symbolize/symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct target target;
static struct modules *modules;
static struct symbolizer *symbolizer;

/* Return addresses with a known place in this file. */
static uint64_t from_plain;
static uint64_t from_inlined;
static int plain_line; /* of the call in plain_caller */

__attribute__((noinline)) static uint64_t own_return_address(void)
{
    __asm__ volatile("");
    return (uintptr_t)__builtin_return_address(0);
}

__attribute__((noinline)) static void plain_caller(void)
{
    plain_line = __LINE__ + 1;
    from_plain = own_return_address();
    __asm__ volatile("");
}

__attribute__((always_inline)) static inline void inlined_caller(void)
{
    from_inlined = own_return_address();
    __asm__ volatile("");
}

__attribute__((noinline)) static void outer_of_inlined(void)
{
    inlined_caller();
    __asm__ volatile("");
}

static int set_up(void **state)
{
    (void)state;
    if (target_open(&target, 0) != 0)
        return -1;
    modules = modules_new(&target);
    symbolizer_prepare();
    if (!modules || modules_refresh(modules) != 0)
        return -1;
    symbolizer = symbolizer_new(&target, modules);
    plain_caller();
    outer_of_inlined();
    return symbolizer ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    symbolizer_free(symbolizer);
    modules_free(modules);
    target_close(&target);
    return 0;
}

static struct profile *new_profile(void)
{
    struct profile *profile = profile_new("threads", modules, symbolizer);
    assert_non_null(profile);
    profile_add_type(profile, "threads", "count");
    profile_add_type(profile, "blocked", "nanoseconds");
    profile_set_period(profile, "threads", "count", 1);
    return profile;
}

/* Written, checked by the rules, and freed with the profile's memory. */
static struct sink_buffer written(struct profile *profile)
{
    struct sink_buffer buffer;
    sink_buffer_init(&buffer);
    assert_int_equal(profile_write_gzip(profile, &buffer.sink), 0);
    const char *found = profile_check(buffer.bytes, buffer.length);
    if (found)
        fail_msg("%s", found);
    profile_free(profile);
    return buffer;
}

static Profile *read_back(struct profile *profile)
{
    struct sink_buffer buffer = written(profile);
    Profile *read = profile_read(buffer.bytes, buffer.length);
    assert_non_null(read);
    sink_buffer_free(&buffer);
    return read;
}

static void free_read(Profile *profile)
{
    perftools__profiles__profile__free_unpacked(profile, NULL);
}

static void add(struct profile *profile, const uint64_t *frames, size_t count, int64_t threads,
                int64_t blocked, const char *thread)
{
    const int64_t values[2] = { threads, blocked };
    const struct profile_label labels[] = { { .key = "thread", .text = thread },
                                            { .key = "state", .text = "sleeping" } };
    profile_add(profile, frames, count, values, labels, 2);
}

/* The only sample that has the text label `thread` THREAD, or NULL. */
static const Sample *sample_of(const Profile *profile, const char *thread)
{
    const Sample *found = NULL;
    for (size_t i = 0; i < profile->n_sample; i++) {
        const char *text = profile_label_text(profile, profile->sample[i], "thread");
        if (!text || strcmp(text, thread) != 0)
            continue;
        assert_null(found);
        found = profile->sample[i];
    }
    return found;
}

static const Location *frame_of(const Profile *profile, const Sample *sample, size_t depth)
{
    assert_non_null(sample);
    assert_true(depth < sample->n_location_id);
    const Location *location = profile_location(profile, sample->location_id[depth]);
    assert_non_null(location);
    return location;
}

static const char *line_name(const Profile *profile, const Location *location, size_t i)
{
    const Function *function = profile_function(profile, location->line[i]->function_id);
    return profile_text(profile, function->name);
}

static void test_head_and_comments(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    profile_set_time(profile, UINT64_C(1700000000000000000), UINT64_C(2000000000));
    profile_add_comment(profile, "%d threads: %s", 3, "all well");
    profile_add_comment(profile, "second");
    add(profile, &from_plain, 1, 1, 5, "a");
    Profile *read = read_back(profile);
    assert_int_equal(read->n_sample_type, 2);
    assert_string_equal(profile_text(read, read->sample_type[0]->type), "threads");
    assert_string_equal(profile_text(read, read->sample_type[0]->unit), "count");
    assert_string_equal(profile_text(read, read->sample_type[1]->type), "blocked");
    assert_string_equal(profile_text(read, read->sample_type[1]->unit), "nanoseconds");
    assert_string_equal(profile_text(read, read->default_sample_type), "threads");
    assert_string_equal(profile_text(read, read->period_type->type), "threads");
    assert_int_equal(read->period, 1);
    assert_int_equal(read->time_nanos, INT64_C(1700000000000000000));
    assert_int_equal(read->duration_nanos, INT64_C(2000000000));
    assert_int_equal(read->n_comment, 2);
    assert_string_equal(profile_text(read, read->comment[0]), "3 threads: all well");
    assert_string_equal(profile_text(read, read->comment[1]), "second");
    free_read(read);
}

static void test_a_profile_without_samples(void **state)
{
    (void)state;
    Profile *read = read_back(new_profile());
    assert_int_equal(read->n_sample, 0);
    assert_int_equal(read->n_location, 0);
    assert_int_equal(read->n_mapping, 1); /* the main binary stands there always */
    free_read(read);
}

static void test_equal_samples_are_one(void **state)
{
    (void)state;
    const uint64_t frames[] = { from_plain, from_inlined };
    struct profile *profile = new_profile();
    const int64_t values[2] = { 1, 10 };
    const struct profile_label labels[] = { { .key = "thread", .text = "worker" },
                                            { .key = "state", .text = "sleeping" },
                                            { .key = "tid", .number = 7 } };
    const struct profile_label reversed[] = { labels[2], labels[1], labels[0] };
    profile_add(profile, frames, 2, values, labels, 3);
    profile_add(profile, frames, 2, values, reversed, 3);
    profile_add(profile, frames, 2, values, labels, 2);
    profile_add(profile, frames, 1, values, labels, 3);
    /* The same address as a return address and as the instruction itself: one location. */
    const uint64_t exact[] = { (from_plain - 1) | FRAME_EXACT, from_inlined };
    profile_add(profile, exact, 2, values, labels, 3);
    Profile *read = read_back(profile);
    assert_int_equal(read->n_sample, 3);
    assert_int_equal(read->n_location, 2);
    int64_t largest = 0;
    for (size_t i = 0; i < read->n_sample; i++)
        if (read->sample[i]->value[0] > largest)
            largest = read->sample[i]->value[0];
    assert_int_equal(largest, 3);
    free_read(read);
}

static void test_labels_of_every_kind(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    const int64_t values[2] = { 1, 1 };
    const struct profile_label labels[] = {
        { .key = "tid", .number = 4711 },
        { .key = "age", .number = -5, .unit = "nanoseconds" },
        { .key = "zero", .number = 0 },
        { .key = "nothing", .text = "" },
        { .key = "broken", .text = "a\xff\xc3(" },
        { .key = "good", .text = "gr\xc3\xbc\xc3\x9f" },
    };
    profile_add(profile, &from_plain, 1, values, labels, sizeof labels / sizeof *labels);
    Profile *read = read_back(profile);
    const Sample *sample = read->sample[0];
    assert_int_equal(sample->n_label, 5); /* an empty text would read as the number 0 */
    assert_string_equal(profile_label_text(read, sample, "broken"), "a\xef\xbf\xbd\xef\xbf\xbd(");
    assert_string_equal(profile_label_text(read, sample, "good"), "gr\xc3\xbc\xc3\x9f");
    assert_null(profile_label_text(read, sample, "nothing"));
    int numbers = 0;
    for (size_t i = 0; i < sample->n_label; i++) {
        const Label *label = sample->label[i];
        const char *key = profile_text(read, label->key);
        if (strcmp(key, "tid") == 0)
            numbers += label->num == 4711 && label->num_unit == 0;
        if (strcmp(key, "age") == 0)
            numbers +=
                label->num == -5 && strcmp(profile_text(read, label->num_unit), "nanoseconds") == 0;
        if (strcmp(key, "zero") == 0)
            numbers += label->num == 0 && label->str == 0;
    }
    assert_int_equal(numbers, 3);
    free_read(read);
}

static void test_names_lines_and_inlined_frames(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    add(profile, &from_plain, 1, 1, 0, "plain");
    add(profile, &from_inlined, 1, 1, 0, "inlined");
    Profile *read = read_back(profile);
    const Location *plain = frame_of(read, sample_of(read, "plain"), 0);
    assert_int_equal(plain->address, from_plain - 1);
    assert_int_equal(plain->n_line, 1);
    assert_string_equal(line_name(read, plain, 0), "plain_caller");
    assert_int_equal(plain->line[0]->line, plain_line);
    const Function *function = profile_function(read, plain->line[0]->function_id);
    const char *file = profile_text(read, function->filename);
    assert_true(strlen(file) > strlen("test_profile.c"));
    assert_string_equal(file + strlen(file) - strlen("test_profile.c"), "test_profile.c");
    assert_true(function->start_line > 0 && function->start_line < plain_line);

    const Location *inlined = frame_of(read, sample_of(read, "inlined"), 0);
    assert_int_equal(inlined->n_line, 2);
    assert_string_equal(line_name(read, inlined, 0), "inlined_caller");
    assert_string_equal(line_name(read, inlined, 1), "outer_of_inlined");

    const Mapping *mapping = profile_mapping(read, plain->mapping_id);
    assert_true(mapping->has_functions && mapping->has_filenames && mapping->has_line_numbers &&
                mapping->has_inline_frames);
    free_read(read);
}

static void test_mappings(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    const uint64_t outside = UINT64_C(0x1001);
    const uint64_t frames[] = { (uintptr_t)strlen + 1, outside, (uintptr_t)getenv + 1 };
    add(profile, frames, 3, 1, 0, "a");
    Profile *read = read_back(profile);
    const Sample *sample = sample_of(read, "a");
    assert_int_equal(frame_of(read, sample, 1)->mapping_id, 0);
    assert_string_equal(profile_frame_name(read, sample, 1), "0x1000");

    /* The main binary first, although nothing of it is in a stack; of the rest only what is. */
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = 0;
    assert_string_equal(profile_text(read, read->mapping[0]->filename), program);
    const Mapping *libc = profile_mapping(read, frame_of(read, sample, 2)->mapping_id);
    const struct module *module = modules_find(modules, (uintptr_t)getenv);
    assert_int_equal(libc->memory_start, module->start);
    assert_int_equal(libc->memory_limit, module->end);
    assert_int_equal(libc->file_offset, module->file_offset);
    assert_string_equal(profile_text(read, libc->filename), module->path);
    const char *build_id = profile_text(read, libc->build_id);
    assert_int_equal(strlen(build_id), 2 * module->build_id_length);
    for (size_t i = 0; i < module->build_id_length; i++) {
        unsigned byte;
        assert_int_equal(sscanf(build_id + 2 * i, "%2x", &byte), 1);
        assert_int_equal(byte, module->build_id[i]);
    }
    free_read(read);
}

static void test_stacks_in_words(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    const int64_t values[2] = { 1, 100 };
    const char *const waiting[] = { "CLOSE_WAIT", "tcp", "socket" };
    const char *const broken[] = { "\xff", "tcp", "socket" };
    for (int i = 0; i < 3; i++) {
        profile_add_named(profile, waiting, 3, values, NULL, 0);
        profile_add_named(profile, broken, 3, values, NULL, 0);
    }
    profile_add(profile, NULL, 0, values, NULL, 0);
    Profile *read = read_back(profile);
    assert_int_equal(read->n_sample, 3);
    assert_int_equal(read->n_location, 5);
    size_t seen = 0;
    for (size_t i = 0; i < read->n_sample; i++) {
        const Sample *sample = read->sample[i];
        const char *innermost = profile_frame_name(read, sample, 0);
        assert_int_equal(frame_of(read, sample, 0)->address, 0);
        assert_int_equal(frame_of(read, sample, 0)->mapping_id, 0);
        if (strcmp(innermost, "CLOSE_WAIT") == 0) {
            assert_int_equal(sample->value[0], 3);
            assert_int_equal(sample->value[1], 300);
            assert_string_equal(profile_frame_name(read, sample, 1), "tcp");
            assert_string_equal(profile_frame_name(read, sample, 2), "socket");
            seen++;
        } else if (strcmp(innermost, "\xef\xbf\xbd") == 0) {
            assert_int_equal(sample->value[0], 3);
            seen++;
        } else {
            assert_string_equal(innermost, "[no stack]");
            seen++;
        }
    }
    assert_int_equal(seen, 3);
    free_read(read);
}

static void test_differences(void **state)
{
    (void)state;
    const uint64_t frames[] = { from_plain, from_inlined };
    struct profile *profile = new_profile();
    add(profile, frames, 2, -1, -100, "stayed");
    add(profile, frames, 2, -1, -50, "gone");
    add(profile, frames, 1, 2, 7, "shrunk");
    add(profile, frames, 2, 1, 100, "stayed");
    add(profile, frames, 1, -1, -9, "shrunk");
    add(profile, frames, 1, 1, 3, "new");
    Profile *read = read_back(profile);
    assert_int_equal(read->n_sample, 3);
    assert_null(sample_of(read, "stayed"));
    assert_int_equal(sample_of(read, "gone")->value[0], -1);
    assert_int_equal(sample_of(read, "gone")->value[1], -50);
    assert_int_equal(sample_of(read, "shrunk")->value[0], 1);
    assert_int_equal(sample_of(read, "shrunk")->value[1], -2);
    assert_int_equal(sample_of(read, "new")->value[0], 1);
    for (size_t i = 0; i < read->n_string_table; i++)
        assert_string_not_equal(read->string_table[i], "stayed");
    free_read(read);
}

/* Adds sample NUMBER of a fixed set, with its own stack, labels and values. */
static void add_numbered(struct profile *profile, int number)
{
    const uint64_t all[] = {
        from_plain, from_inlined,        (uintptr_t)strlen + 1, (uintptr_t)getenv + 5,
        0x1001,     (uintptr_t)qsort + 1
    };
    char thread[32];
    snprintf(thread, sizeof thread, "worker-%d", number % 7);
    const int64_t values[2] = { 1, number };
    const struct profile_label labels[] = { { .key = "thread", .text = thread },
                                            { .key = "tid", .number = number % 11 } };
    const char *const words[] = { thread, "tcp", "socket" };
    if (number % 5 == 0)
        profile_add_named(profile, words, 3, values, labels, 2);
    else
        profile_add(profile, all + number % 4, (size_t)(1 + number % 3), values, labels,
                    (size_t)(number % 3));
}

static void test_bytes_do_not_depend_on_the_order_of_adding(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    int order[COUNT];
    for (int i = 0; i < COUNT; i++)
        order[i] = i;
    struct sink_buffer first = { 0 };
    srand(1);
    for (int round = 0; round < 20; round++) {
        struct profile *profile = new_profile();
        for (int i = 0; i < COUNT; i++)
            add_numbered(profile, order[i]);
        struct sink_buffer buffer = written(profile);
        if (round == 0) {
            first = buffer;
        } else {
            assert_int_equal(buffer.length, first.length);
            assert_memory_equal(buffer.bytes, first.bytes, first.length);
            sink_buffer_free(&buffer);
        }
        for (int i = COUNT - 1; i > 0; i--) {
            int other = rand() % (i + 1);
            int swapped = order[i];
            order[i] = order[other];
            order[other] = swapped;
        }
        if (round == 10)
            symbolizer_trim(symbolizer); /* and not on what was known before */
    }
    sink_buffer_free(&first);
}

static void test_a_profile_can_be_written_twice(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    for (int i = 0; i < 50; i++)
        add_numbered(profile, i);
    struct sink_buffer buffers[3];
    for (int i = 0; i < 3; i++) {
        sink_buffer_init(&buffers[i]);
        if (i == 1)
            assert_int_equal(profile_write_text(profile, &buffers[i].sink), 0);
        else
            assert_int_equal(profile_write_gzip(profile, &buffers[i].sink), 0);
    }
    assert_int_equal(buffers[0].length, buffers[2].length);
    assert_memory_equal(buffers[0].bytes, buffers[2].bytes, buffers[0].length);
    for (int i = 0; i < 3; i++)
        sink_buffer_free(&buffers[i]);
    profile_free(profile);
}

static int refuse_later(struct sink *sink, const void *bytes, size_t length)
{
    (void)sink;
    (void)bytes;
    return length > 0 ? -EPIPE : 0;
}

static void test_the_error_of_a_sink_is_returned(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    add_numbered(profile, 1);
    struct sink gzip = { .write = refuse_later };
    assert_int_equal(profile_write_gzip(profile, &gzip), -EPIPE);
    struct sink text = { .write = refuse_later };
    assert_int_equal(profile_write_text(profile, &text), -EPIPE);
    profile_free(profile);
}

static void test_mistakes_stay_until_the_end(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    add_numbered(profile, 1);
    profile_add_type(profile, "late", "count");
    add_numbered(profile, 2);
    struct sink_buffer buffer;
    sink_buffer_init(&buffer);
    assert_int_equal(profile_write_gzip(profile, &buffer.sink), -EINVAL);
    assert_int_equal(profile_write_text(profile, &buffer.sink), -EINVAL);
    assert_int_equal(buffer.length, 0);
    sink_buffer_free(&buffer);
    profile_free(profile);
}

static void test_no_memory_is_an_error_and_no_crash(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer itself would have no memory */
#endif
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct profile *profile = new_profile();
        struct rlimit limit = { 0, RLIM_INFINITY };
        setrlimit(RLIMIT_AS, &limit);
        for (int i = 0; i < 100000; i++) {
            const int64_t values[2] = { 1, 1 };
            const struct profile_label label = { .key = "number", .number = i };
            profile_add(profile, &from_plain, 1, values, &label, 1);
        }
        struct sink sink = { .write = refuse_later };
        bool right = profile_write_gzip(profile, &sink) == -ENOMEM &&
                     profile_write_text(profile, &sink) == -ENOMEM;
        profile_free(profile);
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static char *text_of(struct profile *profile)
{
    struct sink_buffer buffer;
    sink_buffer_init(&buffer);
    assert_int_equal(profile_write_text(profile, &buffer.sink), 0);
    char *text = strdup(buffer.bytes);
    sink_buffer_free(&buffer);
    profile_free(profile);
    return text;
}

static void test_text_is_gos_count_format(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    const uint64_t frames[] = { from_plain | FRAME_EXACT, 0x1001 };
    const int64_t values[2] = { 2, 5 };
    const struct profile_label labels[] = { { .key = "thread", .text = "a \"b\"" },
                                            { .key = "bytes", .number = 12, .unit = "bytes" } };
    const char *const words[] = { "CLOSE_WAIT", "tcp" };
    profile_add(profile, frames + 1, 1, values, labels, 2);
    for (int i = 0; i < 3; i++)
        profile_add_named(profile, words, 2, values, NULL, 0);
    profile_add(profile, frames, 2, (const int64_t[]){ 1, 0 }, NULL, 0);
    char *text = text_of(profile);
    char expected[512];
    snprintf(expected, sizeof expected,
             "threads profile: total 9\n"
             "6 @ 0x2 0x3\n"
             "#\t0x1\tCLOSE_WAIT\n"
             "#\t0x2\ttcp\n"
             "\n"
             "2 @ 0x1001\n"
             "# labels: {\"bytes\":\"12 bytes\", \"thread\":\"a \\\"b\\\"\"}\n"
             "#\t0x1000\t0x1000\n"
             "\n"
             "1 @ 0x%" PRIx64 " 0x1001\n"
             "#\t0x%" PRIx64 "\tplain_caller+0x",
             from_plain + 1, from_plain);
    assert_memory_equal(text, expected, strlen(expected));
    const char *rest = text + strlen(expected);
    assert_non_null(strstr(rest, "test_profile.c:"));
    assert_string_equal(text + strlen(text) - 2, "\n\n");
    free(text);
}

static void test_text_names_inlined_frames(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    add(profile, &from_inlined, 1, 1, 0, "a");
    char *text = text_of(profile);
    char line[64];
    snprintf(line, sizeof line, "#\t0x%" PRIx64 "\tinlined_caller+0x", from_inlined - 1);
    char *inlined = strstr(text, line);
    snprintf(line, sizeof line, "#\t0x%" PRIx64 "\touter_of_inlined+0x", from_inlined - 1);
    char *outer = strstr(text, line);
    assert_non_null(inlined);
    assert_non_null(outer);
    assert_true(inlined < outer);
    free(text);
}

/* What `go tool pprof -raw` makes of the LENGTH bytes, to be freed; NULL without go. */
static char *pprof_raw(const void *bytes, size_t length)
{
    char directory[] = "/tmp/test_profile.XXXXXX";
    char command[512];
    if (system("command -v go >/dev/null") != 0)
        return NULL;
    assert_non_null(mkdtemp(directory));
    snprintf(command, sizeof command, "%s/profile", directory);
    FILE *file = fopen(command, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
    snprintf(command, sizeof command,
             "HOME=%s PPROF_TMPDIR=%s timeout 60 go tool pprof -symbolize=none -raw %s/profile 2>&1"
             " || echo FAILED; rm -rf %s",
             directory, directory, directory, directory);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    char *text = calloc(1, 1 << 20);
    size_t got = fread(text, 1, (1 << 20) - 1, output);
    text[got] = 0;
    pclose(output);
    assert_null(strstr(text, "FAILED"));
    return text;
}

static void test_pprof_reads_the_protobuf(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    profile_add_comment(profile, "a comment");
    add(profile, (const uint64_t[]){ from_inlined, from_plain }, 2, 4, 500, "worker");
    const char *const words[] = { "CLOSE_WAIT", "[no (such) <stack>]" };
    profile_add_named(profile, words, 2, (const int64_t[]){ -3, 1 }, NULL, 0);
    struct sink_buffer buffer = written(profile);
    char *raw = pprof_raw(buffer.bytes, buffer.length);
    sink_buffer_free(&buffer);
    if (!raw)
        skip();
    assert_non_null(strstr(raw, "Comment: a comment\n"));
    assert_non_null(strstr(raw, "PeriodType: threads count\n"));
    assert_non_null(strstr(raw, "threads/count[dflt] blocked/nanoseconds\n"));
    assert_non_null(strstr(raw, "         4        500: "));
    assert_non_null(strstr(raw, "        -3          1: "));
    assert_non_null(strstr(raw, "thread:[worker]"));
    assert_non_null(strstr(raw, "CLOSE_WAIT"));
    assert_non_null(strstr(raw, "inlined_caller"));
    assert_non_null(strstr(raw, "outer_of_inlined"));
    assert_non_null(strstr(raw, "[FN][FL][LN][IN]"));
    char location[64];
    snprintf(location, sizeof location, ": 0x%" PRIx64 " M=1 plain_caller", from_plain - 1);
    assert_non_null(strstr(raw, location));
    free(raw);
}

static void test_pprof_reads_the_text(void **state)
{
    (void)state;
    struct profile *profile = new_profile();
    add(profile, (const uint64_t[]){ from_plain | FRAME_EXACT, from_inlined }, 2, 4, 500, "w");
    const char *const words[] = { "CLOSE_WAIT", "tcp" };
    profile_add_named(profile, words, 2, (const int64_t[]){ 3, 1 }, NULL, 0);
    profile_add(profile, NULL, 0, (const int64_t[]){ 2, 1 }, NULL, 0);
    char *text = text_of(profile);
    char *raw = pprof_raw(text, strlen(text));
    free(text);
    if (!raw)
        skip();
    char expected[160];
    assert_non_null(strstr(raw, "threads/count\n"));
    assert_non_null(strstr(raw, "         4: 1 2 \n"));
    assert_non_null(strstr(raw, "         3: 3 4 \n"));
    assert_non_null(strstr(raw, "         2: 5 \n"));
    /* pprof has taken one off what we added: the exact address, and the call's. */
    snprintf(expected, sizeof expected, "1: 0x%" PRIx64 " ", from_plain);
    assert_non_null(strstr(raw, expected));
    snprintf(expected, sizeof expected, "2: 0x%" PRIx64 " ", from_inlined - 1);
    assert_non_null(strstr(raw, expected));
    free(raw);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void test_ten_thousand_threads_are_quick(void **state)
{
    (void)state;
    uint64_t stacks[4][15];
    for (size_t s = 0; s < 4; s++)
        for (size_t i = 0; i < 15; i++)
            stacks[s][i] = (uintptr_t)qsort + 1 + s * 15 + i;
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        uint64_t start = now_ns();
        struct profile *profile = new_profile();
        for (int i = 0; i < 10000; i++) {
            char thread[32];
            snprintf(thread, sizeof thread, "thread-%d", i);
            const int64_t values[2] = { 1, INT64_C(123456789) * i };
            const struct profile_label labels[] = { { .key = "thread", .text = thread },
                                                    { .key = "state", .text = "sleeping" },
                                                    { .key = "capture", .text = "procfs" },
                                                    { .key = "syscall", .text = "futex" } };
            profile_add(profile, stacks[i % 4], 15, values, labels, 4);
        }
        struct sink_buffer buffer;
        sink_buffer_init(&buffer);
        assert_int_equal(profile_write_gzip(profile, &buffer.sink), 0);
        profile_free(profile);
        uint64_t took = now_ns() - start;
        best = took < best ? took : best;
        if (round == 0) {
            const char *found = profile_check(buffer.bytes, buffer.length);
            if (found)
                fail_msg("%s", found);
        }
        sink_buffer_free(&buffer);
    }
    print_message("10,000 samples built and encoded in %.1f ms\n", (double)best / 1e6);
    assert_true(best < UINT64_C(1000000000)); /* nothing in it grows with the square */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_and_comments),
        cmocka_unit_test(test_a_profile_without_samples),
        cmocka_unit_test(test_equal_samples_are_one),
        cmocka_unit_test(test_labels_of_every_kind),
        cmocka_unit_test(test_names_lines_and_inlined_frames),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_stacks_in_words),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_bytes_do_not_depend_on_the_order_of_adding),
        cmocka_unit_test(test_a_profile_can_be_written_twice),
        cmocka_unit_test(test_the_error_of_a_sink_is_returned),
        cmocka_unit_test(test_mistakes_stay_until_the_end),
        cmocka_unit_test(test_no_memory_is_an_error_and_no_crash),
        cmocka_unit_test(test_text_is_gos_count_format),
        cmocka_unit_test(test_text_names_inlined_frames),
        cmocka_unit_test(test_pprof_reads_the_protobuf),
        cmocka_unit_test(test_pprof_reads_the_text),
        cmocka_unit_test(test_ten_thousand_threads_are_quick),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
