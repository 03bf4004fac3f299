/* handler.c: what runs in a thread of the service when it is asked.
 *
 * The whole of it: is the signal ours, is there a slot that this thread is
 * asked by, claim it, copy registers and stack, say so. No lock, no memory,
 * no errno, no library call, no thread-local variable. A signal that is not
 * ours goes on to the service's own handler. In a child of fork nothing is ever claimed.
 *
 * Called by the kernel, or by a handler that the service installed after ours
 * and that hands on what it gets. The kernel's call returns to our restorer, which
 * tells the two apart; in the other one the arguments may be anything, since a handler of one
 * argument may have made it, so they are handed on unread. It goes to what was there before ours
 * and so never in circles. */
#include "capture/slot.h"

#include "capture/raw.h"
#include "capture/stack_copy.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/uio.h>
#include <ucontext.h>

/* Runs in any thread, even one that a sanitizer's runtime has not heard of. */
#if defined(__clang__)
#define HANDLER_CODE __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define HANDLER_CODE __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

#define PAGE 4096u /* the least there is */

_Atomic(struct ask_table *) ask_table;

/* Where a signal handler returns to. No unwind information on purpose: unwinders know these very
 * bytes as the end of a signal frame. */
#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden ask_restorer\n"
        ".globl ask_restorer\n"
        ".type ask_restorer, @function\n"
        "ask_restorer:\n"
        "    movq $15, %rax\n"
        "    syscall\n"
        ".size ask_restorer, . - ask_restorer\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden ask_restorer\n"
        ".globl ask_restorer\n"
        ".type ask_restorer, %function\n"
        "ask_restorer:\n"
        "    mov x8, #139\n"
        "    svc #0\n"
        ".size ask_restorer, . - ask_restorer\n");
#endif

HANDLER_CODE static void copy_registers(const ucontext_t *context, struct registers *out)
{
#if defined(__x86_64__)
    const greg_t *from = context->uc_mcontext.gregs;
    out->ip = (uint64_t)from[REG_RIP];
    out->sp = (uint64_t)from[REG_RSP];
    out->saved[SAVED_RBX] = (uint64_t)from[REG_RBX];
    out->saved[SAVED_RBP] = (uint64_t)from[REG_RBP];
    out->saved[SAVED_R12] = (uint64_t)from[REG_R12];
    out->saved[SAVED_R13] = (uint64_t)from[REG_R13];
    out->saved[SAVED_R14] = (uint64_t)from[REG_R14];
    out->saved[SAVED_R15] = (uint64_t)from[REG_R15];
    out->known = (1u << SAVED_COUNT) - 1;
#elif defined(__aarch64__)
    out->ip = context->uc_mcontext.pc;
    out->sp = context->uc_mcontext.sp;
    out->known = 0;
#endif
}

/* How much there is to copy from FROM to the end of its mapping; 0: it is in none of LIST. */
HANDLER_CODE static size_t room_above(const struct readable_list *list, uint64_t from)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->ranges[middle].end <= from)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == list->count || from < list->ranges[low].start)
        return 0;
    uint64_t room = list->ranges[low].end - from;
    return room < SLOT_BYTES ? (size_t)room : SLOT_BYTES;
}

/* By the kernel, which stops at the first page that is not readable. A stack that is newer than
 * BOUND is copied as far as the page goes on in which it is used. */
HANDLER_CODE static size_t copy_by_kernel(pid_t pid, const struct readable_list *bound,
                                          uint64_t from, unsigned char *to)
{
    size_t length = bound ? room_above(bound, from) : SLOT_BYTES;
    if (length == 0)
        length = RED_ZONE + PAGE - (size_t)((from + RED_ZONE) % PAGE);
    struct iovec local = { to, length };
    struct iovec remote = { (void *)from, length };
    long got =
        raw_call(SYS_process_vm_readv, pid, (long)(void *)&local, 1, (long)(void *)&remote, 1, 0);
    return got > 0 ? (size_t)got : 0;
}

/* By plain loads, up to the end of the mapping that holds the stack. It is this
 * thread's own stack, so nobody unmaps it now. */
HANDLER_CODE static size_t copy_by_loads(const struct readable_list *list, uint64_t from,
                                         unsigned char *to)
{
    size_t length = room_above(list, from);
    /* volatile, so that no compiler makes a call of memcpy of it */
    const volatile unsigned char *source = (const volatile unsigned char *)from;
    volatile unsigned char *target = to;
    for (size_t i = 0; i < length; i++)
        target[i] = source[i];
    return length;
}

HANDLER_CODE static void copy_stack(struct ask_table *table, struct ask_slot *slot,
                                    const struct readable_list *plain)
{
    slot->low = slot->registers.sp - RED_ZONE;
    slot->length = plain ? copy_by_loads(plain, slot->low, slot->bytes)
                         : copy_by_kernel(atomic_load(&table->pid), atomic_load(&slot->bound),
                                          slot->low, slot->bytes);
}

