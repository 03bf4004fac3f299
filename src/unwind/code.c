/* code.c: x86-64 instructions around calls and function starts; see code.h.
 *
 * Nothing is disassembled: a handful of encodings are recognised (Intel SDM
 * volume 2, CALL, PUSH, SUB, JMP), and everything else is "not known". What is recognised
 * is only evidence, never proof: recover.c puts it together. */
#include "unwind/code.h"

#include "base/target.h"
#include "modules/modules.h"
#include "unwind/rule.h"

#include <stdlib.h>
#include <string.h>

static bool page_read(struct code *code, uint64_t address, void *bytes, size_t length)
{
    uint64_t start = address & ~(uint64_t)(CODE_PAGE - 1);
    if (!code->pages)
        code->pages = calloc(CODE_PAGES, sizeof *code->pages);
    if (!code->pages)
        return target_read_all(code->target, address, bytes, length);
    struct code_page *page = &code->pages[(start / CODE_PAGE) % CODE_PAGES];
    if (!page->valid || page->address != start) {
        page->valid = target_read_all(code->target, start, page->bytes, CODE_PAGE);
        page->address = start;
        if (!page->valid)
            return false;
    }
    memcpy(bytes, page->bytes + (address - start), length);
    return true;
}

bool code_read(struct code *code, uint64_t address, void *bytes, size_t length)
{
    unsigned char *to = bytes;
    while (length > 0) {
        size_t in_page = CODE_PAGE - (size_t)(address % CODE_PAGE);
        size_t part = length < in_page ? length : in_page;
        if (!page_read(code, address, to, part))
            return false;
        address += part;
        to += part;
        length -= part;
    }
    return true;
}

void code_forget(struct code *code)
{
    free(code->pages);
    code->pages = NULL;
}

#if defined(__x86_64__)

#define FUNCTION_MAX ((uint64_t)64 << 10) /* longer ones are not searched for jumps */

static uint64_t add_displacement(uint64_t address, const unsigned char *bytes)
{
    int32_t displacement;
    memcpy(&displacement, bytes, sizeof displacement);
    return address + (uint64_t)(int64_t)displacement;
}

static bool read_slot(struct code *code, uint64_t slot, uint64_t *function)
{
    /* Not through the page cache: the loader fills a slot at the first call. */
    return target_read_all(code->target, slot, function, sizeof *function) &&
           modules_find(code->modules, *function);
}

/* Where a call of TARGET arrives: through a stub of the PLT (`endbr64? bnd? jmp
 * *slot(%rip)`) or a jump at its start. */
static uint64_t through_stub(struct code *code, uint64_t target)
{
    static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
    unsigned char bytes[16];
    if (!code_read(code, target, bytes, sizeof bytes))
        return target;
    size_t at = memcmp(bytes, endbr64, sizeof endbr64) == 0 ? sizeof endbr64 : 0;
    if (bytes[at] == 0xf2) /* bnd */
        at++;
    uint64_t function;
    if (bytes[at] == 0xff && bytes[at + 1] == 0x25 &&
        read_slot(code, add_displacement(target + at + 6, bytes + at + 2), &function))
        return function;
    if (bytes[at] == 0xe9)
        return add_displacement(target + at + 5, bytes + at + 1);
    return target;
}

/* The ModRM byte of `call r/m64` (FF /2), and how long the instruction is with it; 0 when it is
 * none. */
static size_t indirect_length(unsigned char modrm, unsigned char sib)
{
    if ((modrm & 0x38) != 0x10)
        return 0;
    unsigned mode = modrm >> 6;
    unsigned register_or_memory = modrm & 7;
    if (mode == 3)
        return 2;
    size_t length = 2;
    if (register_or_memory == 4) {
        length++;
        if (mode == 0 && (sib & 7) == 5)
            length += 4;
    } else if (mode == 0 && register_or_memory == 5) {
        length += 4;
    }
    return length + (mode == 1 ? 1 : mode == 2 ? 4 : 0);
}

