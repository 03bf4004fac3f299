/* ask.c: threads asked by signal for their registers and stack; the asker's
 * side of slot.h.
 *
 * Nobody is waited for who is known not to answer: a thread that blocks the
 * signal, is stopped, in uninterruptible sleep or over. Whoever stays silent keeps
 * its slot until it answers or is gone. What is not checked is the room on the
 * thread's stack: a signal frame takes up to 11 KiB (AVX-512), on the alternate
 * stack where the thread has one, and where a running thread's stack pointer
 * is nobody can tell from outside. Any signal of the service's needs the same. */
#include "capture/ask.h"

#include "base/target.h"
#include "capture/disposition.h"
#include "capture/procfs.h"
#include "capture/readable.h"
#include "capture/slot.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_NS UINT64_C(20000000) /* without any answer, that long: the rest give none */
#define LOOK_NS UINT64_C(1000000)     /* for those that cannot wake us */
#define BOUNDS_FACTOR 20u /* mappings are believed so many times as long as reading them takes */
#define COPYING_NS UINT64_C(5000000) /* a thread that is at it gets that much more */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum slot_state state_of(struct ask_slot *slot)
{
    return slot_state_of(atomic_load(&slot->word));
}

static void set_state(struct ask_slot *slot, enum slot_state state)
{
    uint32_t generation = slot_generation_of(atomic_load(&slot->word));
    atomic_store(&slot->word, slot_word(generation, state));
}

static struct ask_table *table_new(void)
{
    size_t pages = (sizeof(struct ask_table) + 4095) & ~(size_t)4095;
    unsigned char *memory = mmap(NULL, pages + SLOT_COUNT * SLOT_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct ask_table *table = (struct ask_table *)memory;
    if (getrandom(&table->magic, sizeof table->magic, GRND_NONBLOCK) < 0)
        table->magic = now_ns() * UINT64_C(0x9e3779b97f4a7c15);
    table->magic |= UINT64_C(1) << 63; /* a small number is never a cookie */
    atomic_store(&table->below, PREVIOUS_UNSET);
    atomic_store(&table->above, PREVIOUS_UNSET);
    for (size_t i = 0; i < SLOT_COUNT; i++)
        table->slots[i].bytes = memory + pages + i * SLOT_BYTES;
    return table;
}

/* The table, made on first need; in a child of fork the threads that its slots were bound to are
 * not there. */
static struct ask_table *table_of(pid_t pid)
{
    struct ask_table *table = atomic_load(&ask_table);
    if (!table) {
        table = table_new();
        if (!table)
            return NULL;
        atomic_store(&ask_table, table);
    }
    if (atomic_load(&table->pid) == pid)
        return table;
    for (size_t i = 0; i < SLOT_COUNT; i++)
        set_state(&table->slots[i], SLOT_FREE);
    atomic_store(&table->asked, 0);
    atomic_store(&table->pid, pid);
    return table;
}

static bool is_gone(pid_t pid, pid_t tid)
{
    return syscall(SYS_tgkill, pid, tid, 0) < 0 && errno == ESRCH;
}

/* Reading the mappings takes 9 ms where there are ten thousand stacks. A thread's stack that was
 * there when they were read is there still, as long as the thread is. */
static bool bounds_are_fresh(const struct asker *asker)
{
    return now_ns() - asker->bounds_ns < BOUNDS_FACTOR * asker->bounds_cost_ns;
}

/* What was answered has been used by now. A thread that is gone answers no more. */
static void free_slots(struct asker *asker, struct ask_table *table)
{
    bool copying = false;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct ask_slot *slot = &table->slots[i];
        enum slot_state state = state_of(slot);
        if (state == SLOT_FREE)
            continue;
        if (state == SLOT_ANSWERED || is_gone(asker->target->pid, atomic_load(&slot->tid)))
            set_state(slot, SLOT_FREE);
        copying |= state_of(slot) == SLOT_CLAIMED;
    }
    if (!copying) /* else somebody may be reading it: it is left to him */
        free(asker->readable);
    asker->readable = NULL;
    if (bounds_are_fresh(asker))
        return;
    if (!copying)
        free(asker->bounds);
    asker->bounds = NULL;
}

/* The slot that is bound to TID from an earlier asking, else a free one, else NULL. */
static struct ask_slot *slot_for(struct ask_table *table, pid_t tid)
{
    struct ask_slot *free_slot = NULL;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct ask_slot *slot = &table->slots[i];
        enum slot_state state = state_of(slot);
        if (state == SLOT_GIVEN_UP && atomic_load(&slot->tid) == tid)
            return slot;
        if (state == SLOT_FREE && !free_slot)
            free_slot = slot;
    }
    return free_slot;
}

