/* blockers.c: one thread for every way of blocking, each having recorded its
 * own stack, and dumps held against all of them.
 *
 * Every way is called through the same few frames, after calls that went
 * deeper and left their records behind in the memory the way then uses. Dumps
 * are taken by snag_write (twice: the second time nothing has moved and snag
 * keeps what it knows), over HTTP as text, and as JSON. With --eu-stack all frames, down to the
 * system call, are held against elfutils' unwinder too, which stops the process and has
 * all registers; so that comes last. With --outside COMMAND the process has no listener, and
 * COMMAND, which is snag, dumps it from outside: by blocks and as JSON.
 * Exit status 0 when every stack is equal everywhere. */
#include "compare.h"
#include "outside.h"

#include <snag/snag.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_WAYS 250
#define STACK_BYTES ((size_t)4 << 20)

static struct truth truths[MOST_WAYS];
static size_t truth_count;
static bool with_eu_stack;
static const char *snag_command; /* dumps are taken from outside, by this; NULL: inside */
static int exit_status = 2;
static char bss_stack[262144] __attribute__((aligned(4096)));

static NOINLINE void returns_at_once(void)
{
    STAY();
}

static NOINLINE void enter(void (*function)(void), int kind)
{
    char local[200];
    memset(local, kind, sizeof local);
    __asm__ volatile("" : : "r"(local) : "memory");
    function();
    STAY();
}

static NOINLINE int descend(void (*function)(void), int kind, int depth)
{
    volatile char local[32];
    local[0] = (char)kind;
    if (depth > 0)
        return descend(function, kind, depth - 1) + local[0];
    enter(function, kind);
    return local[0];
}

static NOINLINE int litter(int depth)
{
    volatile char local[512];
    local[0] = (char)depth;
    return depth > 0 ? litter(depth - 1) + local[0] : local[0];
}

