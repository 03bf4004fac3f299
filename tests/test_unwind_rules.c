/* test_unwind_rules.c proves that the rules learnt by watching libunwind are
 * those of the tables, as libdw, which reads them on its own, understands
 * them: every few bytes of the code of the C library and of this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "modules/modules.h"
#include "unwind/unwind.h"
#include "unwind/walk.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)

/* DWARF's numbers (System V ABI, AMD64 supplement, figure 3.36). */
static const int dwarf_number[SAVED_COUNT] = {
    [SAVED_RBX] = 3,  [SAVED_RBP] = 6,  [SAVED_R12] = 12,
    [SAVED_R13] = 13, [SAVED_R14] = 14, [SAVED_R15] = 15,
};

#define RETURN_ADDRESS 16

struct counts {
    size_t equal, expressions, none;
};

/* `saved at CFA + offset`, as libdw spells it: push the CFA, add. */
static bool at_cfa(const Dwarf_Op *ops, size_t count, int64_t *offset)
{
    if (count == 0 || ops[0].atom != DW_OP_call_frame_cfa)
        return false;
    *offset = count == 2 && ops[1].atom == DW_OP_plus_uconst ? (int64_t)ops[1].number : 0;
    return count == 1 || (count == 2 && ops[1].atom == DW_OP_plus_uconst);
}

/* The offset from the CFA of a term that counts from the same register as the CFA does, or from it.
 */
static int64_t from_cfa(const struct rule *rule, const struct term *term)
{
    return term->base == BASE_CFA ? term->offset : (int64_t)term->offset - rule->cfa.offset;
}

static void compare_saved(Dwarf_Frame *frame, const struct rule *rule, int register_index)
{
    Dwarf_Op memory[3];
    Dwarf_Op *ops;
    size_t count;
    const struct term *term = &rule->saved[register_index];
    int status = dwarf_frame_register(frame, dwarf_number[register_index], memory, &ops, &count);
    assert_int_equal(status, 0);
    int64_t offset;
    if (count == 0) {
        /* libdw does not tell a register the table is silent about from an undefined one. */
        bool same = ops == NULL;
        assert_true(term->kind == TERM_SAME || (!same && term->kind == TERM_LOST));
    } else if (at_cfa(ops, count, &offset)) {
        assert_int_equal(term->kind, TERM_AT);
        if (term->base == BASE_CFA || term->base == rule->cfa.base)
            assert_int_equal(from_cfa(rule, term), offset);
    }
}

/* The return address lies below the CFA, but for code that restores a whole context. */
static void compare_caller(Dwarf_Frame *frame, const struct rule *rule)
{
    Dwarf_Op memory[3];
    Dwarf_Op *ops;
    size_t count;
    int64_t offset;
    assert_int_equal(dwarf_frame_register(frame, RETURN_ADDRESS, memory, &ops, &count), 0);
    assert_true(at_cfa(ops, count, &offset));
    assert_int_equal(rule->caller.kind, TERM_AT);
    assert_int_equal(from_cfa(rule, &rule->caller), offset);
}

static void compare_row(Dwarf_CFI *cfi, const struct module *module, const struct rule *rule,
                        struct counts *counts)
{
    Dwarf_Frame *frame = NULL;
    int status = dwarf_cfi_addrframe(cfi, rule->address - module->bias, &frame);
    if (status != 0) {
        assert_int_equal(rule->kind, RULE_NONE);
        counts->none++;
        return;
    }
    Dwarf_Op *ops;
    size_t count;
    assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
    bool plain = count == 1 && ops[0].atom == DW_OP_bregx;
    if (rule->kind == RULE_STEP && plain) {
        int number = (int)ops[0].number;
        int base = rule->cfa.base == BASE_SP      ? 7
                   : rule->cfa.base < SAVED_COUNT ? dwarf_number[rule->cfa.base]
                                                  : number;
        assert_int_equal(base, number);
        assert_false(rule->cfa_loads);
        assert_int_equal(rule->cfa.offset, (int32_t)ops[0].number2);
        compare_caller(frame, rule);
        for (int i = 0; i < SAVED_COUNT; i++)
            compare_saved(frame, rule, i);
        counts->equal++;
    } else {
        counts->expressions++;
    }
    free(frame);
}

static void compare_module(struct unwinder *unwinder, const struct module *module,
                           struct counts *counts)
{
    int fd = open(module->path, O_RDONLY);
    assert_true(fd >= 0);
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);
    assert_non_null(cfi);
    for (uint64_t at = module->start; at < module->end; at += 13)
        compare_row(cfi, module, unwinder_rule(unwinder, at), counts);
    dwarf_cfi_end(cfi);
    elf_end(elf);
    close(fd);
}

