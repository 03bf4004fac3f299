/* perf_watch.c: one running thread's next timer tick, waited for; see perf_watch.h.
 *
 * The event is a software clock of the thread: no counter of the processor is
 * needed, so it works in virtual machines. Its timer only runs while the thread does. After
 * one overflow the kernel disarms it (PERF_EVENT_IOC_REFRESH), so a fresh buffer
 * holds one record, at its beginning. What of the stack is not in memory is not copied:
 * nobody waits for a page. Layout: perf_event_open(2), PERF_RECORD_SAMPLE. */
#include "capture/perf_watch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)

#include <asm/perf_regs.h>

#define TICK_NS 50000u
#define DATA_BYTES ((size_t)64 << 10)         /* a record is at most one byte shorter */
#define STACK_BYTES (DATA_BYTES - (1u << 10)) /* the rest of the record is in that 1 KiB */
#define REGISTER(name) (UINT64_C(1) << PERF_REG_X86_##name)

/* In the order of their numbers, in which the kernel writes them; SAVED_COUNT: ip or sp. */
static const struct {
    unsigned number;
    enum saved_register saved;
} wanted[] = {
    { PERF_REG_X86_BX, SAVED_RBX },   { PERF_REG_X86_BP, SAVED_RBP },
    { PERF_REG_X86_SP, SAVED_COUNT }, { PERF_REG_X86_IP, SAVED_COUNT },
    { PERF_REG_X86_R12, SAVED_R12 },  { PERF_REG_X86_R13, SAVED_R13 },
    { PERF_REG_X86_R14, SAVED_R14 },  { PERF_REG_X86_R15, SAVED_R15 },
};
#define WANTED (sizeof wanted / sizeof *wanted)

/* A sample of ours, up to the stack's bytes, behind which stands how many of them were copied. */
struct record {
    struct perf_event_header header;
    uint32_t pid, tid;
    uint64_t abi;
    uint64_t registers[WANTED];
    uint64_t stack_size;
    unsigned char stack[];
};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int open_event(pid_t tid, bool user_only)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = TICK_NS,
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .disabled = 1,
        .exclude_kernel = user_only,
        .exclude_hv = 1,
        .wakeup_events = 1,
        .sample_stack_user = STACK_BYTES,
    };
    for (size_t i = 0; i < WANTED; i++)
        attributes.sample_regs_user |= UINT64_C(1) << wanted[i].number;
    long fd = syscall(SYS_perf_event_open, &attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static int open_as_allowed(struct perf_rights *rights, pid_t tid)
{
    int fd = open_event(tid, rights->user_only);
    if (rights->user_only || (fd != -EACCES && fd != -EPERM))
        return fd;
    fd = open_event(tid, true);
    rights->user_only = fd >= 0;
    return fd;
}

int perf_watch_open(struct perf_watch *watch, struct perf_rights *rights, pid_t tid)
{
    int fd = open_as_allowed(rights, tid);
    if (fd < 0)
        return fd;
    void *ring = mmap(NULL, page_size() + DATA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int error = ring == MAP_FAILED ? -errno : 0;
    if (error == -EPERM || error == -EAGAIN) /* more than perf_event_mlock_kb and RLIMIT_MEMLOCK */
        error = -ENOMEM;
    *watch = (struct perf_watch){ .fd = fd, .tid = tid, .ring = error ? NULL : ring };
    if (!error && ioctl(fd, PERF_EVENT_IOC_REFRESH, 1) != 0)
        error = -errno;
    if (error)
        perf_watch_close(watch);
    return error;
}

void perf_watch_close(struct perf_watch *watch)
{
    if (watch->ring)
        munmap(watch->ring, page_size() + DATA_BYTES);
    close(watch->fd);
}

/* The sample in the first LENGTH bytes of DATA, whole, or NULL. */
static const struct record *find_sample(const unsigned char *data, uint64_t length)
{
    while (length >= sizeof(struct perf_event_header) && length <= DATA_BYTES) {
        const struct record *record = (const struct record *)data;
        size_t size = record->header.size;
        if (size < sizeof record->header || size > length)
            return NULL;
        if (record->header.type == PERF_RECORD_SAMPLE)
            return size >= sizeof *record ? record : NULL;
        data += size;
        length -= size;
    }
    return NULL;
}

/* Before Linux 4.17 a system call's entry left the callee-saved registers out. */
static bool entry_saves_all(void)
{
    struct utsname name;
    char *end;
    if (uname(&name) != 0)
        return false;
    unsigned long major = strtoul(name.release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > 4 || (major == 4 && minor >= 17);
}

static void take_registers(const struct record *record, struct registers *out)
{
    for (size_t i = 0; i < WANTED; i++) {
        uint64_t value = record->registers[i];
        if (wanted[i].number == PERF_REG_X86_SP)
            out->sp = value;
        else if (wanted[i].number == PERF_REG_X86_IP)
            out->ip = value;
        else
            out->saved[wanted[i].saved] = value;
    }
    unsigned mode = record->header.misc & PERF_RECORD_MISC_CPUMODE_MASK;
    if (mode == PERF_RECORD_MISC_USER || entry_saves_all())
        out->known = (1u << SAVED_COUNT) - 1;
}

static void take_stack(const struct record *record, struct stack_copy *out)
{
    uint64_t size = record->stack_size;
    uint64_t copied;
    if (size == 0 || size > STACK_BYTES ||
        sizeof *record + size + sizeof copied > record->header.size)
        return;
    memcpy(&copied, record->stack + size, sizeof copied);
    out->low = out->registers.sp;
    out->length = copied <= size ? (size_t)copied : 0;
    out->bytes = (unsigned char *)(uintptr_t)record->stack;
}

bool perf_watch_take(const struct perf_watch *watch, struct captured *out)
{
    struct perf_event_mmap_page *page = (struct perf_event_mmap_page *)(void *)watch->ring;
    /* Acquire: the kernel writes the record before the head. */
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    const struct record *record = find_sample(watch->ring + page_size(), head);
    if (!record || record->tid != (uint32_t)watch->tid)
        return false;
    *out = (struct captured){ .how = CAPTURE_PARTIAL };
    if (record->abi == PERF_SAMPLE_REGS_ABI_NONE)
        return false;
    if (record->abi != PERF_SAMPLE_REGS_ABI_64) {
        out->why = "running 32-bit code, which is not read";
        return true;
    }
    take_registers(record, &out->stack.registers);
    take_stack(record, &out->stack);
    if (out->stack.length < sizeof(uint64_t))
        out->why = "stack memory cannot be read";
    else
        out->how = CAPTURE_PERF;
    return true;
}

#else /* the registers have other numbers, and the unwinder reads no tables yet */

int perf_watch_open(struct perf_watch *watch, struct perf_rights *rights, pid_t tid)
{
    (void)watch, (void)rights, (void)tid;
    return -ENOSYS;
}

void perf_watch_close(struct perf_watch *watch)
{
    (void)watch;
}

bool perf_watch_take(const struct perf_watch *watch, struct captured *out)
{
    (void)watch, (void)out;
    return false;
}

#endif
