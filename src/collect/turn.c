/* turn.c: one target's turn; see turn.h.
 *
 * One profile after the other, as a service in trouble should not have three dumps made at once.
 * When it cannot be reached, or does not answer in time, it is not asked for the others. */
#include "collect/turn.h"

#include "collect/exchange.h"
#include "collect/keep.h"
#include "collect/push.h"
#include "collect/rounds.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A disk that fails again after so long does not come and go. */
#define DISK_FORGOTTEN_SECONDS 86400

static void ask(struct member *member);

/* ---- what is told ---- */

/* The failures that began within this interval are one. */
static void tell_of_disk(struct rounds *rounds, const struct outcome *outcome)
{
    char times[96];
    double now = rounds_now();
    bool is_same = rounds->disk.failures > 0 &&
                   (rounds->options->once || now - rounds->disk_failed < rounds->options->interval);
    if (is_same)
        return;
    if (now - rounds->disk_failed > DISK_FORGOTTEN_SECONDS)
        rounds->disk.rows = 0;
    rounds->disk_failed = now;
    if (!health_failed(&rounds->disk, 1))
        return;
    health_words(&rounds->disk, times, sizeof times);
    line_say(&rounds->lines, "%s (this profile and maybe others%s)", outcome->why, times);
}

static void tell_disk_is_well(struct rounds *rounds)
{
    if (rounds->disk.failures == 0 ||
        rounds_now() - rounds->disk_failed < 2.0 * rounds->options->interval)
        return;
    if (health_well(&rounds->disk))
        line_say(&rounds->lines, "%s can be written again", rounds->store.path);
}

/* "threads, fds: connection refused": all that failed as outcome FIRST did, in its words. */
static void append_group(const struct member *member, size_t first, char *text, size_t size)
{
    const struct rounds *rounds = member->rounds;
    size_t length = strlen(text);
    const char *before = length ? "; " : "";
    for (size_t i = first; i < rounds->options->profile_count && length < size; i++) {
        if (!outcome_is_same(&member->outcomes[i], &member->outcomes[first]))
            continue;
        length += (size_t)snprintf(text + length, size - length, "%s%s", before,
                                   rounds->options->profiles[i]);
        before = ", ";
    }
    if (length < size)
        snprintf(text + length, size - length, ": %s", member->outcomes[first].why);
}

static bool is_failure(const struct outcome *outcome)
{
    return outcome->kind != OUTCOME_OK && outcome->kind != OUTCOME_NOT_WRITTEN;
}

static void tell_failures(struct member *member, bool is_all)
{
    char text[1024] = "";
    char times[96];
    size_t count = member->rounds->options->profile_count;
    for (size_t i = 0; i < count; i++) {
        bool is_told = !is_failure(&member->outcomes[i]);
        for (size_t j = 0; j < i && !is_told; j++)
            is_told = outcome_is_same(&member->outcomes[i], &member->outcomes[j]);
        if (!is_told)
            append_group(member, i, text, sizeof text);
    }
    health_words(&member->health, times, sizeof times);
    line_say(&member->rounds->lines, "%s %s %s (%s stored%s)", member->target.service,
             member->target.place.text, text, is_all ? "nothing" : "the others are", times);
}

static void tell(struct member *member)
{
    unsigned kinds = 0;
    size_t failures = 0;
    size_t count = member->rounds->options->profile_count;
    for (size_t i = 0; i < count; i++) {
        failures += is_failure(&member->outcomes[i]);
        kinds |= is_failure(&member->outcomes[i]) ? 1u << member->outcomes[i].kind : 0;
    }
    if (failures && health_failed(&member->health, kinds))
        tell_failures(member, failures == count);
    unsigned long ended = failures ? 0 : health_well(&member->health);
    if (ended)
        line_say(&member->rounds->lines, "%s %s is well again, after %lu failure%s in a row",
                 member->target.service, member->target.place.text, ended, ended == 1 ? "" : "s");
}

static void end(struct member *member)
{
    tell(member);
    rounds_turn_ended(member);
}

/* ---- what is done ---- */

