/* recover.c: the frame pointer, found again on the stack.
 *
 * procfs tells a blocked thread's stack pointer and program counter only. A
 * frame that is undone from RBP (-O0, -fno-omit-frame-pointer, alloca) needs
 * RBP once; from there on each frame has saved the next one. The value is the
 * address of this function's frame record,
 *
 *        RBP -> | caller's RBP   |
 *               | return address |  <- behind a call of this very function
 *
 * and is looked for in two ways: where the function's first instructions say
 * that it must be, else in every word further up that its frame can reach. A candidate must lead
 * the walk to the thread's outermost frame, and of those that do the one is taken whose frames were
 * called as what they are: a record left behind by an earlier, deeper call joins the
 * living stack at a return address that belongs to somebody else's call. (A
 * call may end up in another function than it names, but only where that one has a
 * jump out of itself, a tail call.) If two stacks that contradict each other are about equally
 * good, neither is guessed. */
#include "unwind/walk.h"

#include "modules/modules.h"

#include <string.h>

#define SCAN_BYTES ((uint64_t)1 << 20)
#define TRIALS_MAX 256
#define INDIRECT 1    /* in penalty: a call through a pointer proves nothing */
#define MISMATCH 4    /* a call of another function, which may have ended in this one */
#define PUSHED_MAX 64 /* words that a call's arguments may take below a frame of known size */

/* A search at work. Lower penalties are better. */
struct search {
    struct unwinder *unwinder;
    const struct frame *frame;
    const struct rule *rule;
    const struct path *before; /* the frames below, this one included */
    uint64_t reach;            /* how far above the stack pointer the record can lie */
    unsigned trials;
    bool found;
    bool ambiguous; /* another stack, as good as the best */
    unsigned penalty;
};

/* How good a return address is as that of the frame: by the call before it. False: not at all. */
static bool rate(struct search *search, uint64_t address, unsigned *penalty)
{
    struct unwinder *unwinder = search->unwinder;
    if (!modules_find(unwinder->modules, address - 1))
        return false;
    struct rule *rule = unwinder_rule(unwinder, address - 1);
    if (!rule)
        return false;
    if (rule->call == CALL_UNREAD)
        code_read_call(&unwinder->code, rule);
    switch (rule->call) {
    case CALL_SIGNAL: *penalty = 0; return true;
    case CALL_INDIRECT: *penalty = INDIRECT; return true;
    case CALL_DIRECT: break;
    default: return false;
    }
    *penalty = 0;
    if (search->rule->start != 0)
        return true; /* a wrong target counts as a mismatch when the walk goes over it */
    /* Code without a table has no known start: the call must lead to before it, in one mapping. */
    bool before = rule->call_target <= search->frame->ip &&
                  modules_find(unwinder->modules, rule->call_target) ==
                      modules_find(unwinder->modules, search->frame->ip);
    *penalty = before ? 0 : MISMATCH;
    return true;
}

/* Whether what OUTER says of the callers is also the end of what INNER says:
 * then its record is that of a frame further out on the same stack. */
static bool is_outer(const struct search *search, const struct path *outer,
                     const struct path *inner)
{
    size_t callers = outer->count - search->before->count;
    return callers <= inner->count &&
           memcmp(outer->frames + search->before->count, inner->frames + inner->count - callers,
                  callers * sizeof *outer->frames) == 0;
}

/* OUTER's record is that of a frame further out in what INNER says. Either
 * INNER is right, and this is a caller's record; or INNER begins at a record
 * left behind, and joins the living stack here, at a call of somebody else. */
static bool outer_is_better(struct search *search, const struct path *outer,
                            const struct path *inner)
{
    size_t first = search->before->count;
    size_t junction = inner->count - (outer->count - first);
    if (outer->misfit[first])
        return false;
    if (junction > first && junction < inner->count && inner->misfit[junction])
        return true;
    if (!inner->misfit[first])
        return false;
    search->ambiguous |= !outer->proven[first];
    return outer->proven[first];
}

/* Candidates come from the inside out. */
static void keep_better(struct search *search, unsigned penalty)
{
    struct path *best = &search->unwinder->best;
    const struct path *trial = &search->unwinder->trial;
    if (search->found && is_outer(search, trial, best)) {
        if (!outer_is_better(search, trial, best))
            return;
        if (penalty + 1 < search->penalty)
            search->ambiguous = false; /* between others, which are both worse */
    } else if (search->found) {
        if (penalty <= search->penalty + 1 && search->penalty <= penalty + 1)
            search->ambiguous = true;
        if (penalty >= search->penalty)
            return;
        if (penalty + 1 < search->penalty)
            search->ambiguous = false;
    }
    search->found = true;
    search->penalty = penalty;
    *best = *trial;
}

