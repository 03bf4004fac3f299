/* ways_frames.c: frames that are hard to unwind: moving, huge, aligned, reached
 * through libc, left behind by earlier calls, on stacks of their own. */
#include "truth.h"

#include <alloca.h>
#include <ftw.h>
#include <pthread.h>
#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Every way ends here, in its own function: what blocks is not the point. */
#define BLOCK()                                                                                    \
    do {                                                                                           \
        char byte;                                                                                 \
        truth_mark();                                                                              \
        if (read(scene.empty_pipe[0], &byte, 1))                                                   \
            STAY();                                                                                \
    } while (0)

/* A number the compiler cannot know. */
static size_t unknown(size_t number)
{
    static volatile size_t zero;
    return number + zero;
}

static void use(void *memory)
{
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static NOINLINE void in_alloca(void)
{
    char *bytes = alloca(unknown(700));
    use(bytes);
    BLOCK();
}

static NOINLINE void in_variable_array(void)
{
    char bytes[unknown(333)];
    use(bytes);
    BLOCK();
}

static NOINLINE void recurse_with_alloca(int depth)
{
    char *bytes = alloca(unknown(64 + (size_t)depth * 48));
    use(bytes);
    if (depth > 0)
        recurse_with_alloca(depth - 1);
    else
        BLOCK();
    use(bytes);
}

static NOINLINE void in_recursion_with_alloca(void)
{
    recurse_with_alloca(12);
    STAY();
}

/* The same calls have been deeper before, and their records still stand in the
 * memory that alloca now gives: each of them looks as true as the true one. */
static NOINLINE void stale_inner(size_t room, int block)
{
    char *bytes = alloca(unknown(room)); /* not cleared, on purpose */
    use(bytes);
    if (block)
        BLOCK();
}

static NOINLINE void stale_outer(int depth, size_t room, int block)
{
    if (depth > 0)
        stale_outer(depth - 1, room, block);
    else
        stale_inner(room, block);
    STAY();
}

static NOINLINE void in_stale_records(void)
{
    for (int depth = 0; depth < 24; depth++)
        stale_outer(depth, 16, 0);
    stale_outer(2, 1500, 1);
    STAY();
}

/* As above through a pointer: only the kind of the call is known, not its target. */
static void (*volatile stale_pointer)(int, size_t, int);

static NOINLINE void stale_by_pointer(int depth, size_t room, int block)
{
    char *bytes = alloca(unknown(room));
    use(bytes);
    if (depth > 0)
        stale_pointer(depth - 1, room, block);
    else if (block)
        BLOCK();
    STAY();
}

static NOINLINE void in_stale_pointers(void)
{
    stale_pointer = stale_by_pointer;
    for (int depth = 0; depth < 24; depth++)
        stale_pointer(depth, 40, 0);
    stale_pointer(3, 700, 1);
    STAY();
}

static NOINLINE long with_stack_arguments(long a, long b, long c, long d, long e, long f, long g,
                                          long h, long i)
{
    BLOCK();
    return a + b + c + d + e + f + g + h + i;
}

static NOINLINE void in_stack_arguments(void)
{
    long one = (long)unknown(1);
    if (with_stack_arguments(one, one, one, one, one, one, one, one, one))
        STAY();
}

struct large {
    char bytes[400];
};

static NOINLINE struct large take_and_return(struct large large)
{
    BLOCK();
    large.bytes[0]++;
    return large;
}

static NOINLINE void in_struct_by_value(void)
{
    struct large large = { { 1 } };
    large = take_and_return(large);
    use(&large);
}

static NOINLINE double with_varargs(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    double value = va_arg(list, double);
    BLOCK();
    va_end(list);
    return value;
}

static NOINLINE void in_varargs(void)
{
    if (with_varargs("x", 1.5, 2) > 1)
        STAY();
}

static NOINLINE int blocking_compare(const void *left, const void *right)
{
    BLOCK();
    return left < right;
}

static NOINLINE void in_qsort(void)
{
    int numbers[50] = { 3, 2, 1 };
    qsort(numbers, 50, sizeof *numbers, blocking_compare);
    use(numbers);
}

static NOINLINE int blocking_compare_r(const void *left, const void *right, void *argument)
{
    BLOCK();
    return left < right && argument != NULL;
}

/* Too large for qsort's stack: it takes another way through libc. */
static NOINLINE void in_qsort_r(void)
{
    static int numbers[5000];
    qsort_r(numbers, 5000, sizeof *numbers, blocking_compare_r, numbers);
    STAY();
}

static NOINLINE void in_bsearch(void)
{
    static int numbers[50];
    int key = (int)unknown(1);
    use(bsearch(&key, numbers, 50, sizeof *numbers, blocking_compare));
}

static NOINLINE void in_tsearch(void)
{
    static void *root;
    static int keys[2];
    tsearch(&keys[0], &root, blocking_compare);
    tsearch(&keys[1], &root, blocking_compare);
    STAY();
}

static NOINLINE int blocking_visit(const char *path, const struct stat *status, int kind,
                                   struct FTW *place)
{
    BLOCK();
    return path != NULL && status != NULL && place != NULL ? kind : 1;
}

static NOINLINE void in_nftw(void)
{
    nftw("/proc/self/fdinfo", blocking_visit, 4, FTW_PHYS);
    STAY();
}

static NOINLINE void in_aligned(void)
{
    char bytes[64] __attribute__((aligned(64)));
    memset(bytes, 1, sizeof bytes);
    use(bytes);
    BLOCK();
}

static NOINLINE void in_aligned_variable(void)
{
    char aligned[256] __attribute__((aligned(128)));
    char bytes[unknown(90)];
    use(aligned);
    use(bytes);
    BLOCK();
}

static NOINLINE long aligned_with_stack_arguments(long a, long b, long c, long d, long e, long f,
                                                  long g, long h)
{
    char bytes[64] __attribute__((aligned(64)));
    use(bytes);
    BLOCK();
    return a + b + c + d + e + f + g + h + bytes[a & 1];
}

static NOINLINE void in_aligned_with_arguments(void)
{
    long one = (long)unknown(1);
    if (aligned_with_stack_arguments(one, one, one, one, one, one, one, one))
        STAY();
}

/* Not the way itself but its caller is aligned. */
static NOINLINE void in_called_by_aligned(void)
{
    char bytes[96] __attribute__((aligned(32)));
    char more[unknown(50)];
    use(bytes);
    use(more);
    in_alloca();
    use(bytes);
}

static NOINLINE void in_70k(void)
{
    char bytes[70000];
    bytes[unknown(0)] = 1;
    use(bytes);
    BLOCK();
}

static NOINLINE void in_300k(void)
{
    char bytes[300000];
    bytes[unknown(0)] = 1;
    use(bytes);
    BLOCK();
}

static NOINLINE void in_2m(void)
{
    char bytes[2000000];
    bytes[unknown(0)] = 1;
    use(bytes);
    BLOCK();
}

/* The large frame is above, the small one blocks. */
static NOINLINE void in_below_300k(void)
{
    char bytes[300000];
    bytes[unknown(0)] = 1;
    use(bytes);
    in_varargs();
    use(bytes);
}

static NOINLINE int recurse(int depth)
{
    volatile char bytes[32];
    bytes[0] = (char)depth;
    if (depth == 0)
        BLOCK();
    else if (recurse(depth - 1) < 0)
        return -1;
    return bytes[0];
}

static NOINLINE void in_200_frames(void)
{
    if (recurse(200))
        STAY();
}

static NOINLINE void tail_called(void)
{
    BLOCK();
}

static NOINLINE void tail_calls_by_pointer(void (*function)(void))
{
    function();
}

static NOINLINE void in_tail_call(void)
{
    void (*volatile function)(void) = tail_called;
    tail_calls_by_pointer(function);
}

static NOINLINE void jump_from(jmp_buf *buffer, int depth)
{
    char *bytes = alloca(unknown(100));
    use(bytes);
    if (depth == 0)
        longjmp(*buffer, (int)unknown(1));
    if (depth > 0)
        jump_from(buffer, depth - 1);
    STAY();
}

static NOINLINE void in_after_longjmp(void)
{
    jmp_buf buffer;
    if (setjmp(buffer) == 0)
        jump_from(&buffer, 10);
    BLOCK();
}

static NOINLINE void context_inner(void)
{
    BLOCK();
}

static void context_main(void)
{
    context_inner();
    STAY();
}

static NOINLINE void in_other_context(void)
{
    static ucontext_t here, there;
    size_t size = 262144;
    getcontext(&there);
    there.uc_stack.ss_sp = malloc(size);
    there.uc_stack.ss_size = size;
    there.uc_link = &here;
    makecontext(&there, context_main, 0);
    swapcontext(&here, &there);
    STAY();
}

static NOINLINE void in_system(void)
{
    truth_mark();
    if (system("exec sleep 120"))
        STAY();
}

static NOINLINE void in_pclose(void)
{
    FILE *stream = popen("exec sleep 120", "r");
    if (!stream)
        truth_skip("no popen");
    truth_mark();
    pclose(stream);
    STAY();
}

static void block_in_destructor(void *value)
{
    use(value);
    BLOCK();
}

/* The way is called when the thread has ended already. */
static NOINLINE void in_key_destructor(void)
{
    pthread_key_t key;
    if (pthread_key_create(&key, block_in_destructor))
        truth_skip("no key");
    pthread_setspecific(key, &scene);
    pthread_exit(NULL);
}

static void block_in_cleanup(void *value)
{
    use(value);
    BLOCK();
}

static NOINLINE void leave_thread(void)
{
    pthread_exit(NULL);
}

static NOINLINE void in_cleanup_handler(void)
{
    pthread_cleanup_push(block_in_cleanup, &scene);
    leave_thread();
    pthread_cleanup_pop(1);
}

static NOINLINE void cancel_me(void)
{
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

static NOINLINE void in_cancelled(void)
{
    pthread_cleanup_push(block_in_cleanup, &scene);
    cancel_me();
    pthread_cleanup_pop(1);
}

/* Callee-saved registers all in use, so each function saves them all. */
static NOINLINE long busy_registers(const long *in, int depth)
{
    long a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5];
    if (depth > 0)
        a += busy_registers(in, depth - 1);
    else
        BLOCK();
    return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6;
}

static NOINLINE void in_busy_registers(void)
{
    long in[6] = { 1, 2, 3, 4, 5, (long)unknown(6) };
    if (busy_registers(in, 4))
        STAY();
}

/* Only one branch has a frame of its own (shrink-wrapping). */
static NOINLINE int shrink_wrapped(int depth, int *out)
{
    if (depth < 0)
        return 1;
    int locals[40];
    use(locals);
    if (depth == 0)
        BLOCK();
    else
        *out += shrink_wrapped(depth - 1, locals);
    return *out;
}

static NOINLINE void in_shrink_wrapped(void)
{
    int out = 0;
    if (shrink_wrapped((int)unknown(3), &out))
        STAY();
}

__attribute__((noreturn)) static NOINLINE void never_returns(void)
{
    BLOCK();
    abort();
}

/* The call is the function's last instruction: its return address is outside of it. */
static NOINLINE void in_noreturn(void)
{
    never_returns();
}

const struct way ways_frames[] = {
    { "alloca", in_alloca, 2, STACK_USUAL },
    { "variable array", in_variable_array, 2, STACK_USUAL },
    { "recursion with alloca", in_recursion_with_alloca, 2, STACK_USUAL },
    { "stale records", in_stale_records, 2, STACK_USUAL },
    { "stale records, pointers", in_stale_pointers, 2, STACK_USUAL },
    { "stack arguments", in_stack_arguments, 2, STACK_USUAL },
    { "struct by value", in_struct_by_value, 2, STACK_USUAL },
    { "varargs", in_varargs, 2, STACK_USUAL },
    { "qsort", in_qsort, 2, STACK_USUAL },
    { "qsort_r, large", in_qsort_r, 2, STACK_USUAL },
    { "bsearch", in_bsearch, 2, STACK_USUAL },
    { "tsearch", in_tsearch, 2, STACK_USUAL },
    { "nftw", in_nftw, 2, STACK_USUAL },
    { "aligned frame", in_aligned, 2, STACK_USUAL },
    { "aligned, variable", in_aligned_variable, 2, STACK_USUAL },
    { "aligned, arguments", in_aligned_with_arguments, 2, STACK_USUAL },
    { "called by an aligned one", in_called_by_aligned, 2, STACK_USUAL },
    { "70 kB frame", in_70k, 2, STACK_USUAL },
    { "300 kB frame", in_300k, 2, STACK_USUAL },
    { "2 MB frame", in_2m, 2, STACK_USUAL },
    { "below a 300 kB frame", in_below_300k, 2, STACK_USUAL },
    { "200 frames", in_200_frames, 2, STACK_USUAL },
    { "tail call", in_tail_call, 2, STACK_USUAL },
    { "after longjmp", in_after_longjmp, 2, STACK_USUAL },
    { "another context", in_other_context, 2, STACK_USUAL },
    { "system", in_system, 6, STACK_USUAL },
    { "pclose", in_pclose, 8, STACK_USUAL },
    { "key destructor", in_key_destructor, 2, STACK_USUAL },
    { "cleanup handler", in_cleanup_handler, 2, STACK_USUAL },
    { "cancelled", in_cancelled, 2, STACK_USUAL },
    { "busy registers", in_busy_registers, 2, STACK_USUAL },
    { "shrink-wrapped", in_shrink_wrapped, 2, STACK_USUAL },
    { "call of a noreturn", in_noreturn, 2, STACK_USUAL },
    { NULL, NULL, 0, STACK_USUAL },
};
