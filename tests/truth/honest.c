/* honest.c: stacks that cannot be had, or not by unwind tables.
 *
 * Code without tables, stacks overwritten with garbage by their own thread,
 * stack pointers that point nowhere, code that is no longer mapped. Each must
 * be in every dump, say `partial`, begin with what is known (the innermost
 * frame), and never loop, crash or hold up the dump; a healthy thread beside them stays
 * whole. */
#include "compare.h"

#include <snag/snag.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if !defined(__x86_64__)
int main(void)
{
    puts("written for x86-64");
    return 77;
}
#else

#define DUMPS 40
#define PAGE ((size_t)4096)

/* What the dump must say of a case, beside being partial. */
enum expect {
    EXPECT_ALL,      /* walked by frame pointers: the truth is its outermost part */
    EXPECT_THROUGH,  /* as above, and code without a file is in it */
    EXPECT_INNERMOST /* at least the frame the thread is in */
};

/* Pauses with the stack pointer set to SP; does not return. */
__attribute__((noreturn)) static NOINLINE void pause_with_stack(uint64_t sp)
{
    __asm__ volatile("movq %0, %%rsp\n"
                     "1: movl %1, %%eax\n"
                     "syscall\n"
                     "jmp 1b\n"
                     :
                     : "r"(sp), "i"(SYS_pause)
                     : "memory");
    __builtin_unreachable();
}

__attribute__((noreturn)) static inline void pause_for_ever(void)
{
    for (;;) {
        long result = SYS_pause;
        __asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
    }
}

static NOINLINE void block(void)
{
    char byte;
    if (read(scene.empty_pipe[0], &byte, 1))
        STAY();
}

/* Two functions without unwind tables, in a file that has tables for all others. */
__asm__(".text\n"
        "call_by_frame_pointer:\n"
        "    pushq %rbp\n"
        "    movq %rsp, %rbp\n"
        "    subq $48, %rsp\n"
        "    call *%rdi\n"
        "    leave\n"
        "    ret\n"
        "call_without_frame_pointer:\n"
        "    subq $56, %rsp\n"
        "    call *%rdi\n"
        "    addq $56, %rsp\n"
        "    ret\n");
void call_by_frame_pointer(void (*function)(void));
void call_without_frame_pointer(void (*function)(void));

typedef void calls_function(void (*function)(void));

static unsigned char *code_page(const unsigned char *bytes, size_t size)
{
    unsigned char *page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, bytes, size);
    mprotect(page, PAGE, PROT_READ | PROT_EXEC);
    return page;
}

static calls_function *made_code(bool frame_pointer)
{
    static const unsigned char with[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0x83,
                                          0xec, 0x30, 0xff, 0xd7, 0xc9, 0xc3 };
    static const unsigned char without[] = { 0x48, 0x83, 0xec, 0x38, 0xff, 0xd7,
                                             0x48, 0x83, 0xc4, 0x38, 0xc3 };
    unsigned char *page =
        frame_pointer ? code_page(with, sizeof with) : code_page(without, sizeof without);
    return (calls_function *)(uintptr_t)page;
}

static NOINLINE void in_code_without_tables(void)
{
    truth_mark();
    call_by_frame_pointer(block);
    STAY();
}

static NOINLINE void in_code_without_anything(void)
{
    truth_mark();
    call_without_frame_pointer(block);
    STAY();
}

static NOINLINE void in_made_code(void)
{
    calls_function *code = made_code(true);
    truth_mark();
    code(block);
    STAY();
}

static NOINLINE void in_made_code_without(void)
{
    calls_function *code = made_code(false);
    truth_mark();
    code(block);
    STAY();
}

/* push rbp; mov rbp, rsp; mov eax, SYS_pause; syscall; jmp back */
static const unsigned char pausing[] = { 0x55, 0x48, 0x89, 0xe5, 0xb8, SYS_pause, 0,
                                         0,    0,    0x0f, 0x05, 0xeb, 0xf7 };

static NOINLINE void in_innermost_made_code(void)
{
    void (*code)(void) = (void (*)(void))(uintptr_t)code_page(pausing, sizeof pausing);
    truth_mark();
    code();
    STAY();
}

static void *unmap_later(void *page)
{
    usleep(200000);
    munmap(page, PAGE);
    return NULL;
}

static NOINLINE void in_unmapped_code(void)
{
    unsigned char *page = code_page(pausing, sizeof pausing);
    pthread_t thread;
    truth_mark();
    if (pthread_create(&thread, NULL, unmap_later, page) == 0)
        ((void (*)(void))(uintptr_t)page)();
    STAY();
}

enum garbage {
    ZERO,
    ONES,
    PATTERN,
    OWN_ADDRESS,
    ADDRESS_BELOW,
    RETURN_ADDRESSES,
    FRAME_LOOP,
    NOISE
};

static uint64_t random_word(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ (*state >> 29);
}

