/* test_stack_rows.c proves that the reader of unwind tables that works in the
 * service's threads (src/stacks) and the engine's libunwind read the same out of
 * them: every few bytes of the code of this program and of all libraries that
 * it has, and of some that it loads for the purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "modules/modules.h"
#include "stacks/cfi.h"
#include "stacks/regions.h"
#include "unwind/unwind.h"
#include "unwind/walk.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#define EVERY 13 /* bytes */

struct counts {
    size_t steps, ends, none;
    size_t beyond; /* rows that hang on a register which an in-thread walk does not follow */
    size_t wrong;
};

static uint8_t base_of(uint8_t base)
{
    return base == CFI_SP ? BASE_SP : base == CFI_BP ? SAVED_RBP : BASE_CFA;
}

/* The two sides may count from different ends: CFA - 16, or RSP + 8 where the CFA is RSP + 24. */
static bool same_term(const struct rule *rule, const struct term *term,
                      const struct cfi_place *place)
{
    if (term->kind == TERM_SAME || term->kind == TERM_LOST)
        return (term->kind == TERM_SAME && place->how == CFI_SAME) ||
               (term->kind == TERM_LOST && (place->how == CFI_LOST || place->how == CFI_ELSEWHERE));
    if (place->how != (term->kind == TERM_AT ? CFI_AT : CFI_VALUE) || place->add != 0)
        return false;
    int64_t left = term->offset;
    int64_t right = place->offset;
    if (term->base == base_of(place->base))
        return left == right;
    if (rule->cfa_loads)
        return false;
    if (term->base == rule->cfa.base && place->base == CFI_CFA)
        return left - rule->cfa.offset == right;
    return term->base == BASE_CFA && base_of(place->base) == rule->cfa.base &&
           left == right - rule->cfa.offset;
}

static bool same_step(const struct rule *rule, const struct cfi_row *row)
{
    bool loads = row->cfa.how == CFI_AT;
    return rule->cfa.base == base_of(row->cfa.base) && rule->cfa.offset == row->cfa.offset &&
           rule->cfa_loads == loads && rule->cfa_add == (loads ? row->cfa.add : 0) &&
           same_term(rule, &rule->caller, &row->caller) &&
           same_term(rule, &rule->saved[SAVED_RBP], &row->bp);
}

/* Whether our reader may say that it does not know: the CFA hangs on another
 * register, or the return address is in one. */
static bool may_be_beyond(const struct rule *rule)
{
    bool other = rule->cfa.base != BASE_SP && rule->cfa.base != SAVED_RBP;
    return rule->kind == RULE_BAD || other || rule->caller.kind != TERM_AT ||
           rule->caller.base == BASE_OTHER;
}

static bool same(const struct rule *rule, const struct cfi_row *row, struct counts *counts)
{
    switch (row->kind) {
    case CFI_NONE: counts->none++; return rule->kind == RULE_NONE;
    case CFI_END: counts->ends++; return rule->kind == RULE_END;
    case CFI_STEP:
        counts->steps++;
        return rule->kind == RULE_STEP && rule->start == row->start && same_step(rule, row);
    default: counts->beyond++; return may_be_beyond(rule);
    }
}

static void compare_module(struct unwinder *unwinder, const struct module *module,
                           struct counts *counts)
{
    for (uint64_t at = module->start; at < module->end; at += EVERY) {
        struct code_region region;
        struct cfi_row row;
        const struct rule *rule = unwinder_rule(unwinder, at);
        assert_non_null(rule);
        if (!region_of((uintptr_t)at, &region))
            break; /* the rest of the last page */
        cfi_row_at(&region, (uintptr_t)at, &row);
        if (same(rule, &row, counts))
            continue;
        if (counts->wrong++ < 20)
            printf("%s+0x%" PRIx64
                   ": rule %u: cfa %u%+d loads %d%+d, ra %u %u%+d, bp %u %u%+d; row "
                   "%u: cfa %u %u%+d%+d, ra %u %u%+d, bp %u %u%+d\n",
                   module_name(module), at - module->bias, rule->kind, rule->cfa.base,
                   rule->cfa.offset, rule->cfa_loads, rule->cfa_add, rule->caller.kind,
                   rule->caller.base, rule->caller.offset, rule->saved[SAVED_RBP].kind,
                   rule->saved[SAVED_RBP].base, rule->saved[SAVED_RBP].offset, row.kind,
                   row.cfa.how, row.cfa.base, row.cfa.offset, row.cfa.add, row.caller.how,
                   row.caller.base, row.caller.offset, row.bp.how, row.bp.base, row.bp.offset);
    }
    unwinder_trim(unwinder);
}

static void test_rows_are_libunwind_s(void **state)
{
    static const char *const more[] = { "libstdc++.so.6", "libcrypto.so.3", "libgcc_s.so.1",
                                        "libm.so.6", "libpython3.11.so.1.0" };
    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        dlopen(more[i], RTLD_LAZY); /* those that are there */
    struct target target;
    struct counts counts = { 0 };
    assert_int_equal(target_open(&target, 0), 0);
    struct modules *modules = modules_new(&target);
    assert_int_equal(modules_refresh(modules), 0);
    struct unwinder *unwinder = unwinder_new(&target, modules);
    size_t compared = 0;
    for (size_t i = 0; i < modules_count(modules); i++) {
        const struct module *module = modules_at(modules, i);
        if (!module->is_elf)
            continue;
        compare_module(unwinder, module, &counts);
        compared++;
    }
    printf("%zu modules: %zu rows equal, %zu outermost, %zu addresses without a row, %zu beyond "
           "this reader, %zu wrong\n",
           compared, counts.steps, counts.ends, counts.none, counts.beyond, counts.wrong);
    assert_int_equal(counts.wrong, 0);
    assert_true(counts.steps > 200000);
    assert_true(counts.ends > 0);
    assert_true(counts.beyond < counts.steps / 100);
    unwinder_free(unwinder);
    modules_free(modules);
    target_close(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows_are_libunwind_s) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("unwind tables are read on x86-64 only");
    return 0;
}

#endif
