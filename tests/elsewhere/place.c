/* place.c: a program, or with LIBRARY the library that it hangs in. Each is built twice, with its
 * functions called right_ and wrong_: only one of the two builds runs. */
#include <unistd.h>

#define JOIN(a, b) a##_##b
#define NAME(which, what) JOIN(which, what)
#define STAY() __asm__ volatile("" ::: "memory")

int library_waits(void);

#ifdef LIBRARY
__attribute__((noinline, visibility("hidden"))) int NAME(WHICH, in_library)(void)
{
    int result = pause();
    STAY();
    return result;
}

int library_waits(void)
{
    int result = NAME(WHICH, in_library)();
    STAY();
    return result;
}
#else
__attribute__((noinline)) int NAME(WHICH, in_program)(void)
{
    int result = library_waits();
    STAY();
    return result;
}

int main(void)
{
    return NAME(WHICH, in_program)();
}
#endif
