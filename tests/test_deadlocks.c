/* test_deadlocks.c proves that a deadlock is told exactly: its threads, each with the lock and the
 * one who holds it, those behind it as lost too, and nobody else.
 *
 * A scene is planted in a process of its own (this program, called with its name): each actor
 * takes a lock, and when all have, waits for another's or for another to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "http_get.h"
#include "waits_json.h"

#include <snag/snag.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define ACTORS_MAX 8
#define NONE (-1)

enum lock_type {
    PLAIN,
    RECURSIVE,
    CHECKING,
    ADAPTIVE,
    ROBUST,
    SHARED,
    INHERITING,
    C11,
    RWLOCK,
    STREAM,
    ONCE
};

enum want { LOCK, READ, TIMED, END, SLEEP, EXIT };

/* WANTED is a lock's number or, with END, an actor's. */
struct actor {
    const char *name;
    int holds;
    enum want want;
    int wanted;
    const char *on; /* what it must be said to wait on */
    bool never;
    int cycle; /* the number of the deadlock; 0: in none */
};

struct scene {
    const char *name;
    enum lock_type types[ACTORS_MAX];
    struct actor actors[ACTORS_MAX + 1]; /* ended by one without a name */
};

static const struct scene scenes[] = {
    { "one thread, twice", { PLAIN }, { { "a", 0, LOCK, 0, "mutex held by itself", true, 1 } } },
    { "one thread, twice, adaptive",
      { ADAPTIVE },
      { { "a", 0, LOCK, 0, "mutex held by itself", true, 1 } } },
    { "one thread, twice, C11", { C11 }, { { "a", 0, LOCK, 0, "mutex held by itself", true, 1 } } },
    { "one thread, once inside itself",
      { ONCE },
      { { "a", 0, LOCK, 0, "once run by itself", true, 1 } } },
    { "one thread, twice, for a time",
      { PLAIN },
      { { "a", 0, TIMED, 0, "mutex held by itself", false, 0 } } },
    { "two, plain",
      { PLAIN, PLAIN },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, recursive",
      { RECURSIVE, RECURSIVE },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, error-checking",
      { CHECKING, CHECKING },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, adaptive",
      { ADAPTIVE, ADAPTIVE },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, robust",
      { ROBUST, ROBUST },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, process-shared",
      { SHARED, SHARED },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, priority-inheriting",
      { INHERITING, INHERITING },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, C11",
      { C11, C11 },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, rwlocks",
      { RWLOCK, RWLOCK },
      { { "a", 0, LOCK, 1, "rwlock held by b", true, 1 },
        { "b", 1, READ, 0, "rwlock held by a", true, 1 } } },
    { "two, streams",
      { STREAM, STREAM },
      { { "a", 0, LOCK, 1, "stdio lock held by b", true, 1 },
        { "b", 1, LOCK, 0, "stdio lock held by a", true, 1 } } },
    { "two, a lock and an end",
      { PLAIN },
      { { "a", 0, END, 1, "end of thread b", true, 1 },
        { "b", NONE, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two, a lock and an initialisation",
      { PLAIN, ONCE },
      { { "a", 0, LOCK, 1, "once run by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 } } },
    { "three, mutexes of each kind",
      { PLAIN, RECURSIVE, ROBUST },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 2, "mutex held by c", true, 1 },
        { "c", 2, LOCK, 0, "mutex held by a", true, 1 } } },
    { "three, priority-inheriting",
      { INHERITING, INHERITING, INHERITING },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 2, "mutex held by c", true, 1 },
        { "c", 2, LOCK, 0, "mutex held by a", true, 1 } } },
    { "three, ends",
      { PLAIN },
      { { "a", NONE, END, 1, "end of thread b", true, 1 },
        { "b", NONE, END, 2, "end of thread c", true, 1 },
        { "c", NONE, END, 0, "end of thread a", true, 1 } } },
    { "five, of everything",
      { PLAIN, RWLOCK, STREAM, ONCE },
      { { "a", 0, LOCK, 1, "rwlock held by b", true, 1 },
        { "b", 1, LOCK, 2, "stdio lock held by c", true, 1 },
        { "c", 2, LOCK, 3, "once run by d", true, 1 },
        { "d", 3, END, 4, "end of thread e", true, 1 },
        { "e", NONE, LOCK, 0, "mutex held by a", true, 1 } } },
    { "two deadlocks",
      { PLAIN, PLAIN, RWLOCK, RWLOCK },
      { { "a", 0, LOCK, 1, "mutex held by c", true, 1 },
        { "b", 2, LOCK, 3, "rwlock held by d", true, 2 },
        { "c", 1, LOCK, 0, "mutex held by a", true, 1 },
        { "d", 3, LOCK, 2, "rwlock held by b", true, 2 } } },
    { "others behind it",
      { PLAIN, PLAIN, PLAIN },
      { { "a", 0, LOCK, 1, "mutex held by b", true, 1 },
        { "b", 1, LOCK, 0, "mutex held by a", true, 1 },
        { "c", 2, LOCK, 0, "mutex held by a", true, 0 },
        { "d", NONE, LOCK, 2, "mutex held by c", true, 0 },
        { "e", NONE, END, 2, "end of thread c", true, 0 },
        { "f", NONE, TIMED, 1, "mutex held by b", false, 0 },
        { "g", NONE, SLEEP, 0, "sleep", false, 0 } } },
    { "somebody gives up",
      { PLAIN, PLAIN, PLAIN },
      { { "a", 0, LOCK, 1, "mutex held by b", false, 0 },
        { "b", 1, TIMED, 2, "mutex held by c", false, 0 },
        { "c", 2, LOCK, 0, "mutex held by a", false, 0 },
        { "d", NONE, LOCK, 0, "mutex held by a", false, 0 } } },
    { "a holder sleeps",
      { PLAIN, RWLOCK, STREAM },
      { { "a", 0, SLEEP, 0, "sleep", false, 0 },
        { "b", 1, LOCK, 0, "mutex held by a", false, 0 },
        { "c", 2, LOCK, 1, "rwlock held by b", false, 0 },
        { "d", NONE, LOCK, 2, "stdio lock held by c", false, 0 },
        { "e", NONE, END, 3, "end of thread d", false, 0 } } },
    { "the owner is gone",
      { PLAIN, PLAIN, PLAIN },
      { { "a", 0, EXIT, 0, NULL, false, 0 },
        { "b", 1, LOCK, 0, "mutex whose owner is gone", true, 0 },
        { "c", NONE, LOCK, 1, "mutex held by b", true, 0 },
        { "d", NONE, TIMED, 0, "mutex whose owner is gone", false, 0 },
        { "e", 2, TIMED, 1, "mutex held by b", false, 0 },
        { "f", NONE, LOCK, 2, "mutex held by e", false, 0 } } },
    { "the owner is gone, rwlock",
      { RWLOCK },
      { { "a", 0, EXIT, 0, NULL, false, 0 },
        { "b", NONE, LOCK, 0, "rwlock whose owner is gone", true, 0 },
        { "c", NONE, READ, 0, "rwlock whose owner is gone", true, 0 } } },
    { "the owner is gone, priority-inheriting",
      { INHERITING },
      { { "a", 0, EXIT, 0, NULL, false, 0 },
        { "b", NONE, LOCK, 0, "mutex whose owner is gone", true, 0 } } },
};

#define SCENE_COUNT (sizeof scenes / sizeof *scenes)

/* ---- in the scene's process ---- */

struct lock {
    enum lock_type type;
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    mtx_t c11;
    pthread_once_t once;
    FILE *stream;
};

static const struct scene *scene;
static struct lock locks[ACTORS_MAX];
static pthread_t threads[ACTORS_MAX];
static _Atomic pid_t tids[ACTORS_MAX];
static size_t actor_count;
static _Atomic size_t holding, waiting;

static void lock_init(struct lock *lock, enum lock_type type)
{
    pthread_mutexattr_t attributes;
    static const int types[] = { [RECURSIVE] = PTHREAD_MUTEX_RECURSIVE,
                                 [CHECKING] = PTHREAD_MUTEX_ERRORCHECK,
                                 [ADAPTIVE] = PTHREAD_MUTEX_ADAPTIVE_NP,
                                 [ONCE] = PTHREAD_MUTEX_NORMAL };
    *lock = (struct lock){ .type = type, .once = PTHREAD_ONCE_INIT };
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, types[type]);
    if (type == ROBUST)
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (type == SHARED)
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (type == INHERITING)
        pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&lock->mutex, &attributes);
    pthread_rwlock_init(&lock->rwlock, NULL);
    mtx_init(&lock->c11, mtx_plain);
    if (type == STREAM)
        lock->stream = tmpfile();
}

