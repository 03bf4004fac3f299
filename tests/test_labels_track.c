/* test_labels_track.c proves that a thread begins with its creator's labels where tracking is in
 * the process: a copy of its own, of all of them, that costs no set, and is given up when there is
 * no thread after all; and that a dump says who started it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "labels/layout.h"
#include "modules/modules.h"
#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/labels.h"
#include "sources/threads.h"
#include "symbolize/symbolize.h"
#include "workers.h"

#include "base/stack.h"

#include <snag/snag.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define STAY() __asm__ volatile("" ::: "memory")

static struct lab lab;
static struct picture *picture;

static struct label_root *tables(void)
{
    return dlsym(RTLD_DEFAULT, LABELS_ROOT_SYMBOL);
}

static void look(void)
{
    picture_free(picture);
    picture = NULL;
    assert_int_equal(picture_take(&lab, false, &picture), 0);
}

static const struct thread_sample *sample_of(pid_t tid)
{
    for (size_t i = 0; i < picture->threads->count; i++)
        if (picture->threads->threads[i].tid == tid)
            return &picture->threads->threads[i];
    fail_msg("thread %d is not in the dump", (int)tid);
    return NULL;
}

/* The looking thread is not in its own dump. */
static struct label_list labels_of(pid_t tid)
{
    return tid == gettid() ? labels_of_thread(lab.labels, tid) : sample_of(tid)->labels;
}

static bool has_label(pid_t tid, const char *key, const char *value)
{
    struct label_list labels = labels_of(tid);
    for (size_t i = 0; i < labels.count; i++)
        if (strcmp(labels.list[i].key, key) == 0)
            return strcmp(labels.list[i].value, value) == 0;
    return false;
}

static NOINLINE void start_in_posix(struct worker *worker)
{
    worker_start(worker, hang, NULL, 0);
    STAY();
}

static int iso_body(void *argument)
{
    struct worker *worker = argument;
    worker->tid = gettid();
    while (!worker->stop)
        usleep(1000);
    return 0;
}

static NOINLINE void start_in_iso(thrd_t *thread, struct worker *worker)
{
    assert_int_equal(thrd_create(thread, iso_body, worker), thrd_success);
    STAY();
    while (worker->tid == 0)
        sleep_ms(1);
}

static bool was_started_by(const struct thread_sample *sample, const char *function)
{
    for (size_t i = 0; i < sample->starter.frame_count; i++) {
        const struct location *location =
            symbolize(lab.symbolizer, frame_lookup(sample->starter.frames[i]));
        if (strcmp(location->lines[0].function, function) == 0)
            return true;
    }
    return false;
}

static void test_inherited(void **state)
{
    (void)state;
    struct worker first = { 0 }, second = { 0 }, without = { 0 };
    snag_label_clear(NULL);
    start_in_posix(&without);
    snag_label_set("tenant", "acme");
    snag_label_set("request", "1");
    start_in_posix(&first);
    snag_label_set("request", "2");
    start_in_posix(&second);
    snag_label_clear("tenant");
    look();
    assert_int_equal(sample_of(without.tid)->labels.count, 0);
    assert_int_equal(sample_of(first.tid)->labels.count, 2);
    assert_true(has_label(first.tid, "tenant", "acme") && has_label(first.tid, "request", "1"));
    assert_true(has_label(second.tid, "tenant", "acme") && has_label(second.tid, "request", "2"));
    assert_true(has_label(gettid(), "request", "2") && !has_label(gettid(), "tenant", "acme"));

    const struct thread_sample *sample = sample_of(first.tid);
    assert_true(sample->has_starter);
    assert_string_equal(sample->starter.call, "pthread_create");
    assert_int_equal(sample->starter.tid, gettid());
    assert_true(was_started_by(sample, "start_in_posix"));
    assert_true(sample->starter.time_ns < picture->threads->monotonic_ns);
    worker_stop(&first);
    worker_stop(&second);
    worker_stop(&without);
}