static int send(pid_t pid, pid_t tid, uint64_t cookie)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = ASK_SIGNAL;
    info.si_code = SI_QUEUE;
    info.si_pid = pid;
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)(uintptr_t)cookie;
    return syscall(SYS_rt_tgsigqueueinfo, pid, tid, ASK_SIGNAL, &info) < 0 ? -errno : 0;
}

/* Why a thread in this state must not be asked or would not answer; NULL: it may be. */
static const char *why_not(const struct signal_state *state)
{
    if (state->state == 'Z' || state->state == 'X')
        return "thread has exited";
    if (state->state == 'T' || state->state == 't')
        return "thread is stopped: it cannot be asked";
    if (state->state == 'D')
        return "uninterruptible sleep: it cannot be asked";
    if (state->blocked & UINT64_C(1) << (ASK_SIGNAL - 1))
        return "signal blocked";
    if (state->seccomp_mode == 1)
        return "strict seccomp: it must not be asked";
    return NULL;
}

/* Whether the thread's system calls are filtered in another way than ours, which have been tried.
 */
static bool is_filtered(struct asker *asker, const struct signal_state *state)
{
    struct signal_state own;
    if (state->seccomp_mode == 0)
        return false;
    return procfs_signal_state(asker->descriptors, gettid(), &own) != 0 ||
           own.seccomp_mode != state->seccomp_mode || own.seccomp_filters != state->seccomp_filters;
}

static bool need_readable(struct asker *asker)
{
    if (!asker->readable)
        asker->readable = readable_list_read(asker->target);
    return asker->readable != NULL;
}

static void need_bounds(struct asker *asker)
{
    if (asker->bounds)
        return;
    uint64_t before = now_ns();
    asker->bounds = readable_list_read(asker->target);
    asker->bounds_ns = now_ns();
    asker->bounds_cost_ns = asker->bounds_ns - before;
}

/* Binds SLOT to the thread and sends the signal. */
static int ask(struct asker *asker, struct ask_table *table, struct ask_slot *slot, pid_t tid,
               bool plain)
{
    uint64_t word = atomic_load(&slot->word);
    enum slot_state before = slot_state_of(word);
    uint32_t generation = slot_generation_of(word) + 1;
    uint64_t asked = slot_word(generation, SLOT_ASKED);
    if (before == SLOT_FREE)
        atomic_store(&slot->tid, tid);
    atomic_store(&slot->plain, plain ? asker->readable : NULL);
    atomic_store(&slot->bound, plain ? NULL : asker->bounds);
    /* If this fails, a late answer has just been noted; the slot is ours all the same. */
    if (!atomic_compare_exchange_strong(&slot->word, &word, asked))
        atomic_store(&slot->word, asked);
    atomic_fetch_add(&table->asked, 1);
    unsigned index = (unsigned)(slot - table->slots);
    int error = send(asker->target->pid, tid, cookie_make(table->magic, index, generation));
    if (error) {
        atomic_compare_exchange_strong(&slot->word, &asked, slot_word(generation, before));
        atomic_fetch_sub(&table->asked, 1);
    }
    return error;
}

/* The slot by which the question was put, or NULL: it was not, and says why. */
static struct ask_slot *put_question(struct asker *asker, struct ask_table *table,
                                     struct ask_question *question, bool only_running)
{
    struct signal_state state;
    int error = procfs_signal_state(asker->descriptors, question->tid, &state);
    question->status = error == -ESRCH ? error : 0;
    if (error) {
        question->out.why = "not asked: its signal mask cannot be read";
        return NULL;
    }
    if (only_running && state.state != 'R') {
        question->status = ASK_LOOK_AGAIN;
        return NULL;
    }
    question->out.why = why_not(&state);
    if (question->out.why)
        return NULL;
    bool plain = asker->target->vm_refused || is_filtered(asker, &state);
    struct ask_slot *slot = slot_for(table, question->tid);
    if (!slot || (plain && !need_readable(asker))) {
        question->out.why = slot ? "no memory to ask it" : "too many threads have not answered";
        return NULL;
    }
    if (!plain)
        need_bounds(asker);
    error = ask(asker, table, slot, question->tid, plain);
    if (!error)
        return slot;
    question->status = error == -ESRCH ? error : 0;
    question->out.why = "the signal was refused";
    return NULL;
}

