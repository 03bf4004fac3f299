/* test_labels.c proves that the labels of a thread are read as they were set, never half of
 * them: while they change, from a signal handler, after a fork, at a thread's end and when its id
 * comes again; and that what has no room is left out, bounded and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/sink.h"
#include "base/target.h"
#include "labels/labels.h"
#include "labels/layout.h"
#include "sources/labels.h"
#include "workers.h"

#include <snag/snag.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers take a thread that ends past the C library for a mistake. */
#if defined(__SANITIZE_ADDRESS__)
#define NO_RAW_ENDS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_RAW_ENDS 1
#endif
#endif
#ifndef NO_RAW_ENDS
#define NO_RAW_ENDS UNDER_THREAD_SANITIZER
#endif

static struct target target;
static struct labels *labels;

static struct label_root *tables(void)
{
    return (struct label_root *)(uintptr_t)label_root_of_process();
}

static void look(void)
{
    assert_true(labels_refresh(labels, (uintptr_t)label_root_of_process()));
}

/* "a=1 b=2", with "+3" for three that had no room; "changing", "other". */
static const char *words(const struct label_list *list)
{
    static char text[LABEL_TEXT_MAX + 64];
    size_t length = 0;
    text[0] = 0;
    if (list->is_changing || list->is_other)
        return list->is_changing ? "changing" : "other";
    for (size_t i = 0; i < list->count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s=%s", i ? " " : "",
                                   list->list[i].key, list->list[i].value);
    if (list->left_out > 0)
        snprintf(text + length, sizeof text - length, "+%zu", list->left_out);
    return text;
}

static const char *words_of(pid_t tid)
{
    look();
    struct label_list list = labels_of_thread(labels, tid);
    return words(&list);
}

static const char *words_of_set(uint32_t number)
{
    look();
    struct label_list list = labels_of_set(labels, number);
    return words(&list);
}

static int begin_without_labels(void **state)
{
    (void)state;
    snag_label_clear(NULL);
    return 0;
}

static void test_set_and_cleared(void **state)
{
    (void)state;
    assert_int_equal(label_set_here(), LABEL_SET_NONE);
    snag_label_set("tenant", "acme");
    snag_label_set("request", "17");
    snag_label_set("zone", "b");
    assert_string_equal(words_of(gettid()), "request=17 tenant=acme zone=b");
    uint32_t number = label_set_here();
    assert_string_equal(words_of_set(number), "request=17 tenant=acme zone=b");
    snag_label_set("request", "seventeen");
    assert_string_equal(words_of(gettid()), "request=seventeen tenant=acme zone=b");
    assert_int_not_equal(label_set_here(), number);
    snag_label_set("request", "17");
    assert_int_equal(label_set_here(), number);
    snag_label_clear("request");
    snag_label_clear("nothing");
    assert_string_equal(words_of(gettid()), "tenant=acme zone=b");
    assert_string_equal(words_of_set(label_set_here()), "tenant=acme zone=b");
    assert_string_equal(words_of_set(number), "request=17 tenant=acme zone=b");
    snag_label_clear("zone");
    snag_label_clear("tenant");
    assert_string_equal(words_of(gettid()), "");
    assert_int_equal(label_set_here(), LABEL_SET_NONE);
    snag_label_set(NULL, "x");
    snag_label_set("x", NULL);
    snag_label_set("", "x");
    assert_string_equal(words_of(gettid()), "");
    snag_label_set("empty", "");
    assert_string_equal(words_of(gettid()), "empty=");
    snag_label_set("another", "1");
    snag_label_clear(NULL);
    assert_string_equal(words_of(gettid()), "");
    assert_int_equal(label_set_here(), LABEL_SET_NONE);
}

static void test_errno_stays(void **state)
{
    (void)state;
    errno = EXDEV;
    snag_label_set("a", "1");
    label_set_here();
    snag_label_clear("a");
    labels_unused(labels_for_thread());
    assert_int_equal(errno, EXDEV);
}

