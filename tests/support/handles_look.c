/* handles_look.c: see handles_look.h. */
#include "handles_look.h"

#include "handles/records.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LONGEST_HISTORY 100 /* cohorts of one holder: they are joined as they age */

struct inventory *handles_inventory(const void *profile)
{
    return (struct inventory *)(uintptr_t)profile;
}

struct handle_shard *handles_shard(const struct inventory *inventory, uint32_t index)
{
    return (struct handle_shard *)(uintptr_t)(inventory->shards +
                                              (uint64_t)index * inventory->shard_size);
}

void handles_lock(struct handle_shard *shard)
{
    uint32_t free = 0;
    while (!atomic_compare_exchange_strong(&shard->lock, &free, 1)) {
        free = 0;
        sched_yield();
    }
}

void handles_unlock(struct handle_shard *shard)
{
    if (atomic_exchange(&shard->lock, 0) == 2)
        syscall(SYS_futex, &shard->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

struct handle_record *handles_record(const struct handle_shard *shard, uint32_t number)
{
    return record_at(&shard->records, number);
}

struct handle_holder *handles_holder(const struct handle_shard *shard, uint32_t number)
{
    return holder_at(&shard->holders, number);
}

struct handle_cohort *handles_cohort(const struct handle_shard *shard, uint32_t number)
{
    return cohort_at(&shard->cohorts, number);
}

/* One shard, and how often each of its items was met. */
struct look {
    const struct inventory *inventory;
    uint32_t index;
    const struct handle_shard *shard;
    unsigned char *records; /* by number */
    unsigned char *holders;
    struct handle_cohort *cohorts; /* sums over the records */
    unsigned char *cohorts_met;
};

#define MUST(condition, words)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return words;                                                                          \
    } while (0)

static const char *check_bucket(struct look *look, uint32_t bucket, uint64_t *live)
{
    const struct shard *shard = (const struct shard *)look->shard;
    for (uint32_t number = *bucket_at(shard, bucket); number != 0;) {
        MUST(number <= look->shard->records.count, "a number of no record");
        const struct handle_record *record = handles_record(look->shard, number);
        uint64_t hash = handle_hash(record->handle);
        MUST(look->records[number]++ == 0, "a record in two buckets");
        MUST(record->holder != 0, "a free record in a bucket");
        MUST(bucket_of(shard, hash) == bucket, "a record in another's bucket");
        MUST((hash >> 32 & (look->inventory->shard_count - 1)) == look->index,
             "a record in another's shard");
        ++*live;
        number = record->next;
    }
    return NULL;
}

static const char *check_buckets(struct look *look)
{
    const char *wrong = NULL;
    uint64_t live = 0;
    uint64_t mask = look->shard->private[SHARD_BUCKET_MASK];
    uint32_t count = look->shard->bucket_count;
    MUST(count <= mask + 1 && count > mask / 2, "a mask that is not of this many buckets");
    for (uint32_t i = 0; i < count && !wrong; i++)
        wrong = check_bucket(look, i, &live);
    if (!wrong && live != look->shard->live)
        wrong = "live is not the number of records";
    return wrong;
}

static const char *check_free(const struct look *look)
{
    const struct handle_shard *shard = look->shard;
    for (uint32_t at = shard->records.free; at != 0; at = handles_record(shard, at)->next) {
        MUST(handles_record(shard, at)->holder == 0, "a live record among the free");
        MUST(look->records[at]++ == 0, "a record free twice, or free and in a bucket");
    }
    for (uint32_t i = 1; i <= shard->records.count; i++)
        MUST(look->records[i] == 1, "a record neither live nor free");
    for (uint32_t at = shard->holders.free; at != 0; at = handles_holder(shard, at)->next)
        MUST(look->holders[at]++ == 0, "a holder free twice, or free and in the table");
    for (uint32_t i = 1; i <= shard->holders.count; i++)
        MUST(look->holders[i] == 1, "a holder neither in the table nor free");
    for (uint32_t at = shard->cohorts.free; at != 0; at = handles_cohort(shard, at)->older)
        MUST(look->cohorts_met[at]++ == 0, "a cohort free twice, or free and a holder's");
    for (uint32_t i = 1; i <= shard->cohorts.count; i++)
        MUST(look->cohorts_met[i] == 1, "a cohort neither a holder's nor free");
    return NULL;
}

/* Adds each record to the sums of the cohort that it belongs to. */
static const char *sum_up(struct look *look)
{
    const struct handle_shard *shard = look->shard;
    for (uint32_t i = 1; i <= shard->records.count; i++) {
        const struct handle_record *record = handles_record(shard, i);
        if (record->holder == 0)
            continue;
        MUST(record->holder <= shard->holders.count, "a number of no holder");
        uint32_t at = handles_holder(shard, record->holder)->cohorts;
        while (at != 0 && handles_cohort(shard, at)->from_ns > record->time_ns)
            at = handles_cohort(shard, at)->older;
        MUST(at != 0, "a record older than all cohorts of its holder");
        look->cohorts[at].count++;
        look->cohorts[at].bytes += record->bytes;
        look->cohorts[at].later_ns += record->time_ns - handles_cohort(shard, at)->from_ns;
    }
    return NULL;
}

static const char *check_holder(struct look *look, const struct handle_holder *holder)
{
    int history = 0;
    uint64_t before = UINT64_MAX;
    for (uint32_t at = holder->cohorts; at != 0; at = handles_cohort(look->shard, at)->older) {
        const struct handle_cohort *cohort = handles_cohort(look->shard, at);
        const struct handle_cohort *sum = &look->cohorts[at];
        MUST(look->cohorts_met[at]++ == 0, "a cohort of two holders");
        MUST(cohort->from_ns < before, "cohorts out of order");
        MUST(cohort->count == sum->count, "a cohort's count is not that of its records");
        MUST(cohort->bytes == sum->bytes, "a cohort's bytes are not those of its records");
        MUST(cohort->later_ns == sum->later_ns, "a cohort's times are not those of its records");
        MUST(cohort->count != 0 || (at == holder->cohorts && cohort->older != 0),
             "an empty cohort that is not the newest of several");
        MUST(++history <= LONGEST_HISTORY, "old cohorts are not joined");
        before = cohort->from_ns;
    }
    return NULL;
}

static const char *check_holders(struct look *look)
{
    const struct handle_shard *shard = look->shard;
    const uint32_t *table = (const uint32_t *)(uintptr_t)shard->private[SHARD_HOLDERS];
    uint32_t count = 0;
    for (uint64_t i = 0; i <= shard->private[SHARD_HOLDER_MASK]; i++) {
        for (uint32_t number = table[i]; number != 0;) {
            const struct handle_holder *holder = handles_holder(shard, number);
            MUST(look->holders[number]++ == 0, "a holder in two places");
            for (uint32_t at = holder->next; at != 0; at = handles_holder(shard, at)->next)
                MUST(handles_holder(shard, at)->stack != holder->stack ||
                         handles_holder(shard, at)->labels != holder->labels,
                     "two holders of one stack");
            const char *wrong = check_holder(look, holder);
            MUST(!wrong, wrong);
            number = holder->next;
            count++;
        }
    }
    MUST(count == shard->holder_count, "holder_count is not the number of holders");
    return NULL;
}

static const char *check_shard(struct look *look)
{
    const struct handle_shard *shard = look->shard;
    MUST(shard->version % 2 == 0, "the version of a free shard is odd");
    MUST(shard->private[SHARD_OWNER] == 0, "a free shard has an owner");
    const char *wrong = check_buckets(look);
    if (!wrong)
        wrong = sum_up(look);
    if (!wrong)
        wrong = check_holders(look);
    return wrong ? wrong : check_free(look);
}

static const char *look_at(struct look *look)
{
    const struct handle_shard *shard = look->shard;
    look->records = calloc(shard->records.count + 1, 1);
    look->holders = calloc(shard->holders.count + 1, 1);
    look->cohorts_met = calloc(shard->cohorts.count + 1, 1);
    look->cohorts = calloc(shard->cohorts.count + 1, sizeof *look->cohorts);
    const char *wrong = "no memory for the test";
    if (look->records && look->holders && look->cohorts_met && look->cohorts)
        wrong = check_shard(look);
    free(look->records);
    free(look->holders);
    free(look->cohorts_met);
    free(look->cohorts);
    return wrong;
}

const char *handles_check(const struct inventory *inventory)
{
    const char *wrong = NULL;
    for (uint32_t i = 0; i < inventory->shard_count && !wrong; i++) {
        struct handle_shard *shard = handles_shard(inventory, i);
        struct look look = { .inventory = inventory, .index = i, .shard = shard };
        handles_lock(shard);
        wrong = look_at(&look);
        handles_unlock(shard);
    }
    return wrong;
}

void handles_each(const struct inventory *inventory, handles_see *see, void *context)
{
    for (uint32_t i = 0; i < inventory->shard_count; i++) {
        struct handle_shard *shard = handles_shard(inventory, i);
        handles_lock(shard);
        for (uint32_t at = 1; at <= shard->records.count; at++) {
            const struct handle_record *record = handles_record(shard, at);
            if (record->holder != 0)
                see(shard, record, context);
        }
        handles_unlock(shard);
    }
}

/* Of the page tables themselves: the sums in statm are late by some pages of each processor. */
uint64_t handles_resident(void)
{
    static char text[4096];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = 0;
    const char *line = strstr(text, "\nAnonymous:");
    return line ? strtoull(line + sizeof "\nAnonymous:" - 1, NULL, 10) * 1024 : 0;
}
