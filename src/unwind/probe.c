/* probe.c: a row of an unwind table, learnt by watching libunwind step.
 *
 * libunwind reads DWARF tables but does not hand out their rows. So it is let
 * step once from registers with recognisable values, each in a range of its
 * own that no address can have, over a stack whose every word is
 * recognisable too. What it then says of the caller's registers spells the
 * row: "fake RSP + 16" is CFA = RSP + 16, "word read at fake RSP + 8" is the
 * place of the return address. Expressions come out the same way, as long as
 * they add to one register or to one word: those of PLT stubs, signal frames and realigned stacks
 * do. Anything else is a bad row, and said to be one. */
#include "unwind/probe.h"

#include "base/target.h"
#include "modules/modules.h"
#include "unwind/code.h"
#include "unwind/frame_index.h"
#include "unwind/rule.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#include <libunwind-x86_64.h>

/* Exported by libunwind for users like perf, and declared in none of its headers. */
int _Ux86_64_dwarf_search_unwind_table(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *table,
                                       unw_proc_info_t *info, int need_unwind_info, void *argument);

#define READS_MAX 24
#define MIDDLE (UINT64_C(1) << 44) /* offsets of either sign stay within 48 bits */
#define FAKE_REGISTER UINT64_C(0x4000000000000000)
#define FAKE_WORD UINT64_C(0x6000000000000000)
#define OWN_TABLE UINT64_C(0x5000000000000000) /* where the probe's own tables seem to lie */

/* The search table of a module that comes without one. */
struct own_table {
    uint32_t module; /* its id */
    struct frame_index index;
    struct own_table *next;
};

struct probe {
    struct code *code;
    unw_addr_space_t space;
    const struct module *module;
    uint64_t address;
    uint64_t reads[READS_MAX]; /* the fake addresses that were read, in order */
    size_t read_count;
    struct own_table *tables;
    const struct frame_index *index; /* of the module, where it is our own; NULL */
};

static uint64_t fake(uint64_t range, uint64_t index)
{
    return (range | index << 48) + MIDDLE;
}

/* Undoes fake(); false when VALUE is not of RANGE. */
static bool is_fake(uint64_t range, uint64_t value, size_t *index, int64_t *offset)
{
    if ((value & UINT64_C(0xff00000000000000)) != range)
        return false;
    *index = (value >> 48) & 0xff;
    *offset = (int64_t)(value & UINT64_C(0xffffffffffff)) - (int64_t)MIDDLE;
    return *offset >= INT32_MIN && *offset <= INT32_MAX;
}

static uint8_t base_of(size_t unwind_register)
{
    switch (unwind_register) {
    case UNW_X86_64_RSP: return BASE_SP;
    case UNW_X86_64_RBX: return SAVED_RBX;
    case UNW_X86_64_RBP: return SAVED_RBP;
    case UNW_X86_64_R12: return SAVED_R12;
    case UNW_X86_64_R13: return SAVED_R13;
    case UNW_X86_64_R14: return SAVED_R14;
    case UNW_X86_64_R15: return SAVED_R15;
    default: return BASE_OTHER;
    }
}

static int access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
                         void *argument)
{
    (void)space;
    struct probe *probe = argument;
    size_t index;
    int64_t offset;
    if (write)
        return -UNW_EINVAL;
    if (is_fake(FAKE_REGISTER, address, &index, &offset) ||
        is_fake(FAKE_WORD, address, &index, &offset)) {
        if (probe->read_count == READS_MAX)
            return -UNW_EINVAL;
        *value = fake(FAKE_WORD, probe->read_count);
        probe->reads[probe->read_count++] = address;
        return 0;
    }
    if (probe->index && address >= OWN_TABLE &&
        (address - OWN_TABLE) / sizeof *value < probe->index->count) {
        memcpy(value, &probe->index->entries[(address - OWN_TABLE) / sizeof *value], sizeof *value);
        return 0;
    }
    return code_read(probe->code, address, value, sizeof *value) ? 0 : -UNW_EINVAL;
}