static bool is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t length = utf8_length(at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* UNIT over and over, BEFORE in front. */
static void cut_one(const char *before, const char *unit)
{
    char value[1024];
    strcpy(value, before);
    while (strlen(value) < 700)
        strcat(value, unit);
    snag_label_set("long", value);
    look();
    struct label_list list = labels_of_thread(labels, gettid());
    assert_int_equal(list.count, 1);
    const char *kept = list.list[0].value;
    size_t length = strlen(kept);
    assert_true(length <= LABEL_VALUE_MAX && length + strlen(unit) > LABEL_VALUE_MAX);
    assert_true(is_utf8(kept));
    assert_string_equal(kept + length - 3, "...");
    assert_memory_equal(kept, value, length - 3);
    assert_int_equal((length - 3 - strlen(before)) % strlen(unit), 0);
}

static void test_what_is_long_is_cut(void **state)
{
    (void)state;
    static const char *const units[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x8c" };
    static const char *const before[] = { "", "a", "ab", "abc" };
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            cut_one(before[j], units[i]);
    char whole[LABEL_VALUE_MAX + 2];
    memset(whole, 'w', sizeof whole);
    whole[LABEL_VALUE_MAX] = 0;
    snag_label_set("long", whole);
    look();
    assert_string_equal(labels_of_thread(labels, gettid()).list[0].value, whole);

    snag_label_clear(NULL);
    char key[100];
    memset(key, 'k', sizeof key);
    key[LABEL_KEY_MAX + 1] = 0;
    snag_label_set(key, "1");
    look();
    const char *kept = labels_of_thread(labels, gettid()).list[0].key;
    assert_int_equal(strlen(kept), LABEL_KEY_MAX);
    assert_string_equal(kept + LABEL_KEY_MAX - 3, "...");
    snag_label_clear(key); /* by the key that it was set with */
    assert_string_equal(words_of(gettid()), "");
    char junk[400];
    memset(junk, 0x80, sizeof junk); /* not UTF-8 at all */
    junk[399] = 0;
    snag_label_set("junk", junk);
    look();
    assert_true(strlen(labels_of_thread(labels, gettid()).list[0].value) <= LABEL_VALUE_MAX);
}

static void set_numbered(int number, const char *value)
{
    char key[16];
    snprintf(key, sizeof key, "key%02d", number);
    snag_label_set(key, value);
}

static void test_sixteen_have_room(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        set_numbered(i, "v");
    look();
    struct label_list list = labels_of_thread(labels, gettid());
    assert_int_equal(list.count, LABELS_OF_A_THREAD);
    assert_int_equal(list.left_out, 4);
    assert_string_equal(list.list[15].key, "key15");
    for (int i = 0; i < 1000; i++)
        set_numbered(16 + i % 4, i % 8 < 4 ? "again" : "and again");
    look();
    list = labels_of_thread(labels, gettid());
    assert_int_equal(list.left_out, 4);
    struct label_list set = labels_of_set(labels, label_set_here());
    assert_int_equal(set.count, LABELS_OF_A_THREAD);
    assert_int_equal(set.left_out, 4);
    set_numbered(3, "other"); /* one that is there is not left out */
    snag_label_clear("key19");
    look();
    list = labels_of_thread(labels, gettid());
    assert_int_equal(list.left_out, 3);
    assert_string_equal(list.list[3].value, "other");
    snag_label_clear("key00");
    set_numbered(17, "now");
    look();
    list = labels_of_thread(labels, gettid());
    assert_int_equal(list.count, LABELS_OF_A_THREAD);
    assert_int_equal(list.left_out, 2);
    assert_string_equal(list.list[15].key, "key17");
    snag_label_clear(NULL);
    assert_string_equal(words_of(gettid()), "");
}

static void test_text_has_an_end(void **state)
{
    (void)state;
    char value[LABEL_VALUE_MAX + 1];
    memset(value, 'v', sizeof value);
    value[LABEL_VALUE_MAX] = 0;
    for (int i = 0; i < 8; i++)
        set_numbered(i, value);
    look();
    struct label_list list = labels_of_thread(labels, gettid());
    assert_int_equal(list.count, 7); /* of 263 bytes each */
    assert_int_equal(list.left_out, 1);
    set_numbered(9, "small");
    set_numbered(9, value); /* no room for this; the small one is not true any more */
    look();
    list = labels_of_thread(labels, gettid());
    assert_int_equal(list.count, 7);
    assert_int_equal(list.left_out, 2);
    assert_string_equal(list.list[6].key, "key06");
}

/* Values that are one character over and over, changed without a pause. */
struct changing {
    pthread_t thread;
    _Atomic pid_t tid;
    char letter;
    _Atomic int *stop;
};

static void *change(void *argument)
{
    struct changing *changing = argument;
    char values[4][200];
    for (size_t i = 0; i < 4; i++) {
        memset(values[i], changing->letter + (int)i, sizeof values[i]);
        values[i][50 + i * 40] = 0;
    }
    snag_label_set("value", values[0]);
    changing->tid = gettid();
    for (unsigned i = 0; !*changing->stop; i++) {
        snag_label_set("value", values[i % 4]);
        if (i % 5 == 0)
            snag_label_set("a", "first in order");
        if (i % 5 == 3)
            snag_label_clear("a");
        if (i % 64 == 0)
            usleep(i % 7);
    }
    return NULL;
}

/* Whether VALUE is whole: one of LETTER's four. */
static bool is_whole(const char *value, char letter)
{
    int which = value[0] - letter;
    size_t length = strlen(value);
    if (which < 0 || which > 3 || length != (size_t)(50 + which * 40))
        return false;
    return strspn(value, (char[]){ value[0], 0 }) == length;
}

static size_t check_changing(const struct changing *changing)
{
    struct label_list list = labels_of_thread(labels, changing->tid);
    if (list.is_changing)
        return 0;
    assert_true(list.count == 1 || list.count == 2);
    if (list.count == 2) {
        assert_string_equal(list.list[0].key, "a");
        assert_string_equal(list.list[0].value, "first in order");
    }
    assert_string_equal(list.list[list.count - 1].key, "value");
    assert_true(is_whole(list.list[list.count - 1].value, changing->letter));
    return 1;
}

static void test_never_torn(void **state)
{
    (void)state;
    _Atomic int stop = 0;
    struct changing all[8];
    for (size_t i = 0; i < 8; i++) {
        all[i] = (struct changing){ .letter = (char)('A' + 4 * i), .stop = &stop };
        assert_int_equal(pthread_create(&all[i].thread, NULL, change, &all[i]), 0);
    }
    for (size_t i = 0; i < 8; i++)
        while (all[i].tid == 0)
            sleep_ms(1);
    size_t dumps = 0;
    size_t read = 0;
    for (uint64_t end = now_ns() + 2000000000; now_ns() < end; dumps++) {
        look();
        for (size_t i = 0; i < 8; i++)
            read += check_changing(&all[i]);
    }
    stop = 1;
    for (size_t i = 0; i < 8; i++)
        pthread_join(all[i].thread, NULL);
    printf("%zu dumps, %zu of %zu readings whole\n", dumps, read, dumps * 8);
    assert_true(dumps > 50 && read > dumps * 4);
}

static void *label_and_end(void *argument)
{
    snag_label_set("thread", argument);
    return (void *)(uintptr_t)gettid();
}

static pid_t run_to_its_end(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    void *tid;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    assert_int_equal(pthread_join(thread, &tid), 0);
    return (pid_t)(uintptr_t)tid;
}

static void test_slots_come_back(void **state)
{
    (void)state;
    snag_label_set("main", "stays");
    uint32_t count = 0;
    for (int i = 0; i < 2000; i++) {
        pid_t tid = run_to_its_end(label_and_end, "x");
        if (i == 10)
            count = tables()->slot_count;
        if (i % 100 == 0)
            assert_string_equal(words_of(tid), "");
    }
    assert_int_equal(tables()->slot_count, count);
    assert_string_equal(words_of(gettid()), "main=stays");
}

static pthread_key_t late_key;

static void late(void *value)
{
    snag_label_set("late", value);
    label_set_here();
}

static void *label_in_destructor(void *argument)
{
    pthread_setspecific(late_key, argument);
    return label_and_end(argument);
}

static void test_labels_of_a_destructor(void **state)
{
    (void)state;
    uint32_t count = 0;
    assert_int_equal(pthread_key_create(&late_key, late), 0);
    for (int i = 0; i < 200; i++) {
        assert_string_equal(words_of(run_to_its_end(label_in_destructor, "x")), "");
        if (i == 10)
            count = tables()->slot_count;
    }
    assert_int_equal(tables()->slot_count, count);
    pthread_key_delete(late_key);
}

/* Threads that end past the C library, joined or not. The first waits to be let go. */
struct raw_end {
    _Atomic pid_t tid;
    _Atomic int go;
};

static void *end_raw(void *argument)
{
    struct raw_end *end = argument;
    snag_label_set("of", "the dead");
    end->tid = gettid();
    while (!end->go)
        usleep(100);
    syscall(SYS_exit, 0);
    return NULL;
}

static bool is_alive(pid_t tid)
{
    return syscall(SYS_tgkill, getpid(), tid, 0) == 0;
}

static struct label_slot *slot_of(pid_t tid)
{
    struct label_root *root = tables();
    for (uint32_t i = 0; i < root->slot_count; i++) {
        struct label_slot *chunk =
            (struct label_slot *)(uintptr_t)root->slot_chunks[i / LABEL_SLOT_CHUNK];
        if (chunk[i % LABEL_SLOT_CHUNK].tid == tid)
            return &chunk[i % LABEL_SLOT_CHUNK];
    }
    return NULL;
}

static pid_t leave_behind(pthread_t *thread, bool detached)
{
    struct raw_end end = { 0 };
    assert_int_equal(pthread_create(thread, NULL, end_raw, &end), 0);
    if (detached)
        pthread_detach(*thread);
    while (end.tid == 0)
        sleep_ms(1);
    pid_t tid = end.tid;
    assert_string_equal(words_of(tid), "of=the dead");
    end.go = 1;
    while (is_alive(tid))
        sleep_ms(1);
    return tid;
}

static void test_a_tid_that_came_again(void **state)
{
    (void)state;
    if (NO_RAW_ENDS)
        skip();
    for (int detached = 0; detached < 2; detached++) {
        pthread_t thread;
        pid_t dead = leave_behind(&thread, detached);
        struct label_slot *left = slot_of(dead);
        assert_non_null(left);
        struct worker workers[8] = { 0 };
        if (!detached)
            pthread_join(thread, NULL); /* the stack is used again */
        for (int i = 0; i < 8; i++)
            worker_start(&workers[i], hang, NULL, 0);
        for (int i = 0; i < 8; i++) {
            left->tid = workers[i].tid; /* as if it had come again */
            assert_string_equal(words_of(workers[i].tid), "");
        }
        left->tid = dead;
        for (int i = 0; i < 8; i++)
            worker_stop(&workers[i]);
    }
}

static void test_what_is_left_behind_is_used(void **state)
{
    (void)state;
    if (NO_RAW_ENDS)
        skip();
    uint32_t before = tables()->slot_count;
    for (int i = 0; i < 500; i++) {
        pthread_t thread;
        leave_behind(&thread, false);
        pthread_join(thread, NULL);
    }
    assert_true(tables()->slot_count < before + 64);
}

static void *label_and_wait(void *argument)
{
    struct worker *worker = argument;
    snag_label_set("waits", "in the parent");
    worker->tid = gettid();
    while (!worker->stop)
        usleep(1000);
    return NULL;
}

/* In a child of fork: its one thread has the labels, though it has not called since. */
static bool child_is_right(const struct worker *parents, const char *want)
{
    struct label_list list;
    struct target own;
    if (target_open(&own, 0) != 0)
        return false;
    struct labels *reader = labels_new(&own);
    if (!reader || !labels_refresh(reader, (uintptr_t)label_root_of_process()))
        return false;
    list = labels_of_thread(reader, gettid());
    if (strcmp(words(&list), want) != 0)
        return false;
    for (int i = 0; i < 4; i++)
        if (labels_of_thread(reader, parents[i].tid).count != 0)
            return false;
    if (tables()->slot_count != 1)
        return false;
    /* And it goes on from there. */
    snag_label_set("child", "1");
    if (!labels_refresh(reader, (uintptr_t)label_root_of_process()))
        return false;
    list = labels_of_thread(reader, gettid());
    char more[100];
    snprintf(more, sizeof more, "child=1 %s", want);
    bool right = strcmp(words(&list), more) == 0;
    snag_label_clear("child");
    if (!UNDER_THREAD_SANITIZER) {
        pid_t tid = run_to_its_end(label_and_end, "x");
        right = right && labels_refresh(reader, (uintptr_t)label_root_of_process()) &&
                labels_of_thread(reader, tid).count == 0 && tables()->slot_count == 2;
    }
    labels_free(reader);
    target_close(&own);
    return right;
}

static void test_fork(void **state)
{
    (void)state;
    struct worker workers[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, label_and_wait, &workers[i]), 0);
        while (workers[i].tid == 0)
            sleep_ms(1);
    }
    snag_label_set("forks", "yes");
    uint32_t number = label_set_here();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bool right = child_is_right(workers, "forks=yes") && label_set_here() == number;
        pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(child_is_right(workers, "forks=yes") ? 0 : 1);
        _exit(right && child_succeeds(grandchild) ? 0 : 1);
    }
    assert_true(child_succeeds(child));
    assert_string_equal(words_of(gettid()), "forks=yes");
    assert_string_equal(words_of(workers[3].tid), "waits=in the parent");
    for (int i = 0; i < 4; i++) {
        workers[i].stop = 1;
        pthread_join(workers[i].thread, NULL);
    }
}