/* Walks on with POINTER as the frame pointer, and keeps the walk if it is the best so far. */
static void try_pointer(struct search *search, uint64_t pointer)
{
    struct unwinder *unwinder = search->unwinder;
    uint64_t address;
    unsigned penalty;
    if (search->trials == TRIALS_MAX || !stack_word(unwinder, pointer + 8, &address) ||
        address == 0 || !rate(search, address, &penalty))
        return;
    search->trials++;
    struct path *trial = &unwinder->trial;
    memcpy(trial->frames, search->before->frames, search->before->count * sizeof *trial->frames);
    memcpy(trial->sps, search->before->sps, search->before->count * sizeof *trial->sps);
    trial->count = search->before->count - 1; /* the walk adds this frame again */
    trial->complete = false;
    trial->trial = true;
    trial->mismatches = 0;
    memset(trial->misfit, 0, sizeof trial->misfit);
    memset(trial->proven, 0, sizeof trial->proven);
    trial->partial = NULL;
    struct frame frame = *search->frame;
    frame.saved[SAVED_RBP] = pointer;
    frame.known |= 1u << SAVED_RBP;
    walk_on(unwinder, frame, trial);
    if (trial->proven[search->before->count])
        penalty = 0;
    unsigned ends_badly = trial->partial != NULL;
    if (trial->complete)
        keep_better(search, penalty + ends_badly + trial->mismatches * MISMATCH);
}

/* Whether what was found at POINTER need not be compared with what else there may be. */
static bool is_settled(const struct search *search, unsigned allowed)
{
    return search->found && search->penalty <= allowed && !search->ambiguous;
}

/* Where the prologue says the record is; arguments on the stack may lie in
 * between, or some of the prologue's room have been given back. */
static bool try_frame_size(struct search *search)
{
    const struct rule *rule = search->rule;
    if (rule->start == 0 || rule->frame_size == FRAME_SIZE_UNKNOWN)
        return false;
    uint64_t size = (uint64_t)code_frame_size(&search->unwinder->code, rule->start, rule->address);
    try_pointer(search, search->frame->sp + size);
    if (is_settled(search, INDIRECT + MISMATCH)) /* it may have been tail-called */
        return true;
    for (uint64_t at = (uint64_t)rule->frame_size & ~UINT64_C(7); at <= size + PUSHED_MAX;
         at += 8) {
        try_pointer(search, search->frame->sp + at);
        if (is_settled(search, INDIRECT))
            return true;
    }
    return false;
}

static void try_every_word(struct search *search)
{
    struct unwinder *unwinder = search->unwinder;
    uint64_t start = search->frame->sp;
    for (uint64_t at = start; at <= start + search->reach; at += 8) {
        uint64_t word;
        bool past_outermost = search->found && at >= unwinder->best.top;
        if (past_outermost || !stack_word(unwinder, at + 8, &word))
            return;
        if (modules_find(unwinder->modules, word - 1))
            try_pointer(search, at);
    }
}

void recover_frame_pointer(struct unwinder *unwinder, const struct frame *frame,
                           const struct rule *rule, struct path *path)
{
    struct search search = {
        .unwinder = unwinder,
        .frame = frame,
        .rule = rule,
        .before = path,
        .reach = SCAN_BYTES,
    };
    struct rule sized = *rule;
    if (rule->start != 0)
        read_frame_size(unwinder, &sized);
    search.rule = &sized;
    if (rule->start != 0 && sized.frame_limit < search.reach)
        search.reach = sized.frame_limit;
    if (frame->sp % 8 != 0) {
        path->partial = "corrupt stack: its pointer is not a multiple of 8";
        return;
    }
    if (!try_frame_size(&search))
        try_every_word(&search);
    if (!search.found) {
        path->partial = "the frame pointer was not found on the stack";
        return;
    }
    if (search.ambiguous) {
        path->partial = "more than one frame pointer fits the stack";
        return;
    }
    unwinder->ran_off = false; /* only a candidate did */
    path->count = unwinder->best.count;
    memcpy(path->frames, unwinder->best.frames, path->count * sizeof *path->frames);
    memcpy(path->sps, unwinder->best.sps, path->count * sizeof *path->sps);
    path->complete = true;
    path->partial = unwinder->best.partial;
}