static void never_called(void)
{
    abort();
}

static void lock_take(struct lock *lock)
{
    switch (lock->type) {
    case RWLOCK: pthread_rwlock_wrlock(&lock->rwlock); break;
    case C11: mtx_lock(&lock->c11); break;
    case STREAM: flockfile(lock->stream); break;
    case ONCE: pthread_once(&lock->once, never_called); break;
    default: pthread_mutex_lock(&lock->mutex);
    }
}

static void wait_for(const struct actor *actor)
{
    struct lock *wanted = &locks[actor->wanted];
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3600;
    switch (actor->want) {
    case LOCK: lock_take(wanted); break;
    case READ: pthread_rwlock_rdlock(&wanted->rwlock); break;
    case TIMED: pthread_mutex_timedlock(&wanted->mutex, &until); break;
    case END: pthread_join(threads[actor->wanted], NULL); break;
    case SLEEP: sleep(3600); break;
    case EXIT: return;
    }
    fprintf(stderr, "%s did not wait\n", actor->name);
    abort();
}

static _Thread_local const struct actor *self;

/* All hold what they hold; then one after the other goes on to wait, so that it is known whom the
 * kernel refuses a priority-inheriting lock. */
static void go_on(void)
{
    size_t turn = (size_t)(self - scene->actors);
    holding++;
    while (holding < actor_count || waiting < turn)
        usleep(1000);
    wait_for(self);
}

