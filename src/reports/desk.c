/* desk.c: orders for reports, served one dump at a time.
 *
 * An order only joins a list and activates an event of low priority: the loop
 * reads all that has arrived on every socket before that event has its turn, so
 * whoever asked in the same moment, or while the last dump was made, is
 * served by the next one together. Equal queries are also written only once.
 *
 * An order for a difference waits on a timer between its two dumps and holds
 * the first (struct shot, counted, as others may share it); the loop serves
 * everybody else meanwhile. */
#include "reports/reports.h"

#include "base/sink.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>

#define REST_AFTER_SECONDS 10
#define CLOCK_TICK_US 10000 /* libevent's clock is coarse, a timer may come that early */

/* Low priority waits while anything else is ready. A client that keeps the
 * loop busy must not hold up a dump for longer than this. */
#define LONGEST_GATHERING_US 50000

struct shot {
    const struct report *report;
    void *dump;
    unsigned holders;
};

LIST_HEAD(order_list, report_order);

struct report_desk {
    struct event_base *base;
    struct lab *lab;
    struct order_list waiting;
    struct event *gathered; /* low priority: nobody else is about to ask */
    struct event *latest;   /* a timer: do not wait for that any longer */
    struct event *rest;     /* a timer: nobody has asked for a while */
};

static void shot_release(struct shot *shot)
{
    if (!shot || --shot->holders > 0)
        return;
    shot->report->release(shot->dump);
    free(shot);
}

static struct shot *shot_take(struct lab *lab, const struct report *report, unsigned part,
                              bool with_details, int *status)
{
    struct shot *shot = calloc(1, sizeof *shot);
    *status = shot ? report_take(lab, report, part, with_details, &shot->dump) : -ENOMEM;
    if (*status) {
        free(shot);
        return NULL;
    }
    shot->report = report;
    shot->holders = 1;
    return shot;
}

static void leave_list(struct report_order *order)
{
    if (order->in_list)
        LIST_REMOVE(order, link);
    order->in_list = false;
}

static void forget(struct report_order *order)
{
    leave_list(order);
    shot_release(order->earlier);
    order->earlier = NULL;
    if (order->timer)
        event_free(order->timer);
    order->timer = NULL;
}

static void join_list(struct report_desk *desk, struct report_order *order)
{
    const struct timeval longest = { 0, LONGEST_GATHERING_US };
    if (LIST_EMPTY(&desk->waiting)) {
        event_active(desk->gathered, EV_TIMEOUT, 0);
        evtimer_add(desk->latest, &longest);
    }
    LIST_INSERT_HEAD(&desk->waiting, order, link);
    order->in_list = true;
}

static void second_dump_is_due(evutil_socket_t none, short what, void *argument)
{
    (void)none;
    (void)what;
    struct report_order *order = argument;
    join_list(order->desk, order);
}

/* Keeps SHOT as the first of two; ORDER comes back when its seconds are over. */
static int hold(struct report_desk *desk, struct report_order *order, struct shot *shot)
{
    const struct timeval seconds = { (time_t)order->query.seconds, CLOCK_TICK_US };
    leave_list(order);
    order->timer = evtimer_new(desk->base, second_dump_is_due, order);
    if (!order->timer || evtimer_add(order->timer, &seconds) != 0)
        return -ENOMEM;
    shot->holders++;
    order->earlier = shot;
    return 0;
}

static void finish(struct report_order *order, int status, const struct sink_buffer *text)
{
    forget(order);
    order->done(order, status, text ? text->bytes : NULL, text ? text->length : 0);
}

static bool is_first_of_two(const struct report_order *order)
{
    return order->query.seconds > 0 && !order->earlier;
}

/* Whether both get the same bytes from the same dump. */
static bool is_same_wish(const struct report_order *a, const struct report_query *query,
                         const struct shot *earlier)
{
    return a->query.report == query->report && a->query.part == query->part &&
           a->query.form == query->form && a->query.seconds == query->seconds &&
           a->query.with_tid == query->with_tid && a->earlier == earlier;
}

