/* shapes.c: code of every shape that names are asked for: inlined into each
 * other, in several blocks, static, exported, cold, in assembly with and without a size.
 * Prints its pid when it is ready and waits to be killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile int sink;

static inline __attribute__((always_inline)) int innermost(int x)
{
    for (int i = 0; i < x; i++)
        sink += i * x;
    return sink;
}

static inline __attribute__((always_inline)) int middle(int x)
{
    int sum = 0;
    if (x > 3) {
        int y = innermost(x + 1);
        sum += y * 2;
    } else {
        sum -= innermost(x + 2);
    }
    return sum;
}

static inline int chosen(int x)
{
    sink += middle(x) + middle(x * 2);
    return sink ^ x;
}

__attribute__((noinline)) static int many_calls(const char *text)
{
    int sum = chosen((int)strlen(text));
    switch (text[0]) {
    case 'a': sum += middle(7); break;
    case 'b': sum += innermost(9); break;
    case 'c': sum += chosen(11); break;
    default: abort();
    }
    return sum;
}

__attribute__((cold, noinline)) static void complain(int x)
{
    fprintf(stderr, "odd: %d\n", x);
    exit(x);
}

__attribute__((noinline)) int with_cold_part(int x)
{
    if (__builtin_expect(x < 0, 0)) {
        sink = middle(x);
        complain(x);
    }
    return middle(x) + 1;
}

#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noinline)) static int with_nested(int x)
{
    __attribute__((noinline)) int nested(int y)
    {
        return sink += middle(x + y);
    }
    return nested(x) + nested(3);
}
#else
__attribute__((noinline)) static int with_nested(int x)
{
    return sink += x;
}
#endif

int exported(int x)
{
    return many_calls("abc") + with_cold_part(x) + with_nested(x);
}

#ifdef __x86_64__
/* sized: 16 bytes that are its own, then 48 that are nobody's. unsized: up to
 * the label behind it, which is no function. One piece of code with four names. A function
 * in the middle of another. */
__asm__(".pushsection assembly, \"ax\", @progbits\n"
        ".balign 64\n"
        ".globl sized\n.type sized, @function\n"
        "sized: ret\n .fill 15, 1, 0x90\n.size sized, 16\n"
        " .fill 48, 1, 0x90\n"
        ".globl unsized\n.type unsized, @function\n"
        "unsized: ret\n .fill 15, 1, 0x90\n"
        "behind_unsized: .fill 48, 1, 0x90\n"
        ".weak spoken\n.type spoken, @function\n"
        ".globl __spoken\n.type __spoken, @function\n"
        ".globl _spoken\n.type _spoken, @function\n"
        ".type local_spoken, @function\n"
        "spoken: __spoken: _spoken: local_spoken: ret\n .fill 15, 1, 0x90\n"
        ".size spoken, 16\n.size __spoken, 16\n.size _spoken, 16\n.size local_spoken, 16\n"
        ".type around, @function\n.type within, @function\n"
        "around: .fill 16, 1, 0x90\n"
        "within: ret\n .fill 7, 1, 0x90\n.size within, 8\n"
        " .fill 40, 1, 0x90\n.size around, 64\n .fill 16, 1, 0x90\n"
        ".popsection\n");
#endif

int main(int argc, char **argv)
{
    if (argc > 5)
        return exported(atoi(argv[1]));
    printf("%d\n", (int)getpid());
    fflush(stdout);
    for (;;)
        pause();
}
