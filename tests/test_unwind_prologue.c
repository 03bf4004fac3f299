/* test_unwind_prologue.c proves that the size of a frame is read right from its function's first
 * instructions: of functions whose compiler mixes the body into them, which know the truth by
 * their own registers; and of beginnings written here byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "modules/modules.h"
#include "unwind/code.h"
#include "unwind/rule.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)

static struct target target;
static struct code code = { .target = &target };
static volatile long sink;

/* ---- Functions that know their frame ---- */

struct frame_seen {
    int64_t distance; /* from the frame pointer down to the stack pointer */
    uint64_t at;      /* an address in the body */
};

#define SEE_FRAME(seen)                                                                            \
    __asm__ volatile("mov %%rbp, %0\n\tsub %%rsp, %0\n\tlea 0(%%rip), %1"                          \
                     : "=&r"((seen)->distance), "=&r"((seen)->at)::"memory")

#define FUNCTION __attribute__((noinline, noclone)) static long

struct wide {
    long words[40];
};

FUNCTION no_room(struct frame_seen *seen)
{
    fflush(stdout); /* who calls nobody has no frame */
    SEE_FRAME(seen);
    return sink;
}

FUNCTION keeps_registers(struct frame_seen *seen, long a, long b, long c, long d, long e)
{
    long sum = a ^ b;
    for (long i = 0; i < 3; i++) {
        sink = sum;
        sum += sink * c + d * e + (i ^ a) + b;
    }
    SEE_FRAME(seen);
    sink = sum;
    return sum + a + b + c + d + e + sink;
}

FUNCTION has_room(struct frame_seen *seen, long a, const long *from)
{
    volatile long room[37];
    for (size_t i = 0; i < 37; i++)
        room[i] = from[i & 3] + a;
    SEE_FRAME(seen);
    return room[(size_t)a & 7];
}

FUNCTION has_much_room(struct frame_seen *seen, unsigned char a, short b, int c)
{
    volatile char room[3000];
    room[a] = (char)(b + c);
    SEE_FRAME(seen);
    return room[a] + room[(unsigned)b & 63];
}

FUNCTION counts_in_doubles(struct frame_seen *seen, double a, float b, const double *from)
{
    volatile double room[5] = { a, b, from[1], a * b, from[2] / 3 };
    SEE_FRAME(seen);
    return (long)(room[1] + room[4]);
}

FUNCTION takes_nine(struct frame_seen *seen, long a, long b, long c, long d, long e, long f, long g,
                    long h)
{
    volatile long room[4] = { a, -1, g, 0x123456789abcdef };
    SEE_FRAME(seen);
    return room[0] + room[2] + b + c + d + e + f + h;
}

FUNCTION takes_a_struct(struct frame_seen *seen, struct wide wide, const char *text)
{
    volatile long room[3] = { wide.words[3], (long)strlen(text), -1 };
    SEE_FRAME(seen);
    return room[0] + room[1] + wide.words[39];
}

/* ---- The same, byte by byte ---- */

struct beginning {
    const char *what;
    int32_t size;
    size_t length;
    const char *bytes;
};

#define BEGINNING(what, size, bytes)                                                               \
    {                                                                                              \
        what, size, sizeof(bytes) - 1, bytes                                                       \
    }