static size_t count_waiting(struct ask_slot *const *slots, size_t count, bool *plain)
{
    size_t waiting = 0;
    *plain = false;
    for (size_t i = 0; i < count; i++) {
        if (!slots[i] || state_of(slots[i]) == SLOT_ANSWERED)
            continue;
        waiting++;
        *plain |= atomic_load(&slots[i]->plain) != NULL;
    }
    return waiting;
}

/* Waits until all SLOTS are answered, nobody has answered for a while, or DEADLINE_NS. */
static void wait_for_answers(struct ask_table *table, struct ask_slot *const *slots, size_t count,
                             uint64_t deadline_ns)
{
    size_t before = SIZE_MAX;
    uint64_t until = 0;
    for (;;) {
        uint32_t done = atomic_load(&table->done);
        bool plain;
        size_t waiting = count_waiting(slots, count, &plain);
        uint64_t now = now_ns();
        if (waiting < before)
            until = now + SILENCE_NS < deadline_ns ? now + SILENCE_NS : deadline_ns;
        before = waiting;
        if (waiting == 0 || now >= until)
            return;
        uint64_t wait = until - now;
        if (plain && wait > LOOK_NS)
            wait = LOOK_NS;
        struct timespec timeout = { .tv_sec = 0, .tv_nsec = (long)wait };
        syscall(SYS_futex, &table->done, FUTEX_WAIT_PRIVATE, done, &timeout, NULL, 0);
    }
}

/* True when SLOT is answered; else it is given up on. */
static bool settle(struct ask_table *table, struct ask_slot *slot)
{
    uint64_t word = atomic_load(&slot->word);
    uint64_t given_up = slot_word(slot_generation_of(word), SLOT_GIVEN_UP);
    atomic_fetch_sub(&table->asked, 1);
    if (slot_state_of(word) == SLOT_ASKED &&
        atomic_compare_exchange_strong(&slot->word, &word, given_up))
        return false;
    uint64_t until = now_ns() + COPYING_NS;
    while (state_of(slot) == SLOT_CLAIMED && now_ns() < until)
        sched_yield();
    return state_of(slot) == SLOT_ANSWERED;
}

static void take_answer(struct ask_question *question, const struct ask_slot *slot)
{
    struct captured *out = &question->out;
    out->how = CAPTURE_SIGNAL;
    out->why = NULL;
    out->is_still = false;
    out->in_syscall = false;
    out->stack = (struct stack_copy){
        .registers = slot->registers,
        .low = slot->low,
        .length = slot->length,
        .bytes = slot->bytes,
    };
}

/* What the question that was put by SLOT has come to. */
static void conclude(struct asker *asker, struct ask_table *table, struct ask_question *question,
                     struct ask_slot *slot)
{
    if (settle(table, slot)) {
        take_answer(question, slot);
    } else if (is_gone(asker->target->pid, question->tid)) {
        question->status = -ESRCH;
    } else {
        question->status = ASK_SILENT;
        question->out.why = "no answer to the signal";
    }
}

void ask_threads(struct asker *asker, struct ask_question *questions, size_t count,
                 bool only_running, uint64_t deadline_ns)
{
    struct ask_slot *slots[ASK_BATCH] = { NULL };
    struct ask_table *table = table_of(asker->target->pid);
    if (!table || disposition_take(table) != 0) {
        for (size_t i = 0; i < count; i++)
            questions[i].status = 0;
        return;
    }
    free_slots(asker, table);
    for (size_t i = 0; i < count; i++)
        slots[i] = put_question(asker, table, &questions[i], only_running);
    wait_for_answers(table, slots, count, deadline_ns);
    for (size_t i = 0; i < count; i++)
        if (slots[i])
            conclude(asker, table, &questions[i], slots[i]);
}

void ask_trim(void)
{
    struct ask_table *table = atomic_load(&ask_table);
    if (!table || atomic_load(&table->pid) != getpid())
        return;
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (state_of(&table->slots[i]) == SLOT_FREE || state_of(&table->slots[i]) == SLOT_ANSWERED)
            madvise(table->slots[i].bytes, SLOT_BYTES, MADV_DONTNEED);
}

void asker_free(struct asker *asker)
{
    struct ask_table *table = atomic_load(&ask_table);
    asker->bounds_cost_ns = 0; /* they go, too */
    if (table && (asker->readable || asker->bounds))
        free_slots(asker, table);
}
