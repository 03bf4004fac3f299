/* cfi_run.c: the row of an address, by carrying out its entry's instructions.
 *
 * The instructions (DWARF 5, 6.4.2) change a row from the function's start on,
 * until the address is reached. Of all registers only the frame pointer and
 * the return address are followed, and the CFA. Expressions are worked out as
 * far as they add to a register or to one word that is loaded: those of signal
 * frames, of realigned stacks and of the PLT do (probe.c of the engine learns
 * the same ones). Anything else is CFI_UNKNOWN. */
#include "stacks/cfi_run.h"

#include "stacks/cfi_reader.h"

#if defined(__x86_64__)

#define REGISTER_BP 6
#define REGISTER_SP 7
#define REGISTER_IP 16
#define REMEMBERED 8 /* rows of DW_CFA_remember_state within one another */
#define OPERANDS 8   /* of an expression */

struct row {
    uint64_t cfa_register; /* and what is added to it, unless there is an expression */
    int64_t cfa_offset;
    bool cfa_is_expression;
    struct cfi_place cfa; /* what it came to; CFI_ELSEWHERE when it is not understood */
    struct cfi_place caller;
    struct cfi_place bp;
};

struct run {
    const struct cfi_program *program;
    struct reader reader;
    uintptr_t location;
    struct row row;
    struct row initial; /* behind the common part's instructions */
    struct row remembered[REMEMBERED];
    unsigned depth;
};

static const struct cfi_place same = { .how = CFI_SAME };
static const struct cfi_place lost = { .how = CFI_LOST };
static const struct cfi_place elsewhere = { .how = CFI_ELSEWHERE };

/* What an expression computes with: a number, or a place. */
struct operand {
    bool is_number;
    int64_t number;
    struct cfi_place place; /* CFI_VALUE or CFI_AT */
};

static struct operand number(int64_t value)
{
    return (struct operand){ .is_number = true, .number = value };
}

static bool register_operand(const struct run *run, uint64_t index, int64_t offset,
                             struct operand *result)
{
    if (index == REGISTER_IP) {
        *result = number((int64_t)run->program->address + offset);
        return true;
    }
    if (index != REGISTER_SP && index != REGISTER_BP)
        return false;
    *result = (struct operand){ .place = { .how = CFI_VALUE,
                                           .base = index == REGISTER_SP ? CFI_SP : CFI_BP,
                                           .offset = (int32_t)offset } };
    return offset == (int32_t)offset;
}

static bool add(struct operand *left, int64_t amount)
{
    if (left->is_number) {
        left->number = (int64_t)((uint64_t)left->number + (uint64_t)amount);
        return true;
    }
    int32_t *to = left->place.how == CFI_VALUE ? &left->place.offset : &left->place.add;
    int64_t sum = *to + amount;
    *to = (int32_t)sum;
    return sum == (int32_t)sum;
}

static bool load(struct operand *operand)
{
    if (operand->is_number || operand->place.how != CFI_VALUE)
        return false;
    operand->place.how = CFI_AT;
    return true;
}

/* An operation with two operands; the result takes the place of LEFT. */
static bool combine(uint8_t operation, struct operand *left, const struct operand *right)
{
    if (operation == 0x22 && !left->is_number && right->is_number) /* plus */
        return add(left, right->number);
    if (operation == 0x22 && left->is_number && !right->is_number) {
        int64_t amount = left->number;
        *left = *right;
        return add(left, amount);
    }
    if (operation == 0x1c && !left->is_number && right->is_number) /* minus */
        return add(left, -right->number);
    if (!left->is_number || !right->is_number)
        return false;
    int64_t a = left->number;
    int64_t b = right->number;
    switch (operation) {
    case 0x1a: *left = number(a & b); return true;
    case 0x1c: return add(left, -b);
    case 0x21: *left = number(a | b); return true;
    case 0x22: return add(left, b);
    case 0x24: *left = number((uint64_t)b < 64 ? (int64_t)((uint64_t)a << b) : 0); return true;
    case 0x2a: *left = number(a >= b); return true;
    case 0x2b: *left = number(a > b); return true;
    case 0x2c: *left = number(a <= b); return true;
    case 0x2d: *left = number(a < b); return true;
    default: return false;
    }
}