static const struct beginning beginnings[] = {
    BEGINNING("the plainest", 0x20, "\x55\x48\x89\xe5\x48\x83\xec\x20\xe8\0\0\0\0"),
    BEGINNING("with endbr64", 0x20, "\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x48\x83\xec\x20\xe8\0\0\0\0"),
    /* PostgreSQL's WaitEventSetWait: push rbp; mov rsi,r11; mov rsp,rbp; push r15, r14; mov
     * rdi,r14; push r13, r12; mov ecx,r12d; push rbx; mov r8d,ebx; mov $-1,r8; sub $0x68,rsp */
    BEGINNING("one of PostgreSQL's", 0x90,
              "\x55\x49\x89\xf3\x48\x89\xe5\x41\x57\x41\x56\x49\x89\xfe\x41\x55\x41\x54\x41\x89\xcc"
              "\x53\x44\x89\xc3\x49\xc7\xc0\xff\xff\xff\xff\x48\x83\xec\x68\xe8\0\0\0\0"),
    /* mov 8(rdi),eax; lea 0(rip),rdx; mov %fs:0x28,rcx; movzwl 0x10(rsi,rcx,4),r9d; xorps; cmpl */
    BEGINNING("loads in between", 0x138,
              "\x55\x48\x89\xe5\x8b\x47\x08\x48\x8d\x15\0\0\0\0\x53\x64\x48\x8b\x0c\x25\x28\0\0\0"
              "\x44\x0f\xb7\x4c\x8e\x10\x0f\x57\xc0\x83\x3d\0\0\0\0\x01\x48\x81\xec\x30\x01\0\0\xe8"
              "\0\0\0\0"),
    BEGINNING("a jump before the room is taken", 8,
              "\x55\x48\x89\xe5\x53\x85\xff\x74\x05\x48\x83\xec\x20\xe8\0\0\0\0"),
    BEGINNING("no frame pointer", FRAME_SIZE_UNKNOWN, "\x55\x48\x83\xec\x20\xe8\0\0\0\0"),
    BEGINNING("the stack pointer is written: mov rax,rsp", 8,
              "\x55\x48\x89\xe5\x53\x48\x89\xc4\x48\x83\xec\x20\xe8\0\0\0\0"),
    BEGINNING("the stack pointer is written: lea -16(rsp),rsp", 8,
              "\x55\x48\x89\xe5\x53\x48\x8d\x64\x24\xf0\x48\x83\xec\x20\xe8\0\0\0\0"),
    BEGINNING("the stack pointer is read: mov rsp,rdi", 0x28,
              "\x55\x48\x89\xe5\x53\x48\x89\xe7\x48\x83\xec\x20\xe8\0\0\0\0"),
    BEGINNING("r12 is none: mov rax,r12", 0x28,
              "\x55\x48\x89\xe5\x53\x49\x89\xc4\x48\x83\xec\x20\xe8\0\0\0\0"),
};

static void test_beginnings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        const struct beginning *beginning = &beginnings[i];
        unsigned char room[256] = { 0 };
        memcpy(room, beginning->bytes, beginning->length);
        uint64_t start = (uint64_t)(uintptr_t)room;
        code_forget(&code);
        int32_t size = code_frame_size(&code, start, start + beginning->length - 1);
        if (size != beginning->size)
            fail_msg("%s: %d, not %d", beginning->what, size, beginning->size);
    }
}

/* A function is what it is up to LIMIT: what lies behind has not been done yet. */
static void test_limit(void **state)
{
    (void)state;
    static unsigned char room[256];
    memcpy(room, beginnings[0].bytes, beginnings[0].length);
    uint64_t start = (uint64_t)(uintptr_t)room;
    code_forget(&code);
    assert_int_equal(code_frame_size(&code, start, start + 4), 0);
    assert_int_equal(code_frame_size(&code, start, start + 8), 0x20);
}

static void check(const char *name, uintptr_t start, const struct frame_seen *seen, size_t *known)
{
    int32_t size = code_frame_size(&code, start, seen->at);
    if (size == FRAME_SIZE_UNKNOWN)
        printf("%s: not known\n", name);
    else if (size != seen->distance)
        fail_msg("%s: %d, and %d by its registers", name, size, (int)seen->distance);
    else
        ++*known;
}

#define CHECK(function, ...)                                                                       \
    do {                                                                                           \
        struct frame_seen seen;                                                                    \
        function(&seen, ##__VA_ARGS__);                                                            \
        check(#function, (uintptr_t)(function), &seen, &known);                                    \
        functions++;                                                                               \
    } while (0)

static void test_functions_that_know(void **state)
{
    (void)state;
    static const long longs[40] = { 1, 2, 3 };
    static const double doubles[3] = { 1, 2, 3 };
    size_t known = 0;
    size_t functions = 0;
    struct wide wide = { { 5 } };
    code_forget(&code);
    CHECK(no_room);
    CHECK(keeps_registers, 1, 2, 3, 4, 5);
    CHECK(has_room, 3, longs);
    CHECK(has_much_room, 200, 4, 5);
    CHECK(counts_in_doubles, 1.5, 2.5F, doubles);
    CHECK(takes_nine, 1, 2, 3, 4, 5, 6, 7, 8);
    CHECK(takes_a_struct, wide, "text");
    printf("%zu of %zu frames are known by their beginning\n", known, functions);
    assert_int_equal(known, functions);
}

static int set_up(void **state)
{
    (void)state;
    int status = target_open(&target, 0);
    code.modules = modules_new(&target);
    return status ? status : modules_refresh((struct modules *)code.modules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_functions_that_know),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

#else

int main(void)
{
    return 77; /* frame pointers are recovered on x86-64 only */
}

#endif
