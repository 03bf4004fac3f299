/* vfork.c: vfork and clone, with a mark left behind; see vfork.h.
 *
 * vfork returns twice, on one stack: a function around it would find its frame
 * overwritten. So these are jumps: the mark is set and the real function is
 * entered as if it had been called directly. */
#include "track/vfork.h"

#include <dlfcn.h>
#include <stdint.h>
#include <sys/types.h>

_Thread_local int vfork_mark __attribute__((tls_model("initial-exec")));

#if defined(__x86_64__)

/* Until the constructor has looked: libc's own, by their second names. */
pid_t __vfork(void);
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
__attribute__((used)) static pid_t (*real_vfork)(void) = __vfork;
__attribute__((used)) static int (*real_clone)(int (*)(void *), void *, int, void *, ...) = __clone;

/* r11 is the one register that belongs to neither side of a call. */
#define JUMP_WITH_MARK(name)                                                                       \
    __asm__(".text\n"                                                                              \
            ".globl " #name ", track_" #name "\n"                                                  \
            ".hidden track_" #name "\n"                                                            \
            ".type " #name ", @function\n" #name ":\n"                                             \
            "track_" #name ":\n"                                                                   \
            ".cfi_startproc\n"                                                                     \
            "endbr64\n"                                                                            \
            "movq vfork_mark@gottpoff(%rip), %r11\n"                                               \
            "movl $1, %fs:(%r11)\n"                                                                \
            "jmp *real_" #name "(%rip)\n"                                                          \
            ".cfi_endproc\n"                                                                       \
            ".size " #name ", .-" #name "\n")

JUMP_WITH_MARK(vfork);
JUMP_WITH_MARK(clone);

extern const char track_vfork[];

void vfork_begin(void)
{
    uintptr_t next = (uintptr_t)dlsym(RTLD_NEXT, "vfork");
    if (next)
        real_vfork = (__typeof__(real_vfork))next;
    next = (uintptr_t)dlsym(RTLD_NEXT, "clone");
    if (next)
        real_clone = (__typeof__(real_clone))next;
}

bool vfork_is_watched(void)
{
    return dlsym(RTLD_DEFAULT, "vfork") == (const void *)track_vfork;
}

#else

void vfork_begin(void)
{
}

bool vfork_is_watched(void)
{
    return false;
}

#endif