static void *fork_with_labels(void *argument)
{
    struct worker *none = calloc(4, sizeof *none);
    snag_label_set("from", argument);
    pid_t child = fork();
    if (child == 0)
        _exit(child_is_right(none, "from=a thread") ? 0 : 1);
    free(none);
    return (void *)(uintptr_t)child_succeeds(child);
}

static void test_fork_of_another_thread(void **state)
{
    (void)state;
    snag_label_set("main", "1"); /* has a slot before that thread's */
    assert_int_equal(run_to_its_end(fork_with_labels, "a thread"), 1);
}

/* As a signal handler would that interrupted snag_label_set: the child goes on with the change. */
static bool goes_on(struct label_slot *slot)
{
    snag_label_set("more", "than one change at a time");
    if (slot->tid != gettid() || label_set_here() != LABEL_SET_OTHER)
        return false;
    slot->version++;
    return strcmp(words_of(gettid()), "amid=a change") == 0;
}

static void test_fork_amid_a_change(void **state)
{
    (void)state;
    /* The sanitizers' builds have a second copy of libsnag in this program, which shares the
     * exported tables and has no slot that it could find amid a change. */
    const char *linked = getenv("SNAG_ENGINE_IS_LINKED");
    if (linked && strcmp(linked, "1") == 0)
        skip();
    snag_label_set("amid", "a change");
    struct label_slot *slot = slot_of(gettid());
    assert_non_null(slot);
    slot->version++;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(target_open(&target, 0) == 0 && (labels = labels_new(&target)) && goes_on(slot) ? 0
                                                                                              : 1);
    slot->version++;
    assert_true(child_succeeds(child));
    assert_string_equal(words_of(gettid()), "amid=a change");
}

