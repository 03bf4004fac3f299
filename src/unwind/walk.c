/* walk.c: frame after frame by the rules; see walk.h.
 *
 * The walk ends well only at a frame whose caller is marked undefined, the
 * thread's start. Every return address must follow a call, and every step must go up the stack,
 * except out of a signal handler, which may run on a stack of its own; so no walk goes in circles.
 */
#include "unwind/walk.h"

#include "base/target.h"
#include "modules/modules.h"

#include <string.h>

#define KNOWN(register) (1u << (register))

static bool side_word(struct unwinder *unwinder, uint64_t address, uint64_t *word)
{
    uint64_t start = address & ~(uint64_t)(CODE_PAGE - 1);
    struct side_page *page = NULL;
    for (size_t i = 0; i < SIDE_PAGES && !page; i++)
        if (unwinder->side[i].length > 0 && unwinder->side[i].address == start)
            page = &unwinder->side[i];
    if (!page) {
        page = &unwinder->side[unwinder->side_next++ % SIDE_PAGES];
        page->length = 0;
        ssize_t got = target_read(unwinder->target, start, page->bytes, CODE_PAGE);
        if (got <= 0)
            return false;
        page->address = start;
        page->length = (size_t)got;
    }
    size_t offset = (size_t)(address - start);
    if (offset + sizeof *word > page->length)
        return false;
    memcpy(word, page->bytes + offset, sizeof *word);
    unwinder->read_outside = true;
    return true;
}

bool stack_word(struct unwinder *unwinder, uint64_t address, uint64_t *word)
{
    const struct stack_copy *copy = unwinder->copy;
    if (address >= copy->low && copy->length >= sizeof *word &&
        address - copy->low <= copy->length - sizeof *word) {
        memcpy(word, copy->bytes + (address - copy->low), sizeof *word);
        return true;
    }
    if (address % sizeof *word != 0)
        return false;
    if (copy->live)
        return side_word(unwinder, address, word);
    unwinder->ran_off |= address >= copy->low + copy->length;
    return false;
}

/* The value a term counts from; false when the frame does not know it. */
static bool base_value(const struct frame *frame, uint8_t base, uint64_t cfa, uint64_t *value)
{
    if (base == BASE_SP)
        *value = frame->sp;
    else if (base == BASE_CFA)
        *value = cfa;
    else if (base < SAVED_COUNT && (frame->known & KNOWN(base)))
        *value = frame->saved[base];
    else
        return false;
    return true;
}

static bool term_value(struct unwinder *unwinder, const struct frame *frame,
                       const struct term *term, uint64_t cfa, uint64_t *value)
{
    uint64_t base;
    if (!base_value(frame, term->base, cfa, &base))
        return false;
    base += (uint64_t)(int64_t)term->offset;
    if (term->kind == TERM_AT)
        return stack_word(unwinder, base, value);
    *value = base;
    return true;
}

static bool find_cfa(struct unwinder *unwinder, const struct frame *frame, const struct rule *rule,
                     uint64_t *cfa)
{
    if (!term_value(unwinder, frame, &rule->cfa, 0, cfa))
        return false;
    if (rule->cfa_loads && !stack_word(unwinder, *cfa, cfa))
        return false;
    *cfa += (uint64_t)(int64_t)rule->cfa_add;
    return true;
}

/* Whether the frame was caught on its way out, when it had popped the register that TERM is about
 * already. Tables then name the place where it was, below the stack pointer now, where the
 * kernel's profiler does not copy. */
static bool is_popped(struct unwinder *unwinder, const struct frame *frame, const struct term *term,
                      uint64_t cfa)
{
    uint64_t base;
    if (!frame->exact || frame->signal || term->kind != TERM_AT ||
        (term->base != BASE_SP && term->base != BASE_CFA) ||
        !base_value(frame, term->base, cfa, &base))
        return false;
    return base + (uint64_t)(int64_t)term->offset < frame->sp &&
           code_only_returns(&unwinder->code, frame->ip);
}

static void restore_registers(struct unwinder *unwinder, const struct frame *frame,
                              const struct rule *rule, uint64_t cfa, struct frame *caller)
{
    for (unsigned i = 0; i < SAVED_COUNT; i++) {
        const struct term *term = &rule->saved[i];
        if (term->kind != TERM_LOST && term->kind != TERM_SAME &&
            term_value(unwinder, frame, term, cfa, &caller->saved[i])) {
            caller->known |= KNOWN(i);
        } else if (term->kind == TERM_SAME || is_popped(unwinder, frame, term, cfa)) {
            caller->saved[i] = frame->saved[i];
            caller->known |= frame->known & KNOWN(i);
        }
    }
}

static bool base_is_missing(const struct frame *frame, uint8_t base)
{
    return base == BASE_OTHER || (base < SAVED_COUNT && !(frame->known & KNOWN(base)));
}