/* An operation that pushes; false when it is another one, or not understood. */
static bool operand_of(const struct run *run, struct reader *reader, uint8_t operation,
                       struct operand *result)
{
    if (operation >= 0x30 && operation <= 0x4f) { /* lit0 to lit31 */
        *result = number(operation - 0x30);
        return true;
    }
    if (operation >= 0x70 && operation <= 0x8f) /* breg0 to breg31 */
        return register_operand(run, operation - 0x70u, read_sleb(reader), result);
    switch (operation) {
    case 0x08: *result = number(read_u8(reader)); return true;
    case 0x09: *result = number((int8_t)read_u8(reader)); return true;
    case 0x0a: *result = number(read_u16(reader)); return true;
    case 0x0b: *result = number((int16_t)read_u16(reader)); return true;
    case 0x0c: *result = number(read_u32(reader)); return true;
    case 0x0d: *result = number((int32_t)read_u32(reader)); return true;
    case 0x10: *result = number((int64_t)read_uleb(reader)); return true;
    case 0x11: *result = number(read_sleb(reader)); return true;
    default: return false;
    }
}

/* Works the expression out that READER stands before (its length first), with
 * the CFA on the stack if WITH_CFA. */
static bool expression(const struct run *run, struct reader *reader, bool with_cfa,
                       struct cfi_place *result)
{
    struct operand stack[OPERANDS];
    unsigned count = 0;
    uint64_t length = read_uleb(reader);
    struct reader own = *reader;
    read_skip(reader, length);
    own.end = reader->at;
    if (with_cfa)
        stack[count++] = (struct operand){ .place = { .how = CFI_VALUE, .base = CFI_CFA } };
    while (own.at < own.end) {
        uint8_t operation = read_u8(&own);
        if (count < OPERANDS && operand_of(run, &own, operation, &stack[count])) {
            count++;
        } else if (operation == 0x06 && count > 0) { /* deref */
            if (!load(&stack[count - 1]))
                return false;
        } else if (operation == 0x23 && count > 0) { /* plus_uconst */
            if (!add(&stack[count - 1], (int64_t)read_uleb(&own)))
                return false;
        } else if (count < 2 || !combine(operation, &stack[count - 2], &stack[count - 1])) {
            return false;
        } else {
            count--;
        }
    }
    if (own.bad || reader->bad || count == 0 || stack[count - 1].is_number)
        return false;
    *result = stack[count - 1].place;
    return true;
}

/* Of the registers only two are followed. */
static void set(struct run *run, uint64_t index, struct cfi_place place)
{
    if (index == REGISTER_BP)
        run->row.bp = place;
    else if (index == REGISTER_IP)
        run->row.caller = place;
}

static void restore(struct run *run, uint64_t index)
{
    set(run, index, index == REGISTER_BP ? run->initial.bp : run->initial.caller);
}

static void set_stored(struct run *run, uint64_t index, int64_t factored)
{
    int64_t offset = factored * run->program->data_factor;
    struct cfi_place place = { .how = CFI_AT, .base = CFI_CFA, .offset = (int32_t)offset };
    set(run, index, offset == place.offset ? place : elsewhere);
}

/* DW_CFA_expression (what is stored at the address it gives) and DW_CFA_val_expression (that
 * itself). */
static void set_expression(struct run *run, uint64_t index, bool stored)
{
    struct operand result = { .is_number = false };
    bool understood = expression(run, &run->reader, true, &result.place);
    if (understood && stored)
        understood = load(&result);
    set(run, index, understood ? result.place : elsewhere);
}

static void set_cfa_expression(struct run *run)
{
    run->row.cfa_is_expression = true;
    if (!expression(run, &run->reader, false, &run->row.cfa))
        run->row.cfa = elsewhere;
}

static void set_cfa(struct run *run, uint64_t index, int64_t offset)
{
    run->row.cfa_is_expression = false;
    run->row.cfa_register = index;
    run->row.cfa_offset = offset;
}