/* Answers by SLOT, if this thread is still waited for. */
HANDLER_CODE static void answer(struct ask_table *table, struct ask_slot *slot,
                                const ucontext_t *context)
{
    uint64_t word = atomic_load(&slot->word);
    uint32_t generation = slot_generation_of(word);
    if (slot_state_of(word) == SLOT_GIVEN_UP) {
        /* Too late. If the asker binds the slot anew at this moment, the next signal answers. */
        atomic_compare_exchange_strong(&slot->word, &word, slot_word(generation, SLOT_ANSWERED));
        return;
    }
    if (slot_state_of(word) != SLOT_ASKED ||
        !atomic_compare_exchange_strong(&slot->word, &word, slot_word(generation, SLOT_CLAIMED)))
        return;
    const struct readable_list *plain = atomic_load(&slot->plain);
    copy_registers(context, &slot->registers);
    copy_stack(table, slot, plain);
    atomic_store(&slot->word, slot_word(generation, SLOT_ANSWERED));
    atomic_fetch_add(&table->done, 1);
    if (!plain) /* else the asker looks again every millisecond */
        raw_call(SYS_futex, (long)(void *)&table->done, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0);
}

/* Not so in a child of fork, nor in one of vfork, which runs in the same memory. */
HANDLER_CODE static bool is_of_process(const struct ask_table *table)
{
    return raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0) == atomic_load(&table->pid);
}

/* Whether INFO brings a cookie of ours. */
HANDLER_CODE static bool is_ours(const struct ask_table *table, const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_pid == atomic_load(&table->pid) &&
           cookie_slot(table->magic, (uint64_t)info->si_value.sival_ptr) < SLOT_COUNT;
}

/* The slot that a cookie of ours names, if it is still bound to this thread. A thread that must
 * make no system call goes by the generation alone. */
HANDLER_CODE static struct ask_slot *slot_of_cookie(struct ask_table *table, const siginfo_t *info)
{
    uint64_t cookie = (uint64_t)info->si_value.sival_ptr;
    struct ask_slot *slot = &table->slots[cookie_slot(table->magic, cookie)];
    bool mine;
    if (atomic_load(&slot->plain))
        mine =
            slot_generation_of(atomic_load(&slot->word)) == cookie_generation(table->magic, cookie);
    else
        mine = is_of_process(table) &&
               raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0) == atomic_load(&slot->tid);
    return mine ? slot : NULL;
}

/* The slot that this thread is asked by, whatever brought it here: a signal of
 * the service's that was pending has swallowed ours, as SIGURG is never queued twice. */
HANDLER_CODE static struct ask_slot *slot_of_thread(struct ask_table *table)
{
    if (atomic_load(&table->asked) == 0 || !is_of_process(table))
        return NULL;
    pid_t tid = (pid_t)raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        if (atomic_load(&table->slots[i].tid) == tid &&
            slot_state_of(atomic_load(&table->slots[i].word)) == SLOT_ASKED)
            return &table->slots[i];
    return NULL;
}

HANDLER_CODE static void hand_on(_Atomic uint64_t *previous, int number, siginfo_t *info,
                                 void *context)
{
    uint64_t handler = atomic_load(previous);
    if (handler == PREVIOUS_NONE || handler == PREVIOUS_UNSET)
        return;
    if ((handler & PREVIOUS_ONCE) &&
        !atomic_compare_exchange_strong(previous, &handler, PREVIOUS_NONE))
        return;
    uintptr_t address = (uintptr_t)(handler & ~(PREVIOUS_SIGINFO | PREVIOUS_ONCE));
    if (handler & PREVIOUS_SIGINFO)
        ((void (*)(int, siginfo_t *, void *))address)(number, info, context);
    else
        ((void (*)(int))address)(number);
    /* No tail call: else a handler that itself ends in a call of ours would bring it with the
     * restorer above it on the stack, as if the kernel had called. */
    __asm__ volatile("" : : : "memory");
}

HANDLER_CODE void ask_handler(int number, siginfo_t *info, void *context)
{
    struct ask_table *table = atomic_load(&ask_table);
    void *caller = __builtin_extract_return_addr(__builtin_return_address(0));
    if ((uintptr_t)caller != (uintptr_t)ask_restorer) {
        hand_on(&table->below, number, info, context);
        return;
    }
    bool ours = is_ours(table, info);
    struct ask_slot *slot = ours ? slot_of_cookie(table, info) : slot_of_thread(table);
    if (slot)
        answer(table, slot, context);
    if (ours)
        return;
    bool later = atomic_load(&table->above) != PREVIOUS_UNSET;
    hand_on(later ? &table->above : &table->below, number, info, context);
}