static void *thread_main(void *argument)
{
    struct truth *truth = argument;
    truth_belongs_to(truth);
    pthread_setname_np(pthread_self(), "way");
    /* The smallest stack has no room for what the others leave behind. */
    if (truth->way->stack != STACK_SMALLEST)
        litter(12);
    for (int depth = 8; depth > 3; depth--)
        descend(returns_at_once, (int)truth->kind, depth);
    descend(truth->way->block, (int)truth->kind, 3);
    __atomic_store_n(&truth->returned, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return NULL;
}

static void choose_stack(pthread_attr_t *attributes, enum way_stack stack)
{
    switch (stack) {
    case STACK_USUAL: pthread_attr_setstacksize(attributes, STACK_BYTES); break;
    case STACK_SMALLEST: pthread_attr_setstacksize(attributes, 16384 + 8192); break;
    case STACK_IN_HEAP: pthread_attr_setstack(attributes, aligned_alloc(4096, 65536), 65536); break;
    case STACK_IN_BSS: pthread_attr_setstack(attributes, bss_stack, sizeof bss_stack); break;
    }
}

static struct truth *new_truth(const struct way *way)
{
    if (truth_count == MOST_WAYS) {
        printf("more ways than MOST_WAYS\n");
        exit(2);
    }
    struct truth *truth = &truths[truth_count];
    truth->way = way;
    truth->kind = (unsigned)truth_count++;
    return truth;
}

static void start_way(const struct way *way)
{
    struct truth *truth = new_truth(way);
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    choose_stack(&attributes, way->stack);
    int error = pthread_create(&thread, &attributes, thread_main, truth);
    if (error) {
        printf("no thread for %s: %s\n", way->name, strerror(error));
        exit(2);
    }
    pthread_attr_destroy(&attributes);
}

static void start_ways(const struct way *ways)
{
    for (; ways->name; ways++)
        start_way(ways);
}

/* The dumping thread is in its own dump: marked here, waiting in the library. */
static NOINLINE int dump_and_be_in_it(struct dump *dump)
{
    truth_mark();
    int status = dump_by_call(dump);
    STAY();
    return status;
}

static NOINLINE int ask_and_be_in_it(const char *path, struct dump *dump)
{
    truth_mark();
    int status = dump_by_http(snag_address(), path, dump);
    STAY();
    return status;
}

static NOINLINE int be_dumped_from_outside(const char *form, struct dump *dump)
{
    truth_mark();
    int status = outside_snag(snag_command, form, dump);
    STAY();
    return status;
}

static size_t check_one(int status, struct dump *dump, const char *what)
{
    size_t counts[VERDICT_COUNT] = { 0 };
    size_t failed = 1;
    if (status)
        printf("%s: %s\n", what, strerror(-status));
    else
        failed = truth_compare_all(truths, truth_count, dump, what, counts);
    printf("RESULT %-12s equal %zu undecided %zu partial %zu different %zu missing %zu\n", what,
           counts[VERDICT_EQUAL], counts[VERDICT_UNDECIDED], counts[VERDICT_PARTIAL],
           counts[VERDICT_DIFFERENT], counts[VERDICT_MISSING]);
    return failed;
}

static size_t check_returned(void)
{
    size_t failed = 0;
    for (size_t i = 0; i < truth_count; i++) {
        if (!__atomic_load_n(&truths[i].returned, __ATOMIC_ACQUIRE))
            continue;
        printf("came back although nobody woke it: %s\n", truths[i].way->name);
        failed++;
    }
    return failed;
}

/* What snag said of each thread, and what eu-stack says: all frames. Only where
 * eu-stack agrees with the truth above, since it errs too, and where snag claims to know. */
static size_t check_eu_stack(const struct dump *ours)
{
    size_t same = 0, unsure = 0, failed = 0;
    struct dump theirs;
    if (!outside_eu_stack(&theirs)) {
        printf("eu-stack said nothing; not compared\n");
        return 0;
    }
    for (size_t i = 0; i < truth_count; i++) {
        const struct dump_thread *left = dump_find(ours, truths[i].tid);
        const struct dump_thread *right = dump_find(&theirs, truths[i].tid);
        if (truths[i].skipped || !left || left->count == 0)
            continue;
        if (!right || truth_compare(&truths[i], right) != VERDICT_EQUAL || dump_is_partial(left)) {
            unsure++;
            continue;
        }
        bool equal = left->count == right->count &&
                     memcmp(left->frames, right->frames, left->count * sizeof *left->frames) == 0;
        same += equal;
        if (equal)
            continue;
        failed++;
        printf("--- %s: not what eu-stack says (ours, theirs; innermost first)\n",
               truths[i].way->name);
        for (size_t j = 0; j < left->count || j < right->count; j++)
            printf("    0x%016lx 0x%016lx %s\n",
                   j < left->count ? (unsigned long)left->frames[j] : 0,
                   j < right->count ? (unsigned long)right->frames[j] : 0,
                   j < left->count ? left->functions[j] : "");
    }
    printf("RESULT eu-stack     equal %zu undecided %zu different %zu missing 0\n", same, unsure,
           failed);
    dump_free(&theirs);
    return failed;
}

static const struct way way_of_the_dumper = { "snag_write itself", NULL, 10, STACK_USUAL };
static const struct way way_of_std_thread = { "std::thread", NULL, 3, STACK_USUAL };
static const struct way way_of_main = { "main in join", NULL, 4, STACK_USUAL };

static size_t check_outside(void)
{
    struct dump dump, last;
    size_t failed = check_one(be_dumped_from_outside("--json", &dump), &dump, "JSON");
    dump_free(&dump);
    failed += check_one(be_dumped_from_outside("--debug=2", &last), &last, "blocks");
    failed += check_returned();
    truth_count--; /* the dumper itself has moved on */
    if (with_eu_stack)
        failed += check_eu_stack(&last);
    dump_free(&last);
    return failed;
}

static size_t check_all(void)
{
    struct dump dump, last;
    size_t failed = check_one(dump_and_be_in_it(&dump), &dump, "snag_write");
    dump_free(&dump);
    failed += check_one(dump_and_be_in_it(&dump), &dump, "again");
    dump_free(&dump);
    failed += check_one(ask_and_be_in_it("/debug/threads?format=json", &dump), &dump, "JSON");
    dump_free(&dump);
    failed += check_one(ask_and_be_in_it("/debug/pprof/threads?debug=2", &last), &last, "HTTP");
    failed += check_returned();
    truth_count--; /* the dumper itself has moved on */
    if (with_eu_stack)
        failed += check_eu_stack(&last);
    dump_free(&last);
    return failed;
}

static void *dumper_main(void *unused)
{
    for (size_t i = 0; i < truth_count; i++)
        if (truths[i].skipped)
            printf("not here: %s: %s\n", truths[i].way->name, truths[i].skipped);
    truth_belongs_to(new_truth(&way_of_the_dumper)); /* the last */
    if (truth_wait_blocked(truths, truth_count - 1, 30))
        exit_status = (snag_command ? check_outside() : check_all()) > 0;
    scene_end();
    fflush(stdout);
    _exit(exit_status);
    return unused;
}

static NOINLINE void main_waits(pthread_t thread)
{
    truth_mark();
    pthread_join(thread, NULL);
    STAY();
}

static bool listen_inside(void)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    return snag_start(&options) == 0;
}

static void read_options(char **options)
{
    for (; *options; options++) {
        if (strcmp(*options, "--eu-stack") == 0)
            with_eu_stack = true;
        else if (strcmp(*options, "--outside") == 0 && options[1])
            snag_command = *++options;
    }
}

int main(int argc, char **argv)
{
    read_options(argv + 1);
    (void)argc;
    alarm(120);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (snag_command ? !outside_allow() : !listen_inside())
        return 2;
    scene_set();
    start_ways(ways_io);
    start_ways(ways_locks);
    start_ways(ways_signals);
    start_ways(ways_frames);
    start_ways(ways_cpp);
    start_std_thread(new_truth(&way_of_std_thread));
    truth_belongs_to(new_truth(&way_of_main));
    usleep(300000); /* the ways that skip themselves say so */
    pthread_t dumper;
    if (pthread_create(&dumper, NULL, dumper_main, NULL))
        return 2;
    main_waits(dumper);
    return 2;
}