/* The instructions whose number is the whole byte. False for one that is not known. */
static bool extended(struct run *run, uint8_t instruction)
{
    struct reader *reader = &run->reader;
    uint64_t index;
    switch (instruction) {
    case 0x00: return true; /* nop */
    case 0x02: run->location += read_u8(reader) * run->program->code_factor; return true;
    case 0x03: run->location += read_u16(reader) * run->program->code_factor; return true;
    case 0x04: run->location += read_u32(reader) * run->program->code_factor; return true;
    case 0x05: /* offset_extended */
        index = read_uleb(reader);
        set_stored(run, index, (int64_t)read_uleb(reader));
        return true;
    case 0x06: /* restore_extended */
        index = read_uleb(reader);
        restore(run, index);
        return true;
    case 0x07: set(run, read_uleb(reader), lost); return true; /* undefined */
    case 0x08: set(run, read_uleb(reader), same); return true; /* same_value */
    case 0x09: /* register: in another one, which is not followed */
        set(run, read_uleb(reader), elsewhere);
        read_uleb(reader);
        return true;
    case 0x0a: /* remember_state */
        if (run->depth == REMEMBERED)
            return false;
        run->remembered[run->depth++] = run->row;
        return true;
    case 0x0b: /* restore_state */
        if (run->depth == 0)
            return false;
        run->row = run->remembered[--run->depth];
        return true;
    case 0x0c: /* def_cfa */
        index = read_uleb(reader);
        set_cfa(run, index, (int64_t)read_uleb(reader));
        return true;
    case 0x0d: run->row.cfa_register = read_uleb(reader); return true;
    case 0x0e: run->row.cfa_offset = (int64_t)read_uleb(reader); return true;
    case 0x0f: set_cfa_expression(run); return true;
    case 0x10: set_expression(run, read_uleb(reader), true); return true;
    case 0x11: /* offset_extended_sf */
        index = read_uleb(reader);
        set_stored(run, index, read_sleb(reader));
        return true;
    case 0x12: /* def_cfa_sf */
        index = read_uleb(reader);
        set_cfa(run, index, read_sleb(reader) * run->program->data_factor);
        return true;
    case 0x13: run->row.cfa_offset = read_sleb(reader) * run->program->data_factor; return true;
    case 0x14: /* val_offset: not in what compilers write for these registers */
        set(run, read_uleb(reader), elsewhere);
        read_uleb(reader);
        return true;
    case 0x15: /* val_offset_sf */
        set(run, read_uleb(reader), elsewhere);
        read_sleb(reader);
        return true;
    case 0x16: set_expression(run, read_uleb(reader), false); return true;
    case 0x2e: read_uleb(reader); return true; /* GNU_args_size */
    default: return false;
    }
}

/* Carries out SIZE bytes at INSTRUCTIONS, as long as they are about the address or what lies before
 * it. */
static bool run_through(struct run *run, const unsigned char *instructions, size_t size)
{
    run->reader = (struct reader){ instructions, instructions + size, false };
    while (run->reader.at < run->reader.end && run->location <= run->program->address) {
        uint8_t byte = read_u8(&run->reader);
        uint8_t low = byte & 0x3f;
        bool known = true;
        switch (byte >> 6) {
        case 1: run->location += low * run->program->code_factor; break;
        case 2: set_stored(run, low, (int64_t)read_uleb(&run->reader)); break;
        case 3: restore(run, low); break;
        default: known = extended(run, byte);
        }
        if (!known || run->reader.bad)
            return false;
    }
    return true;
}

/* The CFA of ROW as a place. */
static struct cfi_place cfa_of(const struct run *run, const struct row *row)
{
    struct operand result;
    if (row->cfa_is_expression)
        return row->cfa;
    if (row->cfa_register == REGISTER_IP ||
        !register_operand(run, row->cfa_register, row->cfa_offset, &result))
        return elsewhere;
    return result.place;
}

void cfi_run(const struct cfi_program *program, struct cfi_row *row)
{
    struct run run = { .program = program, .location = program->start };
    run.row.caller = elsewhere;
    row->kind = CFI_UNKNOWN;
    if (!run_through(&run, program->initial, program->initial_size))
        return;
    run.initial = run.row;
    if (!run_through(&run, program->own, program->own_size))
        return;
    row->cfa = cfa_of(&run, &run.row);
    row->caller = run.row.caller;
    row->bp = run.row.bp;
    if (row->caller.how == CFI_LOST)
        row->kind = CFI_END;
    else if (row->cfa.how != CFI_ELSEWHERE && row->caller.how == CFI_AT)
        row->kind = CFI_STEP;
}

#endif