static int access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value,
                           int write, void *argument)
{
    (void)space;
    struct probe *probe = argument;
    if (write || number < UNW_X86_64_RAX || number > UNW_X86_64_RIP)
        return -UNW_EBADREG;
    *value = number == UNW_X86_64_RIP ? probe->address : fake(FAKE_REGISTER, (uint64_t)number);
    return 0;
}

static int find_procedure(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info,
                          int need_unwind_info, void *argument)
{
    struct probe *probe = argument;
    const struct module *module = probe->module;
    if (ip < module->start || ip >= module->end)
        return -UNW_ENOINFO;
    unw_dyn_info_t table = {
        .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .start_ip = module->start,
        .end_ip = module->end,
    };
    table.u.rti.segbase = module->eh_frame_hdr;
    table.u.rti.table_data = module->table;
    table.u.rti.table_len = module->table_count * 8 / sizeof(unw_word_t);
    if (probe->index) {
        table.u.rti.segbase = module->eh_frame;
        table.u.rti.table_data = OWN_TABLE;
        table.u.rti.table_len = probe->index->count;
    }
    int status =
        _Ux86_64_dwarf_search_unwind_table(space, ip, &table, info, need_unwind_info, argument);
    if (status < 0)
        return status;
    return ip >= info->start_ip && ip < info->end_ip ? 0 : -UNW_ENOINFO;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *argument)
{
    (void)space, (void)info, (void)argument;
}

static int no_dynamic_list(unw_addr_space_t space, unw_word_t *list, void *argument)
{
    (void)space, (void)list, (void)argument;
    return -UNW_ENOINFO;
}

static int no_float_register(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value,
                             int write, void *argument)
{
    (void)space, (void)number, (void)value, (void)write, (void)argument;
    return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
    (void)space, (void)cursor, (void)argument;
    return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t space, unw_word_t address, char *name, size_t size,
                   unw_word_t *offset, void *argument)
{
    (void)space, (void)address, (void)name, (void)size, (void)offset, (void)argument;
    return -UNW_ENOINFO;
}

struct probe *probe_new(struct code *code)
{
    static unw_accessors_t accessors = {
        .find_proc_info = find_procedure,
        .put_unwind_info = put_unwind_info,
        .get_dyn_info_list_addr = no_dynamic_list,
        .access_mem = access_memory,
        .access_reg = access_register,
        .access_fpreg = no_float_register,
        .resume = no_resume,
        .get_proc_name = no_name,
    };
    struct probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return NULL;
    probe->code = code;
    probe->space = unw_create_addr_space(&accessors, 0);
    if (!probe->space) {
        free(probe);
        return NULL;
    }
    unw_set_caching_policy(probe->space, UNW_CACHE_NONE);
    return probe;
}

void probe_forget(struct probe *probe)
{
    while (probe->tables) {
        struct own_table *table = probe->tables;
        probe->tables = table->next;
        frame_index_free(&table->index);
        free(table);
    }
    probe->index = NULL;
}

/* The table made for MODULE; NULL where there is nothing to make it of. */
static const struct frame_index *own_index(struct probe *probe, const struct module *module)
{
    if (module->table_count > 0 || module->eh_frame_size == 0)
        return NULL;
    for (const struct own_table *table = probe->tables; table; table = table->next)
        if (table->module == module->id)
            return &table->index;
    struct own_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->module = module->id;
    frame_index_make(&table->index, probe->code->target, module);
    table->next = probe->tables;
    probe->tables = table;
    return &table->index;
}

void probe_free(struct probe *probe)
{
    if (!probe)
        return;
    probe_forget(probe);
    unw_destroy_addr_space(probe->space);
    free(probe);
}

/* A fake address or value as base and offset; a word counts only as the CFA's. */
static bool resolve(const struct rule *rule, size_t cfa_read, uint64_t value, struct term *term)
{
    size_t index;
    int64_t offset;
    if (is_fake(FAKE_REGISTER, value, &index, &offset)) {
        term->base = base_of(index);
        term->offset = (int32_t)offset;
        return true;
    }
    if (rule->cfa_loads && is_fake(FAKE_WORD, value, &index, &offset) && index == cfa_read) {
        term->base = BASE_CFA;
        term->offset = (int32_t)offset - rule->cfa_add;
        return true;
    }
    return false;
}