static void *act(void *argument)
{
    self = argument;
    prctl(PR_SET_NAME, self->name);
    tids[self - scene->actors] = (pid_t)syscall(SYS_gettid);
    struct lock *lock = self->holds == NONE ? NULL : &locks[self->holds];
    if (lock && lock->type == ONCE) {
        pthread_once(&lock->once, go_on);
        return NULL;
    }
    if (lock)
        lock_take(lock);
    go_on();
    return NULL;
}

static bool is_blocked(pid_t tid)
{
    char path[64];
    char text[128] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return true; /* it has ended, as it was to */
    bool blocked = fgets(text, sizeof text, file) && strncmp(text, "running", 7) != 0;
    fclose(file);
    return blocked;
}

/* Until the actor is in the wait that it wants: blocked several times in a row. */
static void settle(size_t number)
{
    usleep(20000);
    for (int in_a_row = 0; in_a_row < 5; usleep(2000))
        in_a_row = is_blocked(tids[number]) ? in_a_row + 1 : 0;
}

static void plant(void)
{
    for (size_t i = 0; i < ACTORS_MAX; i++)
        lock_init(&locks[i], scene->types[i]);
    while (scene->actors[actor_count].name)
        actor_count++;
    for (size_t i = 0; i < actor_count; i++)
        if (pthread_create(&threads[i], NULL, act, (void *)(uintptr_t)&scene->actors[i]))
            abort();
    for (size_t i = 0; i < actor_count; i++)
        if (scene->actors[i].want == EXIT)
            pthread_detach(threads[i]);
    while (holding < actor_count)
        usleep(1000);
    for (; waiting < actor_count; waiting++)
        settle(waiting);
}

static int wrong;

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        fprintf(stderr, "%s: ", scene->name);                                                      \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fprintf(stderr, "\n");                                                                     \
        wrong++;                                                                                   \
    } while (0)

/* At which priority-inheriting mutex the C library has parked a thread, often no memory tells. */
static bool is_parked(const struct seen_wait *wait)
{
    return scene->types[0] == INHERITING &&
           strcmp(wait->on, "mutex that the kernel refuses for ever") == 0;
}

static bool somebody_is_parked;