/* Undoes one frame. NULL, or why it cannot be done. */
static const char *step(struct unwinder *unwinder, struct frame *frame, const struct rule *rule)
{
    struct frame caller = { .ip = 0 };
    uint64_t cfa;
    if (base_is_missing(frame, rule->cfa.base))
        return "a frame hangs on a register that is not known";
    if (!find_cfa(unwinder, frame, rule, &cfa) ||
        !term_value(unwinder, frame, &rule->caller, cfa, &caller.ip))
        return "stack ends in unmapped memory";
    if (cfa <= frame->sp && !frame->signal)
        return "corrupt stack: a frame does not lie above its callee";
    caller.sp = cfa;
    caller.exact = frame->signal;
    restore_registers(unwinder, frame, rule, cfa, &caller);
    *frame = caller;
    return NULL;
}

/* Without a table: by the frame pointer, if it points at something like a frame. */
static bool step_by_frame_pointer(struct unwinder *unwinder, struct frame *frame)
{
    uint64_t pointer = frame->saved[SAVED_RBP];
    struct frame caller = { .ip = 0 };
    if (!(frame->known & KNOWN(SAVED_RBP)) || pointer < frame->sp || pointer % 8 != 0 ||
        !stack_word(unwinder, pointer, &caller.saved[SAVED_RBP]) ||
        !stack_word(unwinder, pointer + 8, &caller.ip))
        return false;
    struct rule *rule = unwinder_rule(unwinder, caller.ip - 1);
    if (!rule)
        return false;
    if (rule->call == CALL_UNREAD)
        code_read_call(&unwinder->code, rule);
    if (rule->call == CALL_NONE)
        return false;
    caller.sp = pointer + 16;
    caller.known = KNOWN(SAVED_RBP);
    *frame = caller;
    return true;
}

/* The rule of FRAME. Sees to it that a return address which no call has pushed (a signal handler's
 * return, the start of a context) is taken as the address itself. */
static struct rule *rule_of(struct unwinder *unwinder, struct frame *frame)
{
    if (frame->exact)
        return unwinder_rule(unwinder, frame->ip);
    struct rule *rule = unwinder_rule(unwinder, frame->ip - 1);
    if (rule && rule->call == CALL_UNREAD)
        code_read_call(&unwinder->code, rule);
    if (rule && rule->call != CALL_NONE && rule->call != CALL_SIGNAL)
        return rule;
    bool signal = rule && rule->call == CALL_SIGNAL;
    struct rule *itself = unwinder_rule(unwinder, frame->ip);
    if (itself && (signal || itself->start == frame->ip)) {
        frame->exact = true;
        frame->signal = signal;
        return itself;
    }
    return unwinder_rule(unwinder, frame->ip - 1);
}

void read_frame_size(struct unwinder *unwinder, struct rule *rule)
{
    if (rule->frame_size != FRAME_SIZE_UNREAD)
        return;
    struct stack_use use = code_stack_use(&unwinder->code, rule->start, rule->end);
    rule->frame_limit = use.makes_frame ? use.taken : SIZE_MAX;
    rule->frame_size = code_frame_size(&unwinder->code, rule->start, rule->address);
    if (rule->frame_size != FRAME_SIZE_UNKNOWN && use.taken != SIZE_MAX)
        rule->frame_size =
            use.given < (size_t)rule->frame_size ? rule->frame_size - (int32_t)use.given : 0;
}

/* The frame record of a trial must leave room for the frame that the function makes, and no more
 * than it can make. */
static bool check_size(struct unwinder *unwinder, const struct frame *frame, struct rule *rule)
{
    if (rule->cfa.base != SAVED_RBP || rule->start == 0 || !(frame->known & KNOWN(SAVED_RBP)))
        return true;
    read_frame_size(unwinder, rule);
    uint64_t size = frame->saved[SAVED_RBP] - frame->sp;
    return size <= rule->frame_limit &&
           (rule->frame_size == FRAME_SIZE_UNKNOWN || size >= (uint64_t)rule->frame_size);
}

/* Whether a call of the function at TARGET can have led to a frame of another one: by a tail call.
 */
static bool may_tail_call(struct unwinder *unwinder, uint64_t target)
{
    struct rule *rule = unwinder_rule(unwinder, target);
    if (!rule || rule->start != target)
        return true;
    if (rule->tail_calls == TAIL_UNREAD)
        rule->tail_calls =
            code_may_tail_call(&unwinder->code, rule->start, rule->end) ? TAIL_POSSIBLE : TAIL_NONE;
    return rule->tail_calls == TAIL_POSSIBLE;
}

/* The function that an indirect call went to, where CALLER's frame still holds the pointer. */
static void read_pointer_called(struct unwinder *unwinder, const struct frame *caller,
                                const struct rule *rule, uint64_t *target)
{
    int32_t offset;
    bool framed = rule->cfa.base == SAVED_RBP && (caller->known & KNOWN(SAVED_RBP));
    if (framed && code_call_operand(&unwinder->code, caller->ip, &offset))
        stack_word(unwinder, caller->saved[SAVED_RBP] + (uint64_t)(int64_t)offset, target);
}