static bool read_cfa(const struct probe *probe, unw_cursor_t *cursor, struct rule *rule,
                     size_t *cfa_read)
{
    unw_word_t cfa;
    size_t index;
    int64_t offset;
    *cfa_read = READS_MAX;
    if (unw_get_reg(cursor, UNW_X86_64_RSP, &cfa) < 0)
        return false;
    rule->cfa.kind = TERM_VALUE;
    if (is_fake(FAKE_WORD, cfa, &index, &offset)) {
        rule->cfa_loads = true;
        rule->cfa_add = (int32_t)offset;
        *cfa_read = index;
        cfa = probe->reads[index];
        if (!is_fake(FAKE_REGISTER, cfa, &index, &offset))
            return false;
    }
    return resolve(rule, READS_MAX, cfa, &rule->cfa);
}

/* What libunwind would answer for a register of the caller, as a term. */
static struct term read_register(struct probe *probe, unw_cursor_t *cursor, int number,
                                 const struct rule *rule, size_t cfa_read)
{
    struct term term = { .kind = TERM_LOST };
    unw_word_t value;
    size_t index;
    int64_t offset;
    if (unw_get_reg(cursor, number, &value) < 0)
        return term;
    if (is_fake(FAKE_WORD, value, &index, &offset) && offset == 0 && index < probe->read_count &&
        resolve(rule, cfa_read, probe->reads[index], &term)) {
        term.kind = TERM_AT;
        return term;
    }
    if (!resolve(rule, cfa_read, value, &term))
        return term;
    bool same = term.base == base_of((size_t)number) && term.offset == 0;
    term.kind = same ? TERM_SAME : TERM_VALUE;
    return term;
}

static void read_row(struct probe *probe, unw_cursor_t *cursor, struct rule *rule)
{
    static const int saved[SAVED_COUNT] = {
        [SAVED_RBX] = UNW_X86_64_RBX, [SAVED_RBP] = UNW_X86_64_RBP, [SAVED_R12] = UNW_X86_64_R12,
        [SAVED_R13] = UNW_X86_64_R13, [SAVED_R14] = UNW_X86_64_R14, [SAVED_R15] = UNW_X86_64_R15,
    };
    size_t cfa_read;
    rule->kind = RULE_BAD;
    if (!read_cfa(probe, cursor, rule, &cfa_read))
        return;
    rule->caller = read_register(probe, cursor, UNW_X86_64_RIP, rule, cfa_read);
    if (rule->caller.kind != TERM_AT && rule->caller.kind != TERM_VALUE)
        return;
    for (size_t i = 0; i < SAVED_COUNT; i++)
        rule->saved[i] = read_register(probe, cursor, saved[i], rule, cfa_read);
    rule->kind = RULE_STEP;
}

void probe_rule(struct probe *probe, const struct module *module, struct rule *rule)
{
    rule->kind = RULE_NONE;
    rule->frame_size = FRAME_SIZE_UNREAD;
    probe->index = own_index(probe, module);
    if (module->table_count == 0 && (!probe->index || probe->index->count == 0))
        return;
    probe->module = module;
    probe->address = rule->address;
    probe->read_count = 0;
    unw_proc_info_t info;
    if (find_procedure(probe->space, rule->address, &info, 0, probe) < 0)
        return;
    rule->start = info.start_ip;
    rule->end = info.end_ip;
    rule->kind = RULE_BAD;
    unw_cursor_t cursor;
    if (unw_init_remote(&cursor, probe->space, probe) < 0)
        return;
    int step = unw_step(&cursor);
    if (step == 0)
        rule->kind = RULE_END;
    else if (step > 0)
        read_row(probe, &cursor, rule);
}

#else /* other machines: no tables are read, so only the innermost frame is known */

struct probe {
    struct code *code;
};

struct probe *probe_new(struct code *code)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (probe)
        probe->code = code;
    return probe;
}

void probe_free(struct probe *probe)
{
    free(probe);
}

void probe_forget(struct probe *probe)
{
    (void)probe;
}

void probe_rule(struct probe *probe, const struct module *module, struct rule *rule)
{
    (void)probe, (void)module;
    rule->kind = RULE_NONE;
    rule->frame_size = FRAME_SIZE_UNKNOWN;
}

#endif