static void test_inherited_by_iso_threads(void **state)
{
    (void)state;
    struct worker worker = { 0 };
    thrd_t thread;
    if (UNDER_THREAD_SANITIZER)
        skip(); /* it does not know threads that are created so */
    snag_label_clear(NULL);
    snag_label_set("call", "thrd_create");
    start_in_iso(&thread, &worker);
    look();
    assert_true(has_label(worker.tid, "call", "thrd_create"));
    assert_string_equal(sample_of(worker.tid)->starter.call, "thrd_create");
    assert_true(was_started_by(sample_of(worker.tid), "start_in_iso"));
    worker.stop = 1;
    assert_int_equal(thrd_join(thread, NULL), thrd_success);
}

static void start_another(struct worker *worker)
{
    struct worker *next = worker->argument;
    snag_label_set("level", "1");
    worker_start(next, hang, NULL, 0);
    snag_label_clear(NULL);
    while (!worker->stop)
        usleep(1000);
}

static void test_inherited_through_two(void **state)
{
    (void)state;
    struct worker child = { 0 }, grandchild = { 0 };
    snag_label_clear(NULL);
    snag_label_set("of", "main");
    worker_start(&child, start_another, &grandchild, 0);
    while (grandchild.tid == 0)
        sleep_ms(1);
    sleep_ms(20);
    look();
    assert_int_equal(sample_of(child.tid)->labels.count, 0);
    assert_true(has_label(grandchild.tid, "of", "main") && has_label(grandchild.tid, "level", "1"));
    assert_true(has_label(gettid(), "of", "main") && !has_label(gettid(), "level", "1"));
    assert_int_equal(sample_of(grandchild.tid)->starter.tid, child.tid);
    worker_stop(&grandchild);
    child.stop = 1;
    worker_join(&child);
}

static void test_what_had_no_room_is_inherited(void **state)
{
    (void)state;
    struct worker worker = { 0 };
    snag_label_clear(NULL);
    for (int i = 0; i < 18; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        snag_label_set(key, "v");
    }
    start_in_posix(&worker);
    look();
    assert_int_equal(sample_of(worker.tid)->labels.count, LABELS_OF_A_THREAD);
    assert_int_equal(sample_of(worker.tid)->labels.left_out, 2);
    worker_stop(&worker);
}

static void *nothing(void *argument)
{
    return argument;
}

static void test_costs_no_set_and_no_slot(void **state)
{
    (void)state;
    uint32_t slots = 0;
    uint32_t sets = tables()->set_count;
    snag_label_clear(NULL);
    for (int i = 0; i < 1000; i++) {
        char value[16];
        pthread_t thread;
        snprintf(value, sizeof value, "%d", i);
        snag_label_set("request", value);
        assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
        pthread_join(thread, NULL);
        if (i == 10)
            slots = tables()->slot_count;
    }
    assert_int_equal(tables()->slot_count, slots);
    assert_int_equal(tables()->set_count, sets);
}

/* A stack that no system has room for. */
static void test_no_thread_after_all(void **state)
{
    (void)state;
    pthread_attr_t attributes;
    pthread_t thread;
    uint32_t slots = 0;
    if (UNDER_THREAD_SANITIZER)
        skip(); /* it ends the process then */
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstacksize(&attributes, (size_t)1 << 46), 0);
    snag_label_clear(NULL);
    snag_label_set("none", "begins");
    for (int i = 0; i < 200; i++) {
        assert_int_not_equal(pthread_create(&thread, &attributes, nothing, NULL), 0);
        if (i == 10)
            slots = tables()->slot_count;
    }
    assert_int_equal(tables()->slot_count, slots);
    pthread_attr_destroy(&attributes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_inherited_by_iso_threads),
        cmocka_unit_test(test_inherited_through_two),
        cmocka_unit_test(test_what_had_no_room_is_inherited),
        cmocka_unit_test(test_costs_no_set_and_no_slot),
        cmocka_unit_test(test_no_thread_after_all),
    };
    if (!tables() || lab_open(&lab, 0, SIGNAL_AUTO) != 0)
        return 2;
    lab.labels_root = (uintptr_t)tables();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    picture_free(picture);
    lab_close(&lab);
    return failed;
}