static void test_rules_equal_the_tables(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_open(&target, 0), 0);
    struct modules *modules = modules_new(&target);
    assert_int_equal(modules_refresh(modules), 0);
    struct unwinder *unwinder = unwinder_new(&target, modules);
    struct counts counts = { 0 };
    elf_version(EV_CURRENT);
    const struct module *own = modules_find(modules, (uint64_t)(uintptr_t)compare_module);
    const struct module *libc = modules_find(modules, (uint64_t)(uintptr_t)strtol);
    assert_non_null(own);
    assert_non_null(libc);
    assert_true(own->is_elf && own->table_count > 0 && own->build_id_length > 0);
    compare_module(unwinder, own, &counts);
    compare_module(unwinder, libc, &counts);
    printf("%zu rows equal, %zu by expression, %zu addresses without a row\n", counts.equal,
           counts.expressions, counts.none);
    assert_true(counts.equal > 50000);
    assert_true(counts.expressions < counts.equal / 20);
    unwinder_free(unwinder);
    modules_free(modules);
    target_close(&target);
}

/* A stack full of nonsense: frames that point anywhere, at each other, at
 * nothing. The walk must end, inside its arrays, with frames that are code. */
static void test_nonsense_ends(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_open(&target, 0), 0);
    struct modules *modules = modules_new(&target);
    assert_int_equal(modules_refresh(modules), 0);
    struct unwinder *unwinder = unwinder_new(&target, modules);
    static uint64_t stack[2048];
    static struct stack_trace trace;
    const struct module *libc = modules_find(modules, (uint64_t)(uintptr_t)strtol);
    srandom(1);
    size_t complete = 0;
    for (int round = 0; round < 5000; round++) {
        for (size_t i = 0; i < sizeof stack / sizeof *stack; i++) {
            uint64_t code = libc->start + (uint64_t)random() % (libc->end - libc->start);
            uint64_t inside = (uint64_t)(uintptr_t)&stack[random() % 2048];
            uint64_t choice = (uint64_t)random() % 8;
            stack[i] = choice < 3   ? code
                       : choice < 6 ? inside
                       : choice < 7 ? (uint64_t)random() << 20
                                    : 0;
        }
        struct stack_copy copy = {
            .registers = { .ip = libc->start + (uint64_t)random() % (libc->end - libc->start),
                           .sp = (uint64_t)(uintptr_t)&stack[16],
                           .known = (unsigned)random() % 64 },
            .low = (uint64_t)(uintptr_t)stack,
            .length = round % 2 ? sizeof stack : sizeof stack / 4,
            .bytes = (unsigned char *)stack,
            .live = round % 3 == 0,
        };
        for (int i = 0; i < SAVED_COUNT; i++)
            copy.registers.saved[i] = (uint64_t)(uintptr_t)&stack[random() % 2048];
        unwind_stack(unwinder, &copy, &trace);
        assert_true(trace.count >= 1 && trace.count <= FRAMES_MAX);
        for (size_t i = 0; i < trace.count; i++)
            assert_non_null(modules_find(modules, frame_lookup(trace.frames[i])));
        complete += trace.partial == NULL;
    }
    assert_int_equal(complete, 0);
    unwinder_free(unwinder);
    modules_free(modules);
    target_close(&target);
}

/* What was mapped and went away keeps its name; what lies there now has its own. */
static void test_modules_keep_what_is_gone(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_open(&target, 0), 0);
    struct modules *modules = modules_new(&target);
    assert_int_equal(modules_refresh(modules), 0);
    uint64_t generation = modules_generation(modules);
    size_t count = modules_count(modules);
    assert_int_equal(modules_refresh(modules), 0);
    assert_int_equal(modules_count(modules), count);
    assert_int_equal(modules_generation(modules), generation);

    void *code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t address = (uint64_t)(uintptr_t)code;
    assert_null(modules_find(modules, address));
    assert_int_equal(modules_refresh(modules), 0);
    const struct module *jit = modules_find(modules, address);
    assert_non_null(jit);
    assert_false(jit->is_elf);
    assert_int_equal(modules_generation(modules), generation);
    munmap(code, 8192);
    assert_int_equal(modules_refresh(modules), 0);
    assert_null(modules_find(modules, address));
    assert_true(jit->retired);
    assert_int_equal(modules_generation(modules), generation + 1);
    modules_free(modules);
    target_close(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_equal_the_tables),
        cmocka_unit_test(test_nonsense_ends),
        cmocka_unit_test(test_modules_keep_what_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("unwind tables are read on x86-64 only");
    return 0;
}

#endif
