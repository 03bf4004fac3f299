/* leak.c: everything there is, less what was there before and what does not count; see leak.h.
 *
 * A number that is the same is the same thing only if the rest is, too: a thread's start, what a
 * descriptor leads to. Where tracking tells when a descriptor was opened, it is not needed: what
 * it leads to tells. */
#include "leak/leak.h"

#include "leak/found.h"
#include "modules/modules.h"
#include "reports/picture.h"
#include "reports/reports.h"
#include "sources/fds.h"
#include "sources/inventories.h"
#include "sources/thread_facts.h"
#include "sources/threads.h"
#include "sources/tracking.h"
#include "waits/waits.h"

#define SNAG_LEAK_NOTHING_BEFORE_MAIN /* only its constants are wanted */
#include <snag/leak.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* False when it has ended. */
static bool read_facts(const struct lab *lab, pid_t tid, struct thread_facts *facts)
{
    char path[32];
    char text[1024];
    snprintf(path, sizeof path, "%d/stat", (int)tid);
    ssize_t length = proc_read(lab->target.task_fd, path, text, sizeof text);
    return length > 0 && thread_facts_parse(text, (size_t)length, facts);
}

static bool is_new_thread(const struct lab *lab, const struct leak_query *query,
                          const struct thread_sample *thread)
{
    if (thread->tid == query->caller)
        return false;
    struct thread_facts now;
    if (!read_facts(lab, thread->tid, &now) || thread_is_kernels(&now))
        return false;
    const struct leak_thread *before =
        leak_thread_find(query->threads, query->thread_count, thread->tid);
    return !before || before->start != now.start_ticks;
}

static bool is_new_fd(const struct lab *lab, const struct leak_query *query,
                      const struct descriptor *descriptor)
{
    const struct leak_fd *before = leak_fd_find(query->fds, query->fd_count, descriptor->fd);
    if (!before)
        return true;
    char path[32];
    char link[PATH_MAX];
    snprintf(path, sizeof path, "fd/%d", descriptor->fd);
    ssize_t length = readlinkat(lab->target.proc_fd, path, link, sizeof link);
    return length > 0 && leak_hash(link, (size_t)length) != before->link;
}

static const struct origin *origin_of(struct lab *lab, struct found *found, pid_t tid)
{
    struct origin *origin = arena_alloc(&found->arena, sizeof *origin);
    return origin && tracking_thread(lab->tracking, tid, origin) ? origin : NULL;
}

static bool find_threads(struct lab *lab, const struct leak_query *query, struct found *found)
{
    const struct thread_dump *dump = found->picture->threads;
    found->threads = arena_array(&found->arena, dump->count + 1, sizeof *found->threads);
    if (!found->threads)
        return false;
    for (size_t i = 0; (query->what & SNAG_LEAK_THREADS) && i < dump->count; i++) {
        if (!is_new_thread(lab, query, &dump->threads[i]))
            continue;
        struct leaked_thread thread = {
            .thread = &dump->threads[i],
            .wait = &found->picture->waits->waits[i],
            .origin = origin_of(lab, found, dump->threads[i].tid),
        };
        if (!rules_know_thread(&thread, lab->symbolizer) &&
            !rules_ignore_thread(query, &thread, lab->symbolizer))
            found->threads[found->thread_count++] = thread;
    }
    return true;
}

static bool find_fds(struct lab *lab, const struct leak_query *query, struct found *found)
{
    const struct fd_dump *dump = found->picture->fds;
    found->fds = arena_array(&found->arena, dump->count + 1, sizeof *found->fds);
    if (!found->fds)
        return false;
    for (size_t i = 0; (query->what & SNAG_LEAK_FDS) && i < dump->count; i++) {
        const struct descriptor *descriptor = &dump->descriptors[i];
        if (is_new_fd(lab, query, descriptor) &&
            !rules_ignore_fd(query, descriptor, lab->symbolizer))
            found->fds[found->fd_count++] = descriptor;
    }
    return true;
}

static bool take_handles(struct lab *lab, const struct leak_query *query, struct found *found)
{
    const struct inventory_wish wish = {
        .root = lab->handles_root,
        .labels_root = lab->labels_root,
        .with_details = true,
        .since_ns = query->handles_since_ns,
    };
    size_t most = 1;
    if (inventory_source_dump(lab->inventories, &wish, &found->dump) != 0)
        return false;
    for (size_t i = 0; i < found->dump->count; i++)
        most += found->dump->inventories[i].count;
    found->handles = arena_array(&found->arena, most, sizeof *found->handles);
    return found->handles != NULL;
}

static bool find_handles(struct lab *lab, const struct leak_query *query, struct found *found)
{
    if (!(query->what & SNAG_LEAK_HANDLES) || lab->handles_root == 0)
        return true;
    if (!take_handles(lab, query, found))
        return false;
    for (size_t i = 0; i < found->dump->count; i++) {
        const struct inventory_dump *inventory = &found->dump->inventories[i];
        for (size_t j = 0; j < inventory->count; j++) {
            struct leaked_handles handles = { inventory->name, &inventory->holdings[j] };
            if (handles.holding->since_count == 0 ||
                rules_ignore_handles(query, &handles, lab->symbolizer))
                continue;
            found->handles[found->holding_count++] = handles;
            found->handle_count += handles.holding->since_count;
        }
    }
    return true;
}

int leaks_find(struct lab *lab, struct leak_query *query, struct sink *sink)
{
    struct found found = { .arena = ARENA_INIT };
    modules_refresh(lab->modules);
    int status = picture_take(lab, true, &found.picture);
    if (status)
        return status;
    if (!find_threads(lab, query, &found) || !find_fds(lab, query, &found) ||
        !find_handles(lab, query, &found))
        status = -ENOMEM;
    query->leaked_threads = found.thread_count;
    query->leaked_fds = found.fd_count;
    query->leaked_handles = found.handle_count;
    if (status == 0 && query->report &&
        found.thread_count + found.fd_count + found.handle_count > 0)
        found_write(sink, &found, lab);
    if (found.dump)
        handle_dump_free(found.dump);
    arena_release(&found.arena);
    picture_free(found.picture);
    return status;
}
