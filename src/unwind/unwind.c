/* unwind.c: the unwinder, and the rules it keeps; see unwind.h.
 *
 * Rules are learnt once per code address and dropped when a module was
 * unmapped, since another may then lie where it was. */
#include "unwind/unwind.h"

#include "modules/modules.h"
#include "unwind/probe.h"
#include "unwind/walk.h"

#include <stdlib.h>
#include <string.h>

struct unwinder *unwinder_new(struct target *target, struct modules *modules)
{
    struct unwinder *unwinder = calloc(1, sizeof *unwinder);
    if (!unwinder)
        return NULL;
    unwinder->target = target;
    unwinder->modules = modules;
    unwinder->code = (struct code){ .target = target, .modules = modules };
    unwinder->generation = modules_generation(modules);
    unwinder->probe = probe_new(&unwinder->code);
    if (!unwinder->probe) {
        free(unwinder);
        return NULL;
    }
    return unwinder;
}

void unwinder_free(struct unwinder *unwinder)
{
    if (!unwinder)
        return;
    unwinder_trim(unwinder);
    probe_free(unwinder->probe);
    free(unwinder);
}

void unwinder_trim(struct unwinder *unwinder)
{
    rule_table_free(&unwinder->rules);
    code_forget(&unwinder->code);
    probe_forget(unwinder->probe);
}

struct rule *unwinder_rule(struct unwinder *unwinder, uint64_t address)
{
    struct rule *rule = rule_find(&unwinder->rules, address);
    if (rule)
        return rule;
    const struct module *module = modules_find(unwinder->modules, address);
    if (!module)
        return NULL;
    rule = rule_add(&unwinder->rules, address);
    if (rule)
        probe_rule(unwinder->probe, module, rule);
    return rule;
}

/* Forgets what was learnt about modules that are not there any more. */
static void follow_modules(struct unwinder *unwinder)
{
    uint64_t generation = modules_generation(unwinder->modules);
    if (generation == unwinder->generation)
        return;
    unwinder_trim(unwinder);
    unwinder->generation = generation;
}

bool unwind_called(struct unwinder *unwinder, uint64_t return_address, uint64_t *function)
{
    follow_modules(unwinder);
    struct rule *rule = unwinder_rule(unwinder, return_address - 1);
    if (!rule)
        return false;
    if (rule->call == CALL_UNREAD)
        code_read_call(&unwinder->code, rule);
    *function = rule->call_target;
    return rule->call == CALL_DIRECT;
}

uint64_t unwind_function(struct unwinder *unwinder, uint64_t address)
{
    follow_modules(unwinder);
    const struct rule *rule = unwinder_rule(unwinder, address);
    return rule ? rule->start : 0;
}

size_t unwind_jumps(struct unwinder *unwinder, uint64_t function, uint64_t *targets, size_t size)
{
    follow_modules(unwinder);
    const struct rule *rule = unwinder_rule(unwinder, function);
    if (!rule || rule->start != function)
        return 0;
    return code_jumps(&unwinder->code, rule->start, rule->end, targets, size);
}

static void begin_walk(struct unwinder *unwinder, const struct stack_copy *copy)
{
    follow_modules(unwinder);
    unwinder->copy = copy;
    unwinder->ran_off = false;
    unwinder->read_outside = false;
    for (size_t i = 0; i < SIDE_PAGES; i++)
        unwinder->side[i].length = 0;
    struct path *path = &unwinder->main;
    path->count = 0;
    path->complete = false;
    path->trial = false;
    path->mismatches = 0;
    path->partial = NULL;
}

void unwind_stack(struct unwinder *unwinder, const struct stack_copy *copy,
                  struct stack_trace *trace)
{
    begin_walk(unwinder, copy);
    struct path *path = &unwinder->main;
    struct frame frame = {
        .ip = copy->registers.ip,
        .sp = copy->registers.sp,
        .known = copy->registers.known,
        .exact = true,
    };
    memcpy(frame.saved, copy->registers.saved, sizeof frame.saved);
    walk_on(unwinder, frame, path);
    memcpy(trace->frames, path->frames, path->count * sizeof *path->frames);
    memcpy(trace->sps, path->sps, path->count * sizeof *path->sps);
    trace->count = path->count;
    trace->partial = path->partial;
    trace->ran_off = !path->complete && unwinder->ran_off;
    trace->read_outside = unwinder->read_outside;
}
