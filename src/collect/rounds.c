/* rounds.c: whose turn it is; see rounds.h. What a turn is, is in turn.c. */
#include "collect/rounds.h"

#include "collect/exchange.h"
#include "collect/keep.h"
#include "collect/turn.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Turns that were left out are told of so often. */
#define LEFT_OUT_SECONDS 3600

double rounds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void rounds_begin(struct rounds *rounds)
{
    TAILQ_INIT(&rounds->waiting);
    dialler_open(&rounds->dialler, rounds->base);
    for (size_t i = 0; i < rounds->options->profile_count; i++)
        name_make_safe(rounds->options->profiles[i], rounds->folders[i]);
}

/* ---- the queue ---- */

static void start_waiting(struct rounds *rounds)
{
    while (rounds->asked < rounds->options->concurrency && !TAILQ_EMPTY(&rounds->waiting)) {
        struct member *member = TAILQ_FIRST(&rounds->waiting);
        TAILQ_REMOVE(&rounds->waiting, member, next);
        rounds->waiting_count--;
        rounds->asked++;
        member->state = MEMBER_IS_ASKED;
        turn_begin(member);
    }
}

static void enqueue(struct member *member)
{
    member->state = MEMBER_WAITS;
    TAILQ_INSERT_TAIL(&member->rounds->waiting, member, next);
    member->rounds->waiting_count++;
}

void rounds_turn_ended(struct member *member)
{
    struct rounds *rounds = member->rounds;
    member->state = MEMBER_RESTS;
    member->rounds_done++;
    rounds->asked--;
    start_waiting(rounds);
    if (rounds->asked == 0 && rounds->idle)
        rounds->idle(rounds->user);
}

void rounds_ask_all(struct rounds *rounds)
{
    for (size_t i = 0; i < rounds->count; i++)
        enqueue(rounds->members[i]);
    start_waiting(rounds);
}

/* ---- the moments ---- */

static void set_timer(struct member *member)
{
    double wait = member->due - rounds_now();
    if (wait < 0)
        wait = 0;
    const struct timeval time = { .tv_sec = (time_t)wait,
                                  .tv_usec = (suseconds_t)((wait - (double)(time_t)wait) * 1e6) };
    evtimer_add(member->turn, &time);
}

/* Not of those that a slow target takes from itself. */
static void tell_left_out(const struct member *member)
{
    struct rounds *rounds = member->rounds;
    double now = rounds_now();
    double pause = rounds->left_out_told ? LEFT_OUT_SECONDS : rounds->options->interval;
    if (rounds->left_out++ == 0)
        rounds->left_out_since = now;
    if (now - rounds->left_out_since < pause)
        return;
    line_say(&rounds->lines,
             "too much to do: in %.0f s %lu turns were left out, as those before were not over "
             "(%s)",
             now - rounds->left_out_since, rounds->left_out,
             member->keep ? "the disk is slow: a longer --interval helps"
                          : "a longer --interval or a higher --concurrency helps");
    rounds->left_out = 0;
    rounds->left_out_told = true;
}

/* A round that is not over at the next one's moment takes that one's place. */
static void on_turn(evutil_socket_t fd, short what, void *user)
{
    struct member *member = user;
    double now = rounds_now();
    (void)fd;
    (void)what;
    while (member->due <= now)
        member->due += member->rounds->options->interval;
    set_timer(member);
    if (member->state == MEMBER_WAITS || member->keep)
        tell_left_out(member);
    if (member->state != MEMBER_RESTS)
        return;
    enqueue(member);
    start_waiting(member->rounds);
}

/* From 0 up to the interval. */
static double moment_of(const struct target *target, unsigned interval)
{
    char text[sizeof target->place.text + 2 * NAME_SIZE + 256];
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "%s %s %s", host, target->service, target->place.text);
    return interval * (double)(name_hash(text) % 1000003) / 1000003;
}