/* In a process of its own, whose table is full afterwards. */
static bool sets_are_bounded(void)
{
    char value[32];
    uint32_t last = LABEL_SET_OTHER;
    size_t others = 0;
    uint32_t first = 0;
    for (int i = 0; i < 20000; i++) {
        snprintf(value, sizeof value, "%d", i);
        snag_label_set("request", value);
        uint32_t number = label_set_here();
        if (i == 0)
            first = number;
        if (number == LABEL_SET_OTHER)
            others++;
        else if (number == last || others > 0)
            return false;
        last = number;
    }
    snag_label_set("request", "0");
    if (label_set_here() != first || tables()->set_count > LABEL_SETS)
        return false;
    snag_label_set("request", "of which there are too many");
    if (label_set_here() != LABEL_SET_OTHER)
        return false;
    look();
    struct label_list list = labels_of_set(labels, LABEL_SET_OTHER);
    if (!list.is_other || list.count != 0)
        return false;
    list = labels_of_thread(labels, gettid()); /* the thread's own are all there */
    if (strcmp(words(&list), "request=of which there are too many") != 0)
        return false;
    printf("%zu of 20000 sets had no room\n", others);
    return others >= 20000 - LABEL_SETS && others < 20000 - LABEL_SETS + 500 &&
           labels_sets_refused(labels) >= others;
}