/* Judges CALLER by the code before its return address: whether anything was called there and, in a
 * trial, whether that can have been the function at START. */
static bool check_call(struct unwinder *unwinder, uint64_t start, const struct frame *caller,
                       struct path *path)
{
    struct frame at = *caller;
    if (at.ip == 0 || path->count == FRAMES_MAX)
        return true;
    path->misfit[path->count] = false;
    path->proven[path->count] = false;
    struct rule *rule = rule_of(unwinder, &at);
    if (!rule || at.exact || rule->kind == RULE_END)
        return true; /* the next step sees to it */
    if (rule->call == CALL_NONE)
        return false;
    if (!path->trial)
        return true;
    uint64_t target = 0;
    if (rule->call == CALL_DIRECT)
        target = rule->call_target;
    else
        read_pointer_called(unwinder, caller, rule, &target);
    bool misfit = target != 0 && start != 0 && target != start;
    path->proven[path->count] = target != 0 && target == start;
    path->misfit[path->count] = misfit; /* of the frame that will be added next */
    path->mismatches += misfit;
    return !misfit || rule->call == CALL_INDIRECT || may_tail_call(unwinder, target);
}

static void add_frame(struct path *path, const struct frame *frame)
{
    path->sps[path->count] = frame->sp;
    path->frames[path->count++] = frame->ip | (frame->exact ? FRAME_EXACT : 0);
}

/* A copy with all registers and nothing below the stack pointer: what gets lost was saved there,
 * and guessing it from the stack is for those who were blocked. */
static bool lacks_red_zone(const struct stack_copy *copy)
{
    return !copy->live && copy->low >= copy->registers.sp &&
           copy->registers.known == KNOWN(SAVED_COUNT) - 1;
}

static void end_partial(struct path *path, const char *why)
{
    path->partial = why;
}

/* A frame that no table covers. True when the walk goes on. */
static bool walk_untabled(struct unwinder *unwinder, struct frame *frame, const struct rule *rule,
                          struct path *path)
{
    static const char followed[] = "code without unwind table: its frame pointer was followed";
    if (!(frame->known & KNOWN(SAVED_RBP))) {
        if (path->trial) {
            end_partial(path, "code without unwind table");
        } else {
            recover_frame_pointer(unwinder, frame, rule, path);
            if (path->complete && !path->partial)
                path->partial = followed;
        }
        return false;
    }
    if (!step_by_frame_pointer(unwinder, frame)) {
        end_partial(path, "code without unwind table, and no frame pointer");
        return false;
    }
    path->partial = followed;
    return true;
}

/* One frame more. True when the walk goes on. */
static bool walk_frame(struct unwinder *unwinder, struct frame *frame, struct path *path)
{
    struct rule *found = rule_of(unwinder, frame);
    if (!found) {
        if (path->count == 0)
            add_frame(path, frame);
        end_partial(path, "corrupt stack: a return address is not in any code");
        return false;
    }
    if (path->trial && !check_size(unwinder, frame, found)) {
        end_partial(path, "corrupt stack: a frame is smaller than its function makes it");
        return false;
    }
    struct rule rule = *found; /* the table may move while others are learnt */
    add_frame(path, frame);
    bool begins_context = path->count > 1 && frame->exact && !frame->signal &&
                          rule.start == frame->ip &&
                          code_is_context_start(&unwinder->code, frame->ip);
    if (rule.kind == RULE_END || begins_context) {
        path->complete = true;
        path->top = frame->sp;
        return false;
    }
    if (rule.kind != RULE_STEP)
        return walk_untabled(unwinder, frame, &rule, path);
    if (rule.cfa.base == SAVED_RBP && base_is_missing(frame, SAVED_RBP) && !path->trial) {
        if (lacks_red_zone(unwinder->copy)) {
            end_partial(path, "a register was saved below the copy of the stack");
            return false;
        }
        recover_frame_pointer(unwinder, frame, &rule, path);
        return false;
    }
    const char *why = step(unwinder, frame, &rule);
    if (why) {
        end_partial(path, why);
        return false;
    }
    if (!frame->exact && !check_call(unwinder, rule.start, frame, path)) {
        end_partial(path, "corrupt stack: a return address does not follow a call");
        return false;
    }
    return true;
}

void walk_on(struct unwinder *unwinder, struct frame frame, struct path *path)
{
    bool going = true;
    while (going) {
        if (frame.ip == 0) {
            path->complete = path->count > 0;
            path->top = frame.sp;
            end_partial(path, path->count > 0 ? "stack ends at a return address of 0"
                                              : "no program counter");
            return;
        }
        if (path->count == FRAMES_MAX) {
            end_partial(path, "stack deeper than 512 frames");
            return;
        }
        going = walk_frame(unwinder, &frame, path);
    }
}