/* One word of garbage at AT. Return addresses are some that the thread itself had. */
static uint64_t garbage_word(enum garbage kind, const uint64_t *at, const struct truth *truth,
                             uint64_t *state)
{
    switch (kind) {
    case ZERO: return 0;
    case ONES: return UINT64_MAX;
    case PATTERN: return 0x4141414141414141;
    case OWN_ADDRESS: return (uintptr_t)at;
    case ADDRESS_BELOW: return (uintptr_t)(at - 2);
    case RETURN_ADDRESSES: return truth->frames[random_word(state) % 3]; /* not the outermost */
    case FRAME_LOOP: return ((uintptr_t)at & 8) ? truth->frames[0] : (uintptr_t)at - 64;
    case NOISE: return random_word(state);
    }
    return 0;
}

static __thread struct truth *own_truth;
static __thread uint64_t *stack_top;

/* Overwrites everything from its own frame to the top of the stack. All it needs is
 * in registers or static by then; it cannot return. */
__attribute__((noreturn)) static NOINLINE void destroy_stack(enum garbage kind)
{
    static __thread uint64_t state;
    const struct truth *truth = own_truth;
    uint64_t *from = __builtin_frame_address(0);
    uint64_t *top = stack_top;
    state = 88172645463325252u + kind;
    for (uint64_t *at = from; at < top; at++)
        *at = garbage_word(kind, at, truth, &state);
    pause_for_ever();
}

#define DESTROYED(name, kind)                                                                      \
    static NOINLINE void name(void)                                                                \
    {                                                                                              \
        truth_mark();                                                                              \
        destroy_stack(kind);                                                                       \
    }
DESTROYED(in_zeroes, ZERO)
DESTROYED(in_ones, ONES)
DESTROYED(in_pattern, PATTERN)
DESTROYED(in_own_addresses, OWN_ADDRESS)
DESTROYED(in_addresses_below, ADDRESS_BELOW)
DESTROYED(in_return_addresses, RETURN_ADDRESSES)
DESTROYED(in_frame_loop, FRAME_LOOP)
DESTROYED(in_noise, NOISE)

static NOINLINE void in_stack_at_16(void)
{
    truth_mark();
    pause_with_stack(16);
}

static NOINLINE void in_stack_beyond_memory(void)
{
    truth_mark();
    pause_with_stack(UINT64_MAX - 63);
}

static NOINLINE void in_stack_of_kernel(void)
{
    truth_mark();
    pause_with_stack(0x8000000000000000u);
}

static NOINLINE void in_misaligned_stack(void)
{
    truth_mark();
    pause_with_stack((uintptr_t)__builtin_frame_address(0) - 1003);
}

static NOINLINE void in_unreadable_stack(void)
{
    char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    truth_mark();
    pause_with_stack((uintptr_t)page + 1024);
}

static char *one_page(void)
{
    char *pages = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
    return pages + PAGE;
}

static NOINLINE void in_one_page_of_stack(void)
{
    char *page = one_page();
    truth_mark();
    pause_with_stack((uintptr_t)page + 2048);
}

static NOINLINE void in_last_word_of_stack(void)
{
    char *page = one_page();
    truth_mark();
    pause_with_stack((uintptr_t)page + PAGE - 8);
}

static NOINLINE void in_first_word_of_stack(void)
{
    char *page = one_page();
    truth_mark();
    pause_with_stack((uintptr_t)page);
}

static NOINLINE void in_end_of_stack(void)
{
    char *page = one_page();
    truth_mark();
    pause_with_stack((uintptr_t)page + PAGE);
}

static NOINLINE int recurse(int depth)
{
    volatile int local[4] = { depth };
    if (depth > 0)
        return recurse(depth - 1) + local[0];
    block();
    return local[0];
}

/* More frames than a dump keeps. */
static NOINLINE void in_3000_frames(void)
{
    truth_mark();
    if (recurse(3000))
        STAY();
}

static NOINLINE void in_jump_to_null(void);

static NOINLINE void blocking_handler(int number)
{
    (void)number;
    block();
    STAY();
}

static NOINLINE void in_jump_to_null(void)
{
    void (*volatile nothing)(void) = NULL;
    struct sigaction action = { .sa_handler = blocking_handler };
    sigaction(SIGSEGV, &action, NULL);
    truth_mark();
    nothing();
    STAY();
}

struct honest_case {
    struct way way;
    enum expect expect;
};

static const struct honest_case cases[] = {
    { { "code without tables", in_code_without_tables, 4, STACK_USUAL }, EXPECT_ALL },
    { { "code without anything", in_code_without_anything, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "made code", in_made_code, 4, STACK_USUAL }, EXPECT_THROUGH },
    { { "made code without anything", in_made_code_without, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "made code, innermost", in_innermost_made_code, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "unmapped code", in_unmapped_code, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "zeroes", in_zeroes, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "ones", in_ones, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "a pattern", in_pattern, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "words that point to themselves", in_own_addresses, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "words that point below", in_addresses_below, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "return addresses only", in_return_addresses, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "frames in a loop", in_frame_loop, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "noise", in_noise, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "stack at 16", in_stack_at_16, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "stack beyond memory", in_stack_beyond_memory, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "stack of the kernel", in_stack_of_kernel, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "misaligned stack", in_misaligned_stack, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "unreadable stack", in_unreadable_stack, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "one page of stack", in_one_page_of_stack, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "last word of a stack", in_last_word_of_stack, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "first word of a stack", in_first_word_of_stack, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "end of a stack", in_end_of_stack, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "3000 frames", in_3000_frames, 4, STACK_USUAL }, EXPECT_INNERMOST },
    { { "jump to null", in_jump_to_null, 4, STACK_USUAL }, EXPECT_INNERMOST },
};
#define CASES (sizeof cases / sizeof *cases)

