/* code.h: the target's instructions, as far as unwinding has to read them.
 *
 * Private to unwind/. */
#ifndef SNAG_UNWIND_CODE_H
#define SNAG_UNWIND_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;
struct modules;
struct rule;
struct target;

#define CODE_PAGE ((size_t)4096)
#define CODE_PAGES 16

/* A little cache of pages that do not change: code and tables of ELF files. */
struct code {
    struct target *target;
    const struct modules *modules;
    struct code_page {
        uint64_t address;
        bool valid;
        unsigned char bytes[CODE_PAGE];
    } * pages; /* CODE_PAGES of them, made at the first use */
};

/* Reads LENGTH bytes at ADDRESS, all or nothing. */
bool code_read(struct code *code, uint64_t address, void *bytes, size_t length);

/* Forgets what was read and gives its memory back. */
void code_forget(struct code *code);

/* Fills rule->call and rule->call_target: what ends at rule->address + 1. A
 * handler returns to `mov $15,%rax; syscall`, which was never called from there. */
void code_read_call(struct code *code, struct rule *rule);

/* Whether a jump that may leave the function from START to END is in it. True for what cannot be
 * told; false is certain. */
bool code_may_tail_call(struct code *code, uint64_t start, uint64_t end);

/* Where the jumps arrive that may leave the function from START to END, through stubs of the PLT:
 * at most SIZE of them in TARGETS. Read byte by byte: some may be none. */
size_t code_jumps(struct code *code, uint64_t start, uint64_t end, uint64_t *targets, size_t size);

/* What the instructions of a function do to the stack pointer, added up. */
struct stack_use {
    size_t taken;     /* SIZE_MAX where it changes its frame as it goes (alloca, arrays of variable
                         length, a realigned stack) or cannot be read */
    size_t given;     /* back, but for what is given back on the way out */
    bool makes_frame; /* it sets the frame pointer: not a part of a function that lies apart */
};

struct stack_use code_stack_use(struct code *code, uint64_t start, uint64_t end);

/* Whether nothing but `pop` and a return is left to do from ADDRESS on: a callee-saved register
 * that was popped before holds its caller's value. */
bool code_only_returns(struct code *code, uint64_t address);

/* Whether the function at ADDRESS begins by taking another stack: glibc's __start_context, where
 * makecontext lets a context begin. Nothing has called it. */
bool code_is_context_start(struct code *code, uint64_t address);

/* Where the pointer was that the call before RETURN_ADDRESS went through, if it was in the frame:
 * `call *n(%rbp)`, or `mov n(%rbp),%r; call *%r`. *OFFSET is n. */
bool code_call_operand(struct code *code, uint64_t return_address, int32_t *offset);

/* The distance from the frame pointer down to the stack pointer in the body of the function at
 * START, if its first instructions, up to LIMIT, say so: `push %rbp; mov %rsp,%rbp; push ...;
 * sub $N,%rsp`, with others in between. FRAME_SIZE_UNKNOWN for any other beginning. In prologue.c.
 */
int32_t code_frame_size(struct code *code, uint64_t start, uint64_t limit);

#endif
