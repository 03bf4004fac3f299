/* leaks.c: the leak check for tests; see include/snag/leak.h.
 *
 * A look costs two directories, so the many looks of a check that ends well need no engine. Only
 * what is still there at the last look, or what may be ignored, is shown to the engine, which knows
 * stacks and names. The intervals are goleak's: 1 us, doubled up to 100 ms. */
#include "api/ask.h"
#include "api/leak_rules.h"
#include "api/listener.h"
#include "api/present.h"
#include "engine/engine.h"
#include "handles/handles.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ENGINE_FROM 10 /* looks, before rules are tried: what ends by itself has ended by then */
#define LONGEST_NS 100000000

struct snag_leaks {
    struct present present;
    uint64_t handles_since_ns;
};

static struct snag_leaks *remembered; /* written once, under the pthread_once below */

/* The clock that handles are dated by has steps: what is added after this has a later time than
 * all that was added before. */
static uint64_t next_step(void)
{
    struct timespec before;
    struct timespec now;
    const struct timespec moment = { 0, 200000 };
    clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
    do {
        nanosleep(&moment, NULL);
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

snag_leaks *snag_leaks_begin(void)
{
    struct snag_leaks *leaks = calloc(1, sizeof *leaks);
    if (!leaks)
        return NULL;
    int status = present_take(&leaks->present);
    if (status) {
        free(leaks);
        errno = -status;
        return NULL;
    }
    if (handles_exist())
        leaks->handles_since_ns = next_step();
    return leaks;
}

static void leaks_free(struct snag_leaks *leaks)
{
    if (!leaks || leaks == remembered)
        return;
    present_free(&leaks->present);
    free(leaks);
}

/* What the parent had is no leak of the child's. */
static void remember_again(void)
{
    if (remembered)
        present_free(&remembered->present);
    free(remembered);
    remembered = snag_leaks_begin();
}

static void remember(void)
{
    remembered = snag_leaks_begin();
    pthread_atfork(NULL, NULL, remember_again);
}

void snag_leaks_remember(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, remember);
}

static bool knows_thread(const struct present *before, const struct leak_thread *thread)
{
    const struct leak_thread *same =
        leak_thread_find(before->threads, before->thread_count, thread->tid);
    return same && same->start == thread->start;
}

static bool knows_fd(const struct present *before, const struct leak_fd *fd)
{
    const struct leak_fd *same = leak_fd_find(before->fds, before->fd_count, fd->fd);
    return same && same->link == fd->link;
}

/* Whether there is anything that was not there BEFORE. When that cannot be seen from here, yes: the
 * engine will tell. */
static bool anything_new(const struct snag_leaks *before, unsigned what, pid_t caller)
{
    struct present now;
    if ((what & SNAG_LEAK_HANDLES) && handles_since(before->handles_since_ns))
        return true;
    if (present_take(&now) != 0)
        return true;
    bool found = false;
    for (size_t i = 0; (what & SNAG_LEAK_THREADS) && i < now.thread_count && !found; i++)
        found = now.threads[i].tid != caller && !listener_is_thread(now.threads[i].tid) &&
                !knows_thread(&before->present, &now.threads[i]);
    for (size_t i = 0; (what & SNAG_LEAK_FDS) && i < now.fd_count && !found; i++)
        found = !knows_fd(&before->present, &now.fds[i]);
    present_free(&now);
    return found;
}

static size_t leaked(const struct leak_query *query)
{
    return query->leaked_threads + query->leaked_fds + query->leaked_handles;
}

static int report(FILE *out, const struct engine_request *request)
{
    if (out && request->length > 0) {
        fwrite(request->bytes, 1, request->length, out);
        fflush(out);
    }
    return (int)leaked(request->leaks);
}

/* One look by the engine. With IS_LAST what it finds is reported. How many leaks, or a negative
 * errno. */
static int ask(struct leak_query *query, bool is_last, FILE *out)
{
    query->report = is_last && out;
    struct engine_request request = { .leaks = query };
    int status = engine_ask(&request);
    if (status == 0)
        status = is_last ? report(out, &request) : (int)leaked(query);
    if (request.bytes)
        munmap(request.bytes, request.capacity);
    return status;
}

static void pause_before(unsigned attempt)
{
    uint64_t ns = attempt < 18 ? UINT64_C(1000) << (attempt - 1) : LONGEST_NS;
    if (ns > LONGEST_NS)
        ns = LONGEST_NS;
    const struct timespec time = { 0, (long)ns };
    nanosleep(&time, NULL);
}

static int look_until_none(const struct snag_leaks *before, const struct leak_rules *rules,
                           struct leak_query *query, FILE *out)
{
    for (unsigned attempt = 0;; attempt++) {
        bool is_last = attempt + 1 >= rules->attempts;
        if (attempt > 0)
            pause_before(attempt);
        if (!anything_new(before, query->what, query->caller))
            return 0;
        if (!is_last && !(rules->any && attempt >= ENGINE_FROM))
            continue;
        int status = ask(query, is_last, out);
        if (status <= 0 || is_last)
            return status;
    }
}

int snag_leaks_end(snag_leaks *before, const snag_leak_options *options, FILE *out)
{
    struct leak_rules rules;
    char error[256] = "";
    if (!before) {
        snag_leaks_remember();
        before = remembered;
    }
    int status = before ? leak_rules_read(options, &rules, error, sizeof error) : -ENOMEM;
    if (status == 0) {
        struct leak_query query = {
            .threads = before->present.threads,
            .thread_count = before->present.thread_count,
            .fds = before->present.fds,
            .fd_count = before->present.fd_count,
            .handles_since_ns = before->handles_since_ns,
            .caller = (int32_t)syscall(SYS_gettid),
            .what = rules.what,
        };
        memcpy(query.ignore, rules.ignore, sizeof query.ignore);
        status = look_until_none(before, &rules, &query, out);
        leak_rules_free(&rules);
    }
    if (status < 0 && out)
        fprintf(out, "snag: leaks could not be looked for: %s\n",
                error[0] ? error : strerror(-status));
    leaks_free(before);
    return status;
}

int snag_leaks_verify_main_with(int status, const snag_leak_options *options)
{
    snag_leak_options own = SNAG_LEAK_OPTIONS_INIT;
    if (options)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    if (status != 0 && !own.check_failed)
        return status;
    int leaks = snag_leaks_end(NULL, options, stderr);
    if (leaks == 0 || status != 0)
        return status;
    return own.exit_status ? own.exit_status : 1;
}

int snag_leaks_verify_main(int status)
{
    return snag_leaks_verify_main_with(status, NULL);
}