/* Long ones use up the bytes before the numbers. */
static bool bytes_are_bounded(void)
{
    char value[LABEL_VALUE_MAX + 1];
    memset(value, 'v', sizeof value);
    value[LABEL_VALUE_MAX] = 0;
    for (int i = 0; i < 6; i++)
        set_numbered(i, value);
    for (int i = 0; i < 20000; i++) {
        snprintf(value, sizeof value, "%d", i);
        snag_label_set("request", value);
        if (label_set_here() == LABEL_SET_NONE)
            return false;
    }
    return label_set_here() == LABEL_SET_OTHER &&
           tables()->set_bytes <= LABEL_SET_CHUNKS * LABEL_SET_CHUNK && tables()->sets_refused > 0;
}

static void run_in_child(bool (*play)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        bool right = target_open(&target, 0) == 0 && (labels = labels_new(&target)) && play();
        fflush(stdout);
        _exit(right ? 0 : 1);
    }
    assert_true(child_succeeds(child));
}

static void test_sets_are_bounded(void **state)
{
    (void)state;
    run_in_child(sets_are_bounded);
    run_in_child(bytes_are_bounded);
}

/* The same new sets in two threads at the same moment: one number each. */
#define COMMON 3000
static uint32_t common[2][COMMON];
static _Atomic unsigned arrived;