/* CYCLES[n]: the number that the dump gave to our deadlock n. */
static void check_actor(size_t number, const struct seen_waits *seen, size_t *cycles)
{
    const struct actor *actor = &scene->actors[number];
    const struct seen_wait *wait = seen_find(seen, tids[number]);
    if (!actor->on)
        return;
    if (wait && is_parked(wait)) {
        somebody_is_parked = true;
    } else if (!wait || strcmp(wait->on, actor->on) != 0) {
        WRONG("%s waits on \"%s\", not on \"%s\"", actor->name, wait ? wait->on : "nothing",
              actor->on);
        return;
    }
    if (wait->never != actor->never)
        WRONG("%s is said to %s", actor->name, wait->never ? "be lost" : "have hope");
    if (somebody_is_parked)
        return; /* so its deadlock has no name */
    if (cycles[actor->cycle] == 0)
        cycles[actor->cycle] = wait->deadlock;
    if (actor->cycle ? wait->deadlock != cycles[actor->cycle] || wait->deadlock == 0
                     : wait->deadlock != 0)
        WRONG("%s is in deadlock %zu", actor->name, wait->deadlock);
}

static size_t never_expected(void)
{
    size_t never = 0;
    for (size_t i = 0; i < actor_count; i++)
        never += scene->actors[i].never;
    return never;
}

static size_t cycles_expected(void)
{
    int cycles = 0;
    for (size_t i = 0; i < actor_count && !somebody_is_parked; i++)
        cycles = scene->actors[i].cycle > cycles ? scene->actors[i].cycle : cycles;
    return (size_t)cycles;
}

static void check_all(void)
{
    struct seen_waits seen;
    size_t cycles[ACTORS_MAX] = { 0 };
    size_t never = 0;
    if (seen_get(snag_address(), &seen) != 0)
        WRONG("no dump");
    for (size_t i = actor_count; i > 0; i--) /* who is parked came last */
        check_actor(i - 1, &seen, cycles);
    for (size_t i = 0; i < seen.count; i++)
        never += seen.waits[i].never;
    if (never != never_expected())
        WRONG("%zu threads are said to be lost, and %zu are", never, never_expected());
    seen_free(&seen);
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        count++;
    return count;
}

/* That the page has COUNT times WORD. */
static void check_page(const char *path, const char *word, size_t count)
{
    struct http_reply reply;
    if (http_get(snag_address(), path, 30, &reply) != 0 || reply.status != 200)
        WRONG("no %s", path);
    else if (occurrences(reply.body, word) != count)
        WRONG("%s says %zu times \"%s\", not %zu times:\n%s", path, occurrences(reply.body, word),
              word, count, reply.body);
    http_reply_free(&reply);
}

static int play(const char *name)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    alarm(60);
    for (size_t i = 0; i < SCENE_COUNT; i++)
        if (strcmp(scenes[i].name, name) == 0)
            scene = &scenes[i];
    plant();
    if (snag_start(&options) != 0)
        return 2;
    check_all();
    check_all(); /* from what was kept of the threads */
    char total[64];
    snprintf(total, sizeof total, "threadleak profile: total %zu\n", never_expected());
    check_page("/debug/pprof/threadleak?debug=1", total, 1);
    check_page("/debug/pprof/threadleak?debug=2", "\nthread ", never_expected());
    check_page("/debug/pprof/threads?debug=2", "\ndeadlock ", cycles_expected());
    check_page("/debug/threads", "\ndeadlock ", cycles_expected());
    fflush(stderr);
    _exit(wrong > 0);
}

/* ---- the test ---- */

/* ThreadSanitizer has a pthread_once of its own, which keeps nothing where it is looked for. */
static bool has_a_strange_once(const struct scene *planted)
{
#if defined(__SANITIZE_THREAD__)
    for (size_t i = 0; i < ACTORS_MAX; i++)
        if (planted->types[i] == ONCE)
            return true;
#endif
    (void)planted;
    return false;
}

static void test_scene(void **state)
{
    const struct scene *planted = *state;
    if (has_a_strange_once(planted))
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_deadlocks", planted->name, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCENE_COUNT];
    if (argc == 2)
        return play(argv[1]);
    for (size_t i = 0; i < SCENE_COUNT; i++)
        tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
                                        .test_func = test_scene,
                                        .initial_state = (void *)(uintptr_t)&scenes[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