/* ---- the members ---- */

static struct member *member_new(struct rounds *rounds, const struct target *target)
{
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    member->rounds = rounds;
    member->target = *target;
    if (!rounds->options->once) {
        member->turn = evtimer_new(rounds->base, on_turn, member);
        if (!member->turn) {
            free(member);
            return NULL;
        }
        member->due = rounds_now() + moment_of(target, rounds->options->interval);
        set_timer(member);
    }
    return member;
}

static void member_free(struct member *member)
{
    if (member->state == MEMBER_WAITS) {
        TAILQ_REMOVE(&member->rounds->waiting, member, next);
        member->rounds->waiting_count--;
    }
    if (member->state == MEMBER_IS_ASKED)
        member->rounds->asked--;
    if (member->exchange)
        exchange_cancel(member->exchange);
    if (member->keep)
        keep_cancel(member->keep);
    if (member->turn)
        event_free(member->turn);
    free(member);
}

static int compare_to_member(const void *target, const void *member)
{
    return target_compare(target, &(*(struct member *const *)member)->target);
}

/* Fills MEMBERS in, with those that stay and those that are new. */
static int gather(struct rounds *rounds, const struct target_list *list, struct member **members,
                  bool *is_kept)
{
    for (size_t i = 0; i < list->count; i++) {
        struct member **old = rounds->count ? bsearch(&list->at[i], rounds->members, rounds->count,
                                                      sizeof *rounds->members, compare_to_member)
                                            : NULL;
        members[i] = old ? *old : member_new(rounds, &list->at[i]);
        if (old)
            is_kept[old - rounds->members] = true;
        if (members[i])
            continue;
        while (i-- > 0)
            if (!rounds->count || !bsearch(&list->at[i], rounds->members, rounds->count,
                                           sizeof *rounds->members, compare_to_member))
                member_free(members[i]);
        return -ENOMEM;
    }
    return 0;
}

int rounds_set_targets(struct rounds *rounds, const struct target_list *list,
                       struct rounds_change *change)
{
    struct member **members = calloc(list->count + 1, sizeof *members);
    bool *is_kept = calloc(rounds->count + 1, sizeof *is_kept);
    int status = members && is_kept ? gather(rounds, list, members, is_kept) : -ENOMEM;
    *change = (struct rounds_change){ .added = 0 };
    if (status) {
        free(members);
        free(is_kept);
        return status;
    }
    for (size_t i = 0; i < rounds->count; i++) {
        if (is_kept[i])
            continue;
        member_free(rounds->members[i]);
        change->removed++;
    }
    change->added = list->count - (rounds->count - change->removed);
    for (size_t i = 0; i < list->count; i++) /* how its files are called may have changed */
        members[i]->target = list->at[i];
    free(is_kept);
    free(rounds->members);
    rounds->members = members;
    rounds->count = list->count;
    start_waiting(rounds);
    return 0;
}

double rounds_until_next(const struct rounds *rounds)
{
    double next = -1;
    double now = rounds_now();
    for (size_t i = 0; i < rounds->count; i++) {
        double wait = rounds->members[i]->due - now;
        if (rounds->members[i]->turn && (next < 0 || wait < next))
            next = wait > 0 ? wait : 0;
    }
    return next;
}

void rounds_count(const struct rounds *rounds, size_t *well, size_t *failing)
{
    *well = *failing = 0;
    for (size_t i = 0; i < rounds->count; i++) {
        const struct member *member = rounds->members[i];
        *failing += member->health.failures > 0;
        *well += member->rounds_done > 0 && member->health.failures == 0;
    }
}

void rounds_end(struct rounds *rounds)
{
    for (size_t i = 0; i < rounds->count; i++)
        member_free(rounds->members[i]);
    free(rounds->members);
    rounds->members = NULL;
    rounds->count = 0;
    dialler_close(&rounds->dialler);
    tokens_free(&rounds->tokens);
}
