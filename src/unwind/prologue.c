/* prologue.c: the size of a frame, read from the first instructions of its function.
 *
 * Up to where it has taken its room, a function that keeps a frame pointer runs straight on: push
 * %rbp, mov %rsp,%rbp, pushes, sub $N,%rsp. The compiler puts instructions of the body
 * in between, as many as it likes, so the lengths of the common ones are known here. What is not
 * known, a jump or a call ends the reading: what was taken until then is the least. Main entry:
 * code_frame_size(). */
#include "unwind/code.h"
#include "unwind/rule.h"

#include <string.h>

#if defined(__x86_64__)

#define PROLOGUE_BYTES 192
#define INSTRUCTION_MAX 16

/* An instruction taken apart as far as its length asks for. */
struct instruction {
    const unsigned char *at; /* behind the prefixes: the opcode */
    unsigned char rex;       /* 0: none */
    bool narrow;             /* 16 bits */
    size_t prefixes;
};

static struct instruction take_apart(const unsigned char *at)
{
    struct instruction it = { .at = at };
    while (*it.at == 0x66 || *it.at == 0x64 || *it.at == 0xf2 || *it.at == 0xf3)
        it.narrow |= *it.at++ == 0x66;
    if ((*it.at & 0xf0) == 0x40)
        it.rex = *it.at++;
    it.prefixes = (size_t)(it.at - at);
    return it;
}

/* The length of a ModRM byte at AT with what belongs to it. */
static size_t operand_length(const unsigned char *at)
{
    unsigned mode = at[0] >> 6;
    unsigned base = at[0] & 7;
    size_t length = 1;
    if (mode == 3)
        return length;
    if (base == 4) {
        base = at[1] & 7;
        length++;
    }
    if (mode == 1)
        return length + 1;
    return mode == 2 || base == 5 ? length + 4 : length;
}

/* Whether the register operand, or the one that is no memory, of the ModRM byte is the stack
 * pointer, where the instruction may write it. */
static bool may_write_stack_pointer(const struct instruction *it, unsigned char modrm, bool to_left)
{
    if (to_left)
        return (modrm & 0xc7) == 0xc4 && !(it->rex & 1);
    return (modrm & 0x38) == 0x20 && !(it->rex & 4);
}

enum operands {
    NONE,      /* not known */
    TO_LEFT,   /* ModRM, whose memory or second register is written */
    TO_RIGHT,  /* ModRM, whose register is written */
    READ_ONLY, /* ModRM, whose operands are no whole registers, or are compared */
    NO_MODRM
};

/* What one opcode asks for; *IMMEDIATE is the length of the constant behind it. */
static enum operands short_opcode(const struct instruction *it, size_t *immediate)
{
    unsigned char opcode = *it->at;
    size_t constant = it->narrow ? 2 : 4;
    switch (opcode) {
    case 0x01:
    case 0x09:
    case 0x11:
    case 0x19:
    case 0x21:
    case 0x29:
    case 0x31:
    case 0x89:
    case 0xd1:
    case 0xd3: return TO_LEFT;
    case 0x03:
    case 0x0b:
    case 0x13:
    case 0x1b:
    case 0x23:
    case 0x2b:
    case 0x33:
    case 0x63:
    case 0x8b:
    case 0x8d: return TO_RIGHT;
    case 0x38:
    case 0x39:
    case 0x3a:
    case 0x3b:
    case 0x84:
    case 0x85:
    case 0x88:
    case 0x8a: return READ_ONLY;
    case 0x83:
    case 0xc1: *immediate = 1; return TO_LEFT;
    case 0x81:
    case 0xc7: *immediate = constant; return TO_LEFT;
    case 0x80:
    case 0xc0:
    case 0xc6: *immediate = 1; return READ_ONLY;
    case 0x90: return NO_MODRM;
    case 0x3c:
    case 0xa8: *immediate = 1; return NO_MODRM;
    case 0x05:
    case 0x25:
    case 0x2d:
    case 0x3d:
    case 0xa9: *immediate = constant; return NO_MODRM;
    default: break;
    }
    if (opcode == 0x69 || opcode == 0x6b) { /* imul */
        *immediate = opcode == 0x6b ? 1 : constant;
        return TO_RIGHT;
    }
    if (opcode == 0x98 || opcode == 0x99) /* cltq, cqto */
        return NO_MODRM;
    if (opcode == 0xf7) { /* test; not, neg, mul, div */
        *immediate = (it->at[1] & 0x38) < 0x10 ? constant : 0;
        return TO_LEFT;
    }
    if (opcode >= 0xb8 && opcode <= 0xbf && !(opcode == 0xbc && !(it->rex & 1))) {
        *immediate = it->rex & 8 ? 8 : constant;
        return NO_MODRM;
    }
    return NONE;
}