static void *number_common(void *argument)
{
    uint32_t *numbers = argument;
    char value[32];
    for (unsigned i = 0; i < COMMON; i++) {
        snprintf(value, sizeof value, "common %u", i);
        snag_label_set("set", value);
        arrived++;
        for (unsigned spins = 1; arrived < 2 * (i + 1); spins++)
            if (spins % 1000 == 0)
                sched_yield();
        numbers[i] = label_set_here();
    }
    return NULL;
}

static void test_equal_sets_have_one_number(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, number_common, common[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    look();
    for (int i = 0; i < COMMON; i++) {
        char want[32];
        snprintf(want, sizeof want, "set=common %d", i);
        assert_int_equal(common[1][i], common[0][i]);
        struct label_list list = labels_of_set(labels, common[0][i]);
        assert_string_equal(words(&list), want);
    }
}

/* A signal handler adds a handle while its thread changes labels. */
static _Atomic unsigned handled, unknown, wrong;
static uint32_t expected[3];

static void add_in_handler(int signal)
{
    (void)signal;
    uint32_t number = label_set_here();
    handled++;
    if (number == LABEL_SET_OTHER)
        unknown++;
    else if (number != expected[0] && number != expected[1] && number != expected[2])
        wrong++;
}

static void *keep_signalling(void *argument)
{
    struct changing *changing = argument;
    while (!*changing->stop) {
        pthread_kill(changing->thread, SIGUSR1);
        usleep(20);
    }
    return NULL;
}

static void test_in_a_signal_handler(void **state)
{
    (void)state;
    static const char *const values[] = { "one", "two, which is longer", "" };
    for (int i = 0; i < 3; i++) {
        snag_label_set("state", values[i]);
        expected[i] = label_set_here();
    }
    handled = unknown = wrong = 0;
    signal(SIGUSR1, add_in_handler);
    _Atomic int stop = 0;
    struct changing changing = { .thread = pthread_self(), .stop = &stop };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_signalling, &changing), 0);
    unsigned i = 0;
    for (uint64_t end = now_ns() + 1000000000; now_ns() < end;)
        for (int j = 0; j < 1000; j++, i++) {
            snag_label_set("state", values[i % 3]);
            if (i % 2)
                assert_int_equal(label_set_here(), expected[i % 3]);
        }
    stop = 1;
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_DFL);
    printf("%u handled, %u amid a change, %u changes\n", handled, unknown, i);
    assert_int_equal(wrong, 0);
    assert_true(handled > 100 && unknown < handled);
}