static void push(struct member *member, const struct kept *kept)
{
    const struct rounds *rounds = member->rounds;
    const struct push_label instance = { "instance", member->target.instance_label };
    const struct push_profile profile = {
        .service = member->target.service,
        .profile = rounds->folders[member->profile],
        .labels = &instance,
        .label_count = 1,
        .time_ns = (uint64_t)kept->when * 1000000000u,
        .bytes = kept->bytes,
        .length = kept->length,
    };
    if (rounds->push)
        push_submit(rounds->push, &profile); /* what becomes of it, it tells itself */
}

static void go_on(struct member *member, const struct outcome *outcome)
{
    size_t last = outcome_is_of_target(outcome) ? member->rounds->options->profile_count
                                                : member->profile + 1;
    while (member->profile < last)
        member->outcomes[member->profile++] = *outcome;
    ask(member);
}

/* Ports are taken by others when a service is moved: what is kept from then on is not its own. */
static void tell_of_program(struct member *member, const char *program)
{
    if (member->profile > 0 || !*program)
        return;
    if (*member->program && strcmp(member->program, program) != 0)
        line_say(&member->rounds->lines, "%s %s is another program now: %s, which was %s",
                 member->target.service, member->target.place.text, program, member->program);
    snprintf(member->program, sizeof member->program, "%s", program);
}

static void on_kept(void *user, const struct outcome *outcome, const struct kept *kept)
{
    struct member *member = user;
    struct rounds *rounds = member->rounds;
    member->keep = NULL;
    if (outcome->kind == OUTCOME_OK) {
        rounds->files++;
        rounds->bytes += kept->length;
        tell_disk_is_well(rounds);
    } else if (outcome->kind == OUTCOME_NOT_WRITTEN) {
        rounds->unwritten++;
        tell_of_disk(rounds, outcome);
    }
    if (outcome->kind == OUTCOME_OK || outcome->kind == OUTCOME_NOT_WRITTEN) {
        tell_of_program(member, kept->program);
        push(member, kept);
    }
    go_on(member, outcome);
}

static void on_done(void *user, const struct outcome *result, struct evbuffer *body)
{
    struct member *member = user;
    const struct rounds *rounds = member->rounds;
    struct outcome outcome = *result;
    member->exchange = NULL;
    if (outcome.kind == OUTCOME_OK) {
        const struct keep_wish wish = { .workers = rounds->workers,
                                        .for_large = rounds->workers_for_large,
                                        .store = &rounds->store,
                                        .target = &member->target,
                                        .profile = rounds->folders[member->profile],
                                        .most = rounds->options->max_bytes };
        member->keep = keep_begin(&wish, body, on_kept, member);
        if (member->keep)
            return;
        outcome_set(&outcome, OUTCOME_NO_MEMORY, "no memory here");
    }
    go_on(member, &outcome);
}

/* "threads?seconds=10" takes ten seconds longer. */
static unsigned seconds_of(const char *profile)
{
    const char *query = strchr(profile, '?');
    const char *at = query ? strstr(query, "seconds=") : NULL;
    long seconds = at ? strtol(at + strlen("seconds="), NULL, 10) : 0;
    return seconds > 0 && seconds <= 3600 ? (unsigned)seconds : 0;
}

/* For the next profile; or the turn ends. */
static void ask(struct member *member)
{
    struct rounds *rounds = member->rounds;
    char path[160];
    if (member->profile >= rounds->options->profile_count) {
        end(member);
        return;
    }
    const char *profile = rounds->options->profiles[member->profile];
    snprintf(path, sizeof path, "/debug/pprof/%s", profile);
    const struct exchange_wish wish = {
        .place = &member->target.place,
        .path = path,
        .token = tokens_find(&rounds->tokens, &member->target),
        .timeout = rounds->options->timeout + seconds_of(profile),
        .most = rounds->options->max_bytes,
    };
    member->exchange = exchange_start(&rounds->dialler, &wish, on_done, member);
    if (member->exchange)
        return;
    for (; member->profile < rounds->options->profile_count; member->profile++)
        outcome_set(&member->outcomes[member->profile], OUTCOME_NO_MEMORY, "no memory here");
    end(member);
}

void turn_begin(struct member *member)
{
    member->profile = 0;
    ask(member);
}