/* Writes what FIRST wants from SHOT and hands it to all in LIST who want the same. */
static void serve_alike(struct report_desk *desk, struct order_list *list,
                        struct report_order *first, struct shot *shot)
{
    const struct report_query query = first->query;
    struct shot *earlier = first->earlier;
    if (earlier)
        earlier->holders++; /* the last of them lets go of it before we are through */
    struct sink_buffer text;
    sink_buffer_init(&text);
    int status =
        report_write(desk->lab, &query, earlier ? earlier->dump : NULL, shot->dump, &text.sink);
    struct report_order *order = LIST_FIRST(list);
    while (order) {
        if (is_same_wish(order, &query, earlier)) {
            finish(order, status, status ? NULL : &text);
            order = LIST_FIRST(list); /* done() may have cancelled the next one */
        } else {
            order = LIST_NEXT(order, link);
        }
    }
    sink_buffer_free(&text);
    shot_release(earlier);
}

static bool is_of(const struct report_order *order, const struct report *report, unsigned part)
{
    return order->query.report == report && order->query.part == part;
}

static struct report_order *find_for(struct order_list *list, const struct report *report,
                                     unsigned part)
{
    struct report_order *order;
    LIST_FOREACH(order, list, link)
    if (is_of(order, report, part))
        return order;
    return NULL;
}

static bool somebody_wants_details(struct order_list *list, const struct report *report,
                                   unsigned part)
{
    struct report_order *order;
    LIST_FOREACH(order, list, link)
    if (is_of(order, report, part) &&
        (order->query.form == REPORT_BLOCKS || order->query.form == REPORT_JSON))
        return true;
    return false;
}

/* One dump of REPORT, or of a part of it, for all in LIST who want that. */
static void serve_report(struct report_desk *desk, struct order_list *list,
                         const struct report *report, unsigned part)
{
    int status;
    struct shot *shot =
        shot_take(desk->lab, report, part, somebody_wants_details(list, report, part), &status);
    struct report_order *order;
    while ((order = find_for(list, report, part))) {
        if (!shot)
            finish(order, status, NULL);
        else if (!is_first_of_two(order))
            serve_alike(desk, list, order, shot);
        else if (hold(desk, order, shot) != 0)
            finish(order, -ENOMEM, NULL);
    }
    shot_release(shot);
}

static void take_list(struct order_list *from, struct order_list *to)
{
    *to = *from;
    if (!LIST_EMPTY(to))
        LIST_FIRST(to)->link.le_prev = &LIST_FIRST(to);
    LIST_INIT(from);
}

/* Who orders from here on waits for the next dump: the list is taken away first. */
static void serve_all(evutil_socket_t none, short what, void *argument)
{
    (void)none;
    (void)what;
    struct report_desk *desk = argument;
    struct order_list list;
    take_list(&desk->waiting, &list);
    evtimer_del(desk->latest);
    while (!LIST_EMPTY(&list))
        serve_report(desk, &list, LIST_FIRST(&list)->query.report, LIST_FIRST(&list)->query.part);
    desk_used(desk);
}

static void go_to_rest(evutil_socket_t none, short what, void *argument)
{
    (void)none;
    (void)what;
    struct report_desk *desk = argument;
    lab_trim(desk->lab);
    malloc_trim(0);
}

void desk_used(struct report_desk *desk)
{
    const struct timeval seconds = { REST_AFTER_SECONDS, 0 };
    evtimer_add(desk->rest, &seconds);
}

struct report_desk *desk_new(struct event_base *base, struct lab *lab)
{
    struct report_desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return NULL;
    desk->base = base;
    desk->lab = lab;
    LIST_INIT(&desk->waiting);
    desk->gathered = evtimer_new(base, serve_all, desk);
    desk->latest = evtimer_new(base, serve_all, desk);
    desk->rest = evtimer_new(base, go_to_rest, desk);
    int lowest = event_base_get_npriorities(base) - 1;
    if (desk->gathered && desk->latest && desk->rest &&
        event_priority_set(desk->gathered, lowest) == 0)
        return desk;
    desk_free(desk);
    return NULL;
}

void desk_free(struct report_desk *desk)
{
    while (!LIST_EMPTY(&desk->waiting))
        finish(LIST_FIRST(&desk->waiting), -ECANCELED, NULL);
    struct event *const events[] = { desk->gathered, desk->latest, desk->rest };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    free(desk);
}

void desk_submit(struct report_desk *desk, struct report_order *order)
{
    order->desk = desk;
    order->earlier = NULL;
    order->timer = NULL;
    join_list(desk, order);
}

void desk_cancel(struct report_order *order)
{
    forget(order);
}