static NOINLINE void healthy(void)
{
    char byte;
    truth_mark();
    if (read(scene.empty_pipe[0], &byte, 1))
        STAY();
}

static const struct way healthy_way = { "a healthy thread", healthy, 2, STACK_USUAL };
static struct truth truths[CASES + 1];

static NOINLINE void enter(const struct way *way)
{
    char local[100];
    memset(local, 1, sizeof local);
    __asm__ volatile("" : : "r"(local) : "memory");
    way->block();
    STAY();
}

static void *thread_main(void *argument)
{
    own_truth = argument;
    truth_belongs_to(own_truth);
    pthread_attr_t attributes;
    void *low;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    /* Up to and with this frame; what lies above is libc's and the thread's own data. */
    stack_top = (uint64_t *)((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)7) + 8;
    enter(own_truth->way);
    return NULL;
}

static void start(struct truth *truth, const struct way *way)
{
    pthread_t thread;
    truth->way = way;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 2 << 20);
    if (pthread_create(&thread, &attributes, thread_main, truth))
        exit(2);
    while (!__atomic_load_n(&truth->marked, __ATOMIC_ACQUIRE))
        usleep(1000);
}

static bool ends_with_truth(const struct truth *truth, const struct dump_thread *thread)
{
    return thread->count > truth->count &&
           memcmp(&thread->frames[thread->count - truth->count], truth->frames,
                  truth->count * sizeof *truth->frames) == 0;
}

static bool has_code_without_file(const struct dump_thread *thread)
{
    for (size_t i = 0; i < thread->count; i++)
        if (strstr(thread->functions[i], "anon"))
            return true;
    return false;
}

static const char *what_is_wrong(const struct honest_case *test, const struct truth *truth,
                                 const struct dump_thread *thread)
{
    if (!thread)
        return "is not in the dump";
    if (!dump_is_partial(thread))
        return "does not say that it is partial";
    if (thread->count == 0)
        return "has no frame at all";
    if (thread->count > 520)
        return "has frames without end";
    if (test->expect == EXPECT_INNERMOST)
        return NULL;
    if (!ends_with_truth(truth, thread))
        return "was not walked to its end by frame pointers";
    if (test->expect == EXPECT_THROUGH && !has_code_without_file(thread))
        return "leaves out the code without a file";
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static size_t check(const struct dump *dump, int round)
{
    size_t failed = 0;
    for (size_t i = 0; i < CASES; i++) {
        const struct dump_thread *thread = dump_find(dump, truths[i].tid);
        const char *wrong = what_is_wrong(&cases[i], &truths[i], thread);
        if (round == 0 && thread)
            printf("%-32s %3zu frames, %s%s\n", cases[i].way.name, thread->count, thread->capture,
                   ends_with_truth(&truths[i], thread) ? ", reaches the outermost" : "");
        if (!wrong)
            continue;
        failed++;
        if (round == 0)
            printf("FAILED %s %s\n", cases[i].way.name, wrong);
        if (round == 0)
            truth_print(&truths[i], thread, VERDICT_PARTIAL);
    }
    size_t counts[VERDICT_COUNT] = { 0 };
    return failed + truth_compare_all(&truths[CASES], 1, dump, "beside them", counts);
}

int main(void)
{
    alarm(120);
    setvbuf(stdout, NULL, _IOLBF, 0);
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    if (snag_start(&options))
        return 2;
    scene_set();
    for (size_t i = 0; i < CASES; i++)
        start(&truths[i], &cases[i].way);
    start(&truths[CASES], &healthy_way);
    usleep(300000); /* the unmapping thread is done */
    if (!truth_wait_blocked(truths, CASES + 1, 10))
        return 2;
    size_t failed = 0;
    int64_t longest = 0;
    for (int i = 0; i < DUMPS; i++) {
        struct dump dump;
        int64_t before = now_ms();
        int status = i % 2 ? dump_by_http(snag_address(), "/debug/threads?format=json", &dump)
                           : dump_by_call(&dump);
        int64_t took = now_ms() - before;
        longest = took > longest ? took : longest;
        if (status)
            printf("FAILED dump %d: %s\n", i, strerror(-status));
        failed += status ? 1 : check(&dump, i);
        dump_free(&dump);
    }
    printf("RESULT %zu cases, %d dumps, the longest took %d ms, %zu failed\n", CASES, DUMPS,
           (int)longest, failed);
    if (longest > 20000)
        printf("FAILED a dump was held up\n");
    fflush(stdout);
    _exit(failed > 0 || longest > 20000);
}
#endif