static void test_not_a_table(void **state)
{
    (void)state;
    static struct label_root other;
    assert_false(labels_refresh(labels, 0));
    assert_false(labels_refresh(labels, 8)); /* cannot be read */
    assert_false(labels_refresh(labels, (uintptr_t)&other));
    assert_int_equal(labels_of_thread(labels, gettid()).count, 0);
    assert_int_equal(labels_of_set(labels, LABEL_SET_NONE).count, 0);
    assert_true(labels_of_set(labels, 77).is_other);
    other = *tables();
    other.version++;
    assert_false(labels_refresh(labels, (uintptr_t)&other));
}

/* What somebody has written over is read without harm. */
static void test_corrupt_tables(void **state)
{
    (void)state;
    snag_label_set("good", "one");
    uint32_t number = label_set_here();
    static struct label_root other;
    other = *tables();
    other.set_places[number] = 0xfffffff8;
    assert_true(labels_refresh(labels, (uintptr_t)&other));
    assert_true(labels_of_set(labels, number).is_other);
    memset(other.set_chunks, 0xff, sizeof other.set_chunks);
    memset(other.slot_chunks, 0xff, sizeof other.slot_chunks);
    other.slot_count = other.set_bytes = other.set_count = UINT32_MAX;
    assert_true(labels_refresh(labels, (uintptr_t)&other));
    assert_int_equal(labels_of_thread(labels, gettid()).count, 0);
    labels_of_set(labels, number);
    uint32_t place = tables()->set_places[number];
    struct label_set *set =
        (struct label_set *)(uintptr_t)(tables()->set_chunks[place / LABEL_SET_CHUNK] +
                                        place % LABEL_SET_CHUNK);
    set->length += 60000; /* beyond what was read */
    look();
    assert_true(labels_of_set(labels, number).is_other);
    set->length -= 60000;
    assert_string_equal(words_of_set(number), "good=one");
    struct label_slot *slot = slot_of(gettid());
    uint16_t length = slot->length;
    slot->length = 60000;
    look();
    assert_int_equal(labels_of_thread(labels, gettid()).count, 0);
    slot->length = 3; /* no end of a text in it */
    look();
    assert_int_equal(labels_of_thread(labels, gettid()).count, 0);
    slot->length = length;
    assert_string_equal(words_of(gettid()), "good=one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_set_and_cleared, begin_without_labels),
        cmocka_unit_test_setup(test_errno_stays, begin_without_labels),
        cmocka_unit_test_setup(test_what_is_long_is_cut, begin_without_labels),
        cmocka_unit_test_setup(test_sixteen_have_room, begin_without_labels),
        cmocka_unit_test_setup(test_text_has_an_end, begin_without_labels),
        cmocka_unit_test_setup(test_never_torn, begin_without_labels),
        cmocka_unit_test_setup(test_slots_come_back, begin_without_labels),
        cmocka_unit_test_setup(test_labels_of_a_destructor, begin_without_labels),
        cmocka_unit_test_setup(test_a_tid_that_came_again, begin_without_labels),
        cmocka_unit_test_setup(test_what_is_left_behind_is_used, begin_without_labels),
        cmocka_unit_test_setup(test_fork, begin_without_labels),
        cmocka_unit_test_setup(test_fork_of_another_thread, begin_without_labels),
        cmocka_unit_test_setup(test_fork_amid_a_change, begin_without_labels),
        cmocka_unit_test_setup(test_sets_are_bounded, begin_without_labels),
        cmocka_unit_test_setup(test_equal_sets_have_one_number, begin_without_labels),
        cmocka_unit_test_setup(test_in_a_signal_handler, begin_without_labels),
        cmocka_unit_test_setup(test_not_a_table, begin_without_labels),
        cmocka_unit_test_setup(test_corrupt_tables, begin_without_labels),
    };
    if (target_open(&target, 0) != 0 || !(labels = labels_new(&target)))
        return 2;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    labels_free(labels);
    target_close(&target);
    return failed;
}
