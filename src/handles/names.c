/* names.c: inventories by name; see snag.h.
 *
 * They are found without a lock, as none is ever taken away, and made under one. */
#include "base/at_fork.h"
#include "handles/inventory.h"
#include "handles/memory.h"
#include "stacks/stacks.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SHARDS_A_PROCESSOR 4u
#define SHARDS_LEAST 8u

struct inventory inventory_nowhere;
WRITTEN_AT_FORK struct shard inventory_names;

/* Names under which snag itself reports, or pprof and Go's readers expect something of their own.
 */
static const char *const reserved[] = {
    "threads", "goroutine", "threadleak", "goroutineleak", "fds",    "handles", "stuck", "heap",
    "profile", "cmdline",   "symbol",     "trace",         "allocs", "block",   "mutex",
};

static bool is_allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* 0 or the error that NAME stands for. */
static int check_name(const char *name)
{
    size_t length = 0;
    while (name && length <= INVENTORY_NAME_MAX && is_allowed(name[length]))
        length++;
    if (length == 0 || length > INVENTORY_NAME_MAX || name[length] != 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcmp(name, reserved[i]) == 0)
            return -EEXIST;
    }
    return 0;
}

struct inventory *inventory_find(const char *name)
{
    struct handle_root *root = &snag_handles_root;
    /* acquire: what is counted is whole */
    uint32_t count = atomic_load_explicit(&root->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = atomic_load_explicit(&root->inventories[i], memory_order_relaxed);
        struct inventory *inventory = (struct inventory *)(uintptr_t)address;
        if (strcmp(inventory->name, name) == 0)
            return inventory;
    }
    return NULL;
}

static uint32_t shards_wanted(void)
{
    cpu_set_t set;
    uint32_t wanted = SHARDS_LEAST;
    int before = errno;
    uint32_t processors = INVENTORY_SHARDS_MAX; /* more than the set holds */
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        processors = (uint32_t)CPU_COUNT(&set);
    errno = before;
    while (wanted < processors * SHARDS_A_PROCESSOR && wanted < INVENTORY_SHARDS_MAX)
        wanted *= 2;
    return wanted;
}

/* An empty one; NULL without memory. */
static struct inventory *inventory_make(const char *name)
{
    uint32_t shards = shards_wanted();
    struct inventory *inventory = memory_take(sizeof *inventory);
    char *first = memory_take(shards * sizeof(struct shard) + MEMORY_LINE);
    if (!inventory || !first)
        return NULL;
    strcpy(inventory->name, name);
    inventory->made_ns = coarse_now_ns();
    inventory->shard_count = shards;
    inventory->shard_size = sizeof(struct shard);
    inventory->shards = ((uintptr_t)first + MEMORY_LINE) & ~(uint64_t)(2 * MEMORY_LINE - 1);
    for (uint32_t i = 0; i < shards; i++) {
        shard_begin(inventory_shard(inventory, i));
        fork_joins(inventory_shard(inventory, i));
    }
    return inventory;
}

/* Under the lock of names. */
static int publish(const char *name, struct inventory **inventory)
{
    struct handle_root *root = &snag_handles_root;
    uint32_t count = atomic_load_explicit(&root->count, memory_order_relaxed);
    *inventory = inventory_find(name);
    if (*inventory)
        return -EEXIST;
    if (count == INVENTORIES_MAX)
        return -ENOSPC;
    const struct stack_pool *pool = stack_pool_of_process();
    *inventory = inventory_make(name);
    if (!pool || !*inventory)
        return -ENOMEM;
    atomic_store_explicit(&root->pool, (uintptr_t)pool, memory_order_relaxed);
    atomic_store_explicit(&root->inventories[count], (uintptr_t)*inventory, memory_order_relaxed);
    /* release: all of it is there before it is counted */
    atomic_store_explicit(&root->count, count + 1, memory_order_release);
    return 0;
}

/* 0; -EEXIST and *INVENTORY when it is there already, NULL when NAME is reserved; or another
 * error. */
static int make(const char *name, struct inventory **inventory)
{
    *inventory = NULL;
    int status = check_name(name);
    if (status != 0)
        return status;
    if (!shard_enter(&inventory_names))
        return -EBUSY;
    status = publish(name, inventory);
    shard_leave(&inventory_names);
    return status;
}

snag_profile *snag_profile_new(const char *name)
{
    struct inventory *inventory;
    int status = make(name, &inventory);
    if (status == 0)
        return (snag_profile *)inventory;
    errno = -status;
    return NULL;
}

snag_profile *snag_profile_lookup(const char *name)
{
    struct inventory *inventory = name ? inventory_find(name) : NULL;
    if (!inventory)
        errno = ENOENT;
    return (snag_profile *)inventory;
}

static const char *reason(int status)
{
    switch (status) {
    case -EINVAL: return "it is not [a-zA-Z0-9._-]{1,64}";
    case -EEXIST: return "it is a profile of snag's";
    default: return "there are 256 inventories already";
    }
}

/* Without stdio, which may be the caller. */
static void say(const char *name, int status)
{
    char text[256] = "snag: no inventory \"";
    size_t end = strlen(text);
    for (size_t i = 0; name && name[i] != 0 && i <= INVENTORY_NAME_MAX; i++)
        text[end++] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    strcpy(text + end, "\": ");
    strcat(text, reason(status));
    strcat(text, "; what is tracked here is ignored\n");
    int before = errno;
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* nowhere left to say so */
    errno = before;
}

__attribute__((noinline, cold)) struct inventory *inventory_here(snag_profile **here,
                                                                 const char *name)
{
    struct inventory *inventory = name ? inventory_find(name) : NULL;
    int status = inventory ? 0 : make(name, &inventory);
    if (status == -ENOMEM || status == -EBUSY)
        return NULL;
    snag_profile *nothing = NULL;
    snag_profile *found = (snag_profile *)(inventory ? inventory : &inventory_nowhere);
    bool first = __atomic_compare_exchange_n(here, &nothing, found, false, __ATOMIC_RELEASE,
                                             __ATOMIC_ACQUIRE);
    if (!inventory && first)
        say(name, status);
    return inventory_of(found);
}