/* `mov $15,%rax; syscall`, as glibc, musl and the kernel's documentation spell it. */
static bool is_signal_return(struct code *code, uint64_t address)
{
    static const unsigned char long_form[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
    static const unsigned char short_form[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };
    unsigned char bytes[sizeof long_form];
    if (!code_read(code, address, bytes, sizeof bytes))
        return false;
    return memcmp(bytes, long_form, sizeof long_form) == 0 ||
           memcmp(bytes, short_form, sizeof short_form) == 0;
}

void code_read_call(struct code *code, struct rule *rule)
{
    unsigned char bytes[8]; /* that end at the return address */
    uint64_t end = rule->address + 1;
    rule->call = is_signal_return(code, end) ? CALL_SIGNAL : CALL_NONE;
    if (rule->call == CALL_SIGNAL || end < sizeof bytes ||
        !code_read(code, end - sizeof bytes, bytes, sizeof bytes))
        return;
    if (bytes[3] == 0xe8) {
        uint64_t target = add_displacement(end, bytes + 4);
        if (modules_find(code->modules, target)) {
            rule->call = CALL_DIRECT;
            rule->call_target = through_stub(code, target);
            return;
        }
    }
    if (bytes[2] == 0xff && bytes[3] == 0x15) {
        rule->call = CALL_INDIRECT;
        if (read_slot(code, add_displacement(end, bytes + 4), &rule->call_target))
            rule->call = CALL_DIRECT;
        return;
    }
    for (size_t length = 2; length <= 7; length++) {
        const unsigned char *at = bytes + sizeof bytes - length;
        if (at[0] == 0xff && indirect_length(at[1], length > 2 ? at[2] : 0) == length)
            rule->call = CALL_INDIRECT;
    }
}

/* Whether the bytes at AT, which lie at ADDRESS, would jump out of the function: `jmp rel32`, `jcc
 * rel32`, `jmp r/m64`. Short jumps reach no other function that matters. */
static bool jumps_out(const unsigned char *at, uint64_t address, uint64_t start, uint64_t end)
{
    if (at[0] == 0xff && (at[1] & 0x38) == 0x20)
        return true;
    bool conditional = at[0] == 0x0f && (at[1] & 0xf0) == 0x80;
    if (at[0] != 0xe9 && !conditional)
        return false;
    size_t opcode = conditional ? 2 : 1;
    uint64_t target = add_displacement(address + opcode + 4, at + opcode);
    return target < start || target >= end;
}

bool code_may_tail_call(struct code *code, uint64_t start, uint64_t end)
{
    unsigned char bytes[512 + 8];
    if (end <= start || end - start > FUNCTION_MAX)
        return true;
    for (uint64_t at = start; at < end; at += 512) {
        memset(bytes, 0, sizeof bytes);
        size_t length = end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        if (!code_read(code, at, bytes, length))
            return true;
        for (size_t i = 0; i < 512 && at + i < end; i++)
            if (jumps_out(bytes + i, at + i, start, end))
                return true;
    }
    return false;
}

/* Where the jump with the bytes at AT, which lie at ADDRESS, arrives; 0: it is none, or unknown. */
static uint64_t jump_target(struct code *code, const unsigned char *at, uint64_t address)
{
    uint64_t target = 0;
    if (at[0] == 0xe9)
        target = add_displacement(address + 5, at + 1);
    else if (at[0] == 0x0f && (at[1] & 0xf0) == 0x80)
        target = add_displacement(address + 6, at + 2);
    else if (at[0] == 0xff && at[1] == 0x25 &&
             read_slot(code, add_displacement(address + 6, at + 2), &target))
        return target;
    return target && modules_find(code->modules, target) ? through_stub(code, target) : 0;
}

size_t code_jumps(struct code *code, uint64_t start, uint64_t end, uint64_t *targets, size_t size)
{
    unsigned char bytes[512 + 8];
    size_t count = 0;
    for (uint64_t at = start; at < end && end - start <= FUNCTION_MAX; at += 512) {
        memset(bytes, 0, sizeof bytes);
        size_t length = end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        if (!code_read(code, at, bytes, length))
            return count;
        for (size_t i = 0; i < 512 && at + i < end && count < size; i++) {
            uint64_t target = jump_target(code, bytes + i, at + i);
            if (target && (target < start || target >= end))
                targets[count++] = target;
        }
    }
    return count;
}

/* `mov %rsp,%rbp`, in both encodings. */
static bool is_frame_made(const unsigned char *at)
{
    return at[0] == 0x48 && ((at[1] == 0x89 && at[2] == 0xe5) || (at[1] == 0x8b && at[2] == 0xec));
}

/* `sub %r,%rsp`, `mov %r,%rsp` but from the frame pointer, `and $mask,%rsp`, `lea n(%rsp),%rsp`,
 * and `cmp %r11,%rsp`, which ends a loop that takes a large frame page by page. */
static bool moves_stack(const unsigned char *at)
{
    bool wide = (at[0] & 0xf8) == 0x48;
    bool from_left = (at[2] & 0xc7) == 0xc4;  /* %rsp is the operand that is written */
    bool from_right = (at[2] & 0xf8) == 0xe0; /* ... in the other direction */
    if (!wide)
        return false;
    if (at[1] == 0x29 || at[1] == 0x39 || at[1] == 0x89)
        return from_left && !(at[1] == 0x89 && at[0] == 0x48 && at[2] == 0xec);
    if (at[1] == 0x2b || at[1] == 0x8b)
        return from_right && !(at[1] == 0x8b && at[2] == 0xe5);
    if (at[1] == 0x8d)
        return (at[2] == 0x64 || at[2] == 0xa4) && at[3] == 0x24;
    return (at[1] == 0x81 || at[1] == 0x83) && at[2] == 0xe4;
}

/* What the bytes at AT take from the stack, if they are an instruction that does; negative what
 * they give back. */
static int32_t taken_from_stack(const unsigned char *at)
{
    int32_t amount = 0;
    if (at[0] >= 0x50 && at[0] <= 0x57)
        return 8;
    if (at[0] == 0x68 || at[0] == 0x6a || (at[0] == 0xff && (at[1] & 0x38) == 0x30)) /* push */
        return 8;
    if (at[0] != 0x48 || (at[2] != 0xec && at[2] != 0xc4)) /* sub, add */
        return 0;
    if (at[1] == 0x83)
        amount = (int8_t)at[3];
    else if (at[1] == 0x81)
        memcpy(&amount, at + 3, sizeof amount);
    return at[2] == 0xec ? amount : amount == INT32_MIN ? 0 : -amount;
}

/* Whether registers are popped, or the function returns, behind the `add $n,%rsp` at AT. */
static bool is_way_out(const unsigned char *at)
{
    const unsigned char *next = at + (at[1] == 0x83 ? 4 : 7);
    return (*next >= 0x58 && *next <= 0x5f) || *next == 0x41 || *next == 0xc3 || *next == 0xc9;
}

struct stack_use code_stack_use(struct code *code, uint64_t start, uint64_t end)
{
    const struct stack_use unknown = { .taken = SIZE_MAX };
    struct stack_use use = { 0 };
    unsigned char bytes[512 + 8];
    if (end <= start || end - start > FUNCTION_MAX)
        return unknown;
    for (uint64_t at = start; at < end; at += 512) {
        memset(bytes, 0, sizeof bytes);
        size_t length = end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        if (!code_read(code, at, bytes, length))
            return unknown;
        for (size_t i = 0; i < 512 && at + i < end; i++) {
            if (moves_stack(bytes + i))
                return unknown;
            int32_t taken = taken_from_stack(bytes + i);
            use.makes_frame |= is_frame_made(bytes + i);
            use.taken += taken > 0 ? (size_t)taken : 0;
            use.given += taken < 0 && !is_way_out(bytes + i) ? (size_t)-taken : 0;
        }
    }
    return use;
}

bool code_is_context_start(struct code *code, uint64_t address)
{
    static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
    static const unsigned char mov_rbx_rsp[] = { 0x48, 0x89, 0xdc };
    unsigned char bytes[8];
    if (!code_read(code, address, bytes, sizeof bytes))
        return false;
    size_t at = memcmp(bytes, endbr64, sizeof endbr64) == 0 ? sizeof endbr64 : 0;
    return memcmp(bytes + at, mov_rbx_rsp, sizeof mov_rbx_rsp) == 0;
}

/* The displacement of a load from n(%rbp) whose ModRM byte is at MODRM; 0: it is none. */
static size_t frame_operand(unsigned char modrm, const unsigned char *displacement, int32_t *offset)
{
    if ((modrm & 0xc7) == 0x45) {
        *offset = (int8_t)*displacement;
        return 1;
    }
    if ((modrm & 0xc7) == 0x85) {
        memcpy(offset, displacement, sizeof *offset);
        return 4;
    }
    return 0;
}

bool code_call_operand(struct code *code, uint64_t return_address, int32_t *offset)
{
    unsigned char bytes[16]; /* that end at the return address */
    const unsigned char *end = bytes + sizeof bytes;
    if (return_address < sizeof bytes ||
        !code_read(code, return_address - sizeof bytes, bytes, sizeof bytes))
        return false;
    if (end[-3] == 0xff && end[-2] == 0x55)
        return frame_operand(0x45, end - 1, offset) > 0;
    if (end[-6] == 0xff && end[-5] == 0x95)
        return frame_operand(0x85, end - 4, offset) > 0;
    if (end[-2] != 0xff || (end[-1] & 0xf8) != 0xd0)
        return false;
    unsigned through = end[-1] & 7;
    for (size_t length = 4; length <= 7; length += 3) { /* mov n(%rbp),%r in front of it */
        const unsigned char *mov = end - 2 - length;
        if (mov[0] == 0x48 && mov[1] == 0x8b && ((mov[2] >> 3) & 7) == through &&
            frame_operand(mov[2], mov + 3, offset) == length - 3)
            return true;
    }
    return false;
}

#else /* other machines: nothing is recognised, so nothing is recovered */

void code_read_call(struct code *code, struct rule *rule)
{
    (void)code;
    rule->call = CALL_NONE;
}

bool code_may_tail_call(struct code *code, uint64_t start, uint64_t end)
{
    (void)code, (void)start, (void)end;
    return true;
}

size_t code_jumps(struct code *code, uint64_t start, uint64_t end, uint64_t *targets, size_t size)
{
    (void)code, (void)start, (void)end, (void)targets, (void)size;
    return 0;
}

struct stack_use code_stack_use(struct code *code, uint64_t start, uint64_t end)
{
    (void)code, (void)start, (void)end;
    return (struct stack_use){ .taken = SIZE_MAX };
}

bool code_is_context_start(struct code *code, uint64_t address)
{
    (void)code, (void)address;
    return false;
}

bool code_call_operand(struct code *code, uint64_t return_address, int32_t *offset)
{
    (void)code, (void)return_address, (void)offset;
    return false;
}

#endif

/* The length of a `mov`, `add`, `sub`, `and`, `or` or `xor` between registers that changes none
 * that is callee-saved; 0: BYTES are something else. */
static size_t harmless_length(const unsigned char *bytes)
{
    static const unsigned char opcodes[] = { 0x89, 0x01, 0x29, 0x21, 0x09, 0x31 };
    enum { REX_W = 0x48, TO_REGISTER = 2, RBX = 3, RBP = 5 }; /* 4, between them, is RSP */
    size_t prefix = bytes[0] == REX_W;
    unsigned char opcode = bytes[prefix];
    unsigned char operands = bytes[prefix + 1];
    unsigned target = opcode & TO_REGISTER ? operands >> 3 & 7 : operands & 7;
    if (operands >> 6 != 3 || (target >= RBX && target <= RBP))
        return 0;
    for (size_t i = 0; i < sizeof opcodes; i++)
        if ((opcode & ~TO_REGISTER) == opcodes[i])
            return prefix + 2;
    return 0;
}

bool code_only_returns(struct code *code, uint64_t address)
{
    enum { REX_B = 0x41, POP = 0x58, POP_LAST = 0x5f, POP_RSP = 0x5c, RET = 0xc3, REP = 0xf3 };
    for (int i = 0; i < 8; i++) {
        unsigned char bytes[3];
        if (!code_read(code, address, bytes, sizeof bytes))
            return false;
        size_t harmless = harmless_length(bytes);
        address += harmless;
        if (harmless > 0)
            continue;
        if (bytes[0] == RET || (bytes[0] == REP && bytes[1] == RET))
            return true;
        size_t prefix = bytes[0] == REX_B;
        unsigned char opcode = bytes[prefix];
        if (opcode < POP || opcode > POP_LAST || (!prefix && opcode == POP_RSP))
            return false;
        address += prefix + 1;
    }
    return false;
}