/* The same for one behind 0x0f. */
static enum operands long_opcode(unsigned char opcode, size_t *immediate)
{
    if ((opcode >= 0x40 && opcode <= 0x4f) || opcode == 0xaf || opcode == 0xb6 || opcode == 0xb7 ||
        opcode == 0xbe || opcode == 0xbf) /* cmov, imul, movzx, movsx */
        return TO_RIGHT;
    if (opcode >= 0x90 && opcode <= 0x9f) /* set */
        return READ_ONLY;
    if (opcode == 0x1e || opcode == 0x1f || (opcode >= 0x10 && opcode <= 0x17) ||
        (opcode >= 0x28 && opcode <= 0x2f) || (opcode >= 0x51 && opcode <= 0x6f) ||
        (opcode >= 0xd4 && opcode <= 0xfe)) /* nop; moves and sums of vectors */
        return READ_ONLY;
    if (opcode == 0x70 || opcode == 0xc6) { /* shuffles */
        *immediate = 1;
        return READ_ONLY;
    }
    return NONE;
}

/* The length of an instruction that leaves the stack pointer as it is; 0: it does not, or is not
 * known. */
static size_t plain_instruction(const unsigned char *at)
{
    struct instruction it = take_apart(at);
    size_t immediate = 0;
    size_t opcode_length = *it.at == 0x0f ? 2 : 1;
    enum operands operands =
        opcode_length == 2 ? long_opcode(it.at[1], &immediate) : short_opcode(&it, &immediate);
    if (it.prefixes > 4 || operands == NONE)
        return 0;
    size_t length = it.prefixes + opcode_length + immediate;
    if (operands == NO_MODRM)
        return length;
    const unsigned char *modrm = it.at + opcode_length;
    if (operands != READ_ONLY && may_write_stack_pointer(&it, *modrm, operands == TO_LEFT))
        return 0;
    return length + operand_length(modrm);
}

/* `mov %rsp,%rbp`, in both encodings. */
static bool makes_frame(const unsigned char *at)
{
    return at[0] == 0x48 && ((at[1] == 0x89 && at[2] == 0xe5) || (at[1] == 0x8b && at[2] == 0xec));
}

/* One instruction behind that: its length, or 0 when it ends the reading. *SIZE grows by what it
 * takes from the stack, *LAST is set when the frame is complete with it. */
static size_t body_instruction(const unsigned char *at, int32_t *size, bool *last)
{
    size_t wide = at[0] == 0x41 ? 1 : 0;
    if (at[wide] >= 0x50 && at[wide] <= 0x57) {
        *size += 8;
        return wide + 1;
    }
    if (at[0] == 0x48 && at[1] == 0x83 && at[2] == 0xec) {
        *size += (int8_t)at[3];
        *last = true;
        return 4;
    }
    if (at[0] == 0x48 && at[1] == 0x81 && at[2] == 0xec) {
        int32_t amount;
        memcpy(&amount, at + 3, sizeof amount);
        *size += amount;
        *last = true;
        return 7;
    }
    if (at[0] == 0x48 && at[2] == 0xe4 && (at[1] == 0x83 || at[1] == 0x81)) /* and: realigned */
        return at[1] == 0x83 ? 4 : 7;
    return plain_instruction(at);
}

/* How many bytes it takes from START to the frame pointer's setting, that included; 0: there is
 * none. */
static size_t read_beginning(const unsigned char *bytes)
{
    static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
    size_t at = memcmp(bytes, endbr64, sizeof endbr64) == 0 ? sizeof endbr64 : 0;
    if (bytes[at++] != 0x55)
        return 0;
    while (at < PROLOGUE_BYTES / 2) {
        if (makes_frame(bytes + at))
            return at + 3;
        size_t length = plain_instruction(bytes + at);
        if (length == 0)
            return 0;
        at += length;
    }
    return 0;
}

int32_t code_frame_size(struct code *code, uint64_t start, uint64_t limit)
{
    unsigned char bytes[PROLOGUE_BYTES + INSTRUCTION_MAX] = { 0 };
    size_t length = limit > start && limit - start < PROLOGUE_BYTES ? (size_t)(limit - start) + 1
                                                                    : PROLOGUE_BYTES;
    if (!code_read(code, start, bytes, length))
        return FRAME_SIZE_UNKNOWN;
    size_t at = read_beginning(bytes);
    if (at == 0)
        return FRAME_SIZE_UNKNOWN;
    int32_t size = 0;
    bool last = false;
    while (!last && at < PROLOGUE_BYTES && start + at < limit) {
        size_t step = body_instruction(bytes + at, &size, &last);
        if (step == 0)
            break;
        at += step;
    }
    return size >= 0 ? size : FRAME_SIZE_UNKNOWN;
}

#else /* other machines: nothing is recognised, so nothing is recovered */

int32_t code_frame_size(struct code *code, uint64_t start, uint64_t limit)
{
    (void)code, (void)start, (void)limit;
    return FRAME_SIZE_UNKNOWN;
}

#endif
