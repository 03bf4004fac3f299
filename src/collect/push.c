/* push.c: the queue of profiles that are pushed, and how it is worked off; see push.h.
 *
 *   push_submit --> [oldest ... newest] --> one request at a time --> answer
 *                        ^                                               |
 *                        +---- stays the oldest, after a pause ----------+ no answer, 5xx, 429
 *                              given up <--------------------------------+ refused for good
 *
 * A server that is down is told once, and once more when it is well again. */
#include "collect/push.h"

#include "collect/push_form.h"
#include "collect/push_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <snag/snag.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_QUEUE ((size_t)64 << 20)
#define DEFAULT_TIMEOUT 30
#define FIRST_PAUSE 1 /* seconds; doubled up to the last */
#define LAST_PAUSE 60
#define ANSWER_MOST 4096 /* of it one line is told */

struct waiting {
    struct waiting *newer;
    struct push_form form;
    char what[200]; /* "web threads" */
};

struct push {
    struct event_base *base;
    struct push_url url;
    char *tenant;        /* or NULL */
    char *authorization; /* or NULL */
    size_t queue_bytes;
    void (*log)(void *user, const char *line);
    void *user;

    struct evdns_base *names; /* for a host that is no number */
    struct evhttp_connection *connection;
    struct event *again; /* after a pause */

    struct waiting *oldest, *newest;
    size_t count, bytes;
    bool is_sending;   /* the oldest */
    bool has_answered; /* on this connection: that it is closed may mean nothing */
    bool is_ending;    /* push_free() */
    int last_refusal;  /* HTTP status that was told last; 0 after a success */
    enum evhttp_request_error error;
    bool has_error;
    unsigned pause; /* 0: the server is well */
    time_t down_since;
    size_t lost, lost_when_down;
    bool queue_was_full; /* since it was empty the last time, and that was told */
};

__attribute__((format(printf, 2, 3))) static void say(const struct push *push, const char *format,
                                                      ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c; c++) /* some of it is the server's words */
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
    if (push->log)
        push->log(push->user, text);
    else
        fprintf(stderr, "snag collect: %s\n", text);
}

static void drop_oldest(struct push *push)
{
    struct waiting *gone = push->oldest;
    push->oldest = gone->newer;
    if (!push->oldest)
        push->newest = NULL;
    push->count--;
    push->bytes -= gone->form.length;
    push_form_free(&gone->form);
    free(gone);
    push->queue_was_full = push->queue_was_full && push->count > 0;
}

/* Makes room for LENGTH bytes; what is being sent stays. */
static void make_room(struct push *push, size_t length)
{
    while (push->count > 0 && push->bytes + length > push->queue_bytes) {
        struct waiting *sent = push->is_sending ? push->oldest : NULL;
        if (sent && push->count == 1)
            return;
        if (sent) { /* the second oldest takes its place for a moment */
            struct waiting *second = sent->newer;
            sent->newer = second->newer;
            if (push->newest == second)
                push->newest = sent;
            push->count--;
            push->bytes -= second->form.length;
            push_form_free(&second->form);
            free(second);
        } else {
            drop_oldest(push);
        }
        push->lost++;
        if (!push->queue_was_full)
            say(push, "push to %s: more than %zu MiB wait: the oldest are given up",
                push->url.host_header, push->queue_bytes >> 20);
        push->queue_was_full = true;
    }
}

static void send_oldest(struct push *push);

static void on_again(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    send_oldest(user);
}

static void wait_for(struct push *push, unsigned seconds)
{
    const struct timeval pause = { .tv_sec = seconds };
    evtimer_add(push->again, &pause);
}

static void tell_well(struct push *push)
{
    if (push->pause > 0)
        say(push, "push to %s: works again after %ld s, %zu wait, %zu were given up",
            push->url.host_header, (long)(time(NULL) - push->down_since), push->count,
            push->lost - push->lost_when_down);
    push->pause = 0;
}

/* No answer, or none that says what is wrong with the profile: it stays, WHY is told once. */
static void try_later(struct push *push, const char *why)
{
    if (push->pause == 0) {
        push->down_since = time(NULL);
        push->lost_when_down = push->lost;
        say(push, "push to %s: %s; %zu wait and will be tried again", push->url.host_header, why,
            push->count);
    }
    push->pause = push->pause == 0               ? FIRST_PAUSE
                  : push->pause * 2 > LAST_PAUSE ? LAST_PAUSE
                                                 : push->pause * 2;
    wait_for(push, push->pause);
}

/* The server will never take this one. */
static void give_up(struct push *push, int status, struct evhttp_request *request)
{
    char words[160];
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    ev_ssize_t length = evbuffer_copyout(body, words, sizeof words - 1);
    words[length > 0 ? length : 0] = 0;
    words[strcspn(words, "\r\n")] = 0;
    if (status != push->last_refusal)
        say(push, "push to %s: %s is refused: %d %s", push->url.host_header, push->oldest->what,
            status, *words ? words : evhttp_request_get_response_code_line(request));
    push->last_refusal = status;
    push->lost++;
    drop_oldest(push);
}

/* Why there was no answer; libevent keeps no errno of a connection that failed. */
static const char *fault_in_words(const struct push *push)
{
    struct bufferevent *connection = evhttp_connection_get_bufferevent(push->connection);
    int lookup = connection ? bufferevent_socket_get_dns_error(connection) : 0;
    if (lookup)
        return "there is no address for its name";
    if (!push->has_error)
        return "cannot connect";
    switch (push->error) {
    case EVREQ_HTTP_TIMEOUT: return "no answer in time";
    case EVREQ_HTTP_INVALID_HEADER: return "what answers there does not speak HTTP";
    case EVREQ_HTTP_DATA_TOO_LONG: return "its answer is too long";
    case EVREQ_HTTP_EOF: return "the connection was closed without an answer";
    default: return "the connection broke";
    }
}

static void on_answer(struct evhttp_request *request, void *user)
{
    struct push *push = user;
    int status = request ? evhttp_request_get_response_code(request) : 0;
    char why[64];
    if (push->is_ending)
        return;
    push->is_sending = false;
    if (status == 0) {
        bool was_idle = push->has_answered && push->has_error && push->error == EVREQ_HTTP_EOF;
        push->has_answered = false;
        if (was_idle) /* the server closed what was kept alive: not worth a word */
            wait_for(push, 0);
        else
            try_later(push, fault_in_words(push));
        return;
    }
    push->has_answered = true;
    if (status >= 500 || status == 429 || status == 408) {
        snprintf(why, sizeof why, "the answer is %d", status);
        try_later(push, why);
        return;
    }
    tell_well(push);
    if (status >= 200 && status < 300) {
        push->last_refusal = 0;
        drop_oldest(push);
    } else {
        give_up(push, status, request);
    }
    /* Not from within the callback: the connection is not done with this request. */
    if (push->count > 0)
        wait_for(push, 0);
}

static void on_error(enum evhttp_request_error error, void *user)
{
    struct push *push = user;
    push->error = error;
    push->has_error = true;
}

static int add_headers(const struct push *push, struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    int failed = evhttp_add_header(headers, "Host", push->url.host_header);
    failed |= evhttp_add_header(headers, "User-Agent", "snag/" SNAG_VERSION);
    failed |= evhttp_add_header(headers, "Content-Type", push->oldest->form.content_type);
    if (push->tenant)
        failed |= evhttp_add_header(headers, "X-Scope-OrgID", push->tenant);
    if (push->authorization)
        failed |= evhttp_add_header(headers, "Authorization", push->authorization);
    return failed;
}

static void send_oldest(struct push *push)
{
    if (push->is_sending || push->count == 0)
        return;
    const struct push_form *form = &push->oldest->form;
    struct evhttp_request *request = evhttp_request_new(on_answer, push);
    char *target = NULL;
    push->has_error = false;
    if (!request || asprintf(&target, "%s?%s", push->url.path, form->query) < 0 ||
        add_headers(push, request) != 0 ||
        evbuffer_add(evhttp_request_get_output_buffer(request), form->body, form->length) != 0) {
        if (request)
            evhttp_request_free(request);
        try_later(push, strerror(ENOMEM));
    } else {
        evhttp_request_set_error_cb(request, on_error);
        push->is_sending = true;
        if (evhttp_make_request(push->connection, request, EVHTTP_REQ_POST, target) != 0) {
            push->is_sending = false;
            try_later(push, "no connection");
        }
    }
    free(target);
}

static bool is_number(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static int open_connection(struct push *push, unsigned timeout)
{
    if (!is_number(push->url.host)) /* without, a lookup would hold up every target */
        push->names = evdns_base_new(push->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                     EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    push->connection =
        evhttp_connection_base_new(push->base, push->names, push->url.host, push->url.port);
    push->again = evtimer_new(push->base, on_again, push);
    if (!push->connection || !push->again)
        return -ENOMEM;
    evhttp_connection_set_timeout(push->connection, (int)timeout);
    evhttp_connection_set_max_headers_size(push->connection, ANSWER_MOST * 4);
    evhttp_connection_set_max_body_size(push->connection, ANSWER_MOST * 16);
    return 0;
}

static int take_settings(struct push *push, const struct push_settings *settings, char *why,
                         size_t size)
{
    push->queue_bytes = settings->queue_bytes ? settings->queue_bytes : DEFAULT_QUEUE;
    push->log = settings->log;
    push->user = settings->user;
    if (push_url_read(settings->url, &push->url, why, size) != 0)
        return -EINVAL;
    if (settings->tenant && strpbrk(settings->tenant, "\r\n")) {
        snprintf(why, size, "a tenant is one line");
        return -EINVAL;
    }
    if (settings->tenant && !(push->tenant = strdup(settings->tenant)))
        return -ENOMEM;
    if (!settings->credentials)
        return 0;
    push->authorization = push_authorization(settings->credentials);
    if (!push->authorization && errno == EINVAL)
        snprintf(why, size, "credentials are one line of text");
    return push->authorization ? 0 : -errno;
}

struct push *push_new(struct event_base *base, const struct push_settings *settings, char *why,
                      size_t size)
{
    struct push *push = calloc(1, sizeof *push);
    *why = 0;
    int status = push ? take_settings(push, settings, why, size) : -ENOMEM;
    if (status == 0) {
        push->base = base;
        status = open_connection(push, settings->timeout ? settings->timeout : DEFAULT_TIMEOUT);
    }
    if (status == 0)
        return push;
    if (!*why)
        snprintf(why, size, "%s", strerror(-status));
    push_free(push);
    return NULL;
}

int push_submit(struct push *push, const struct push_profile *profile)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    int status = waiting ? push_form_make(profile, &waiting->form) : -ENOMEM;
    if (status) {
        free(waiting);
        return status;
    }
    snprintf(waiting->what, sizeof waiting->what, "%s %s", profile->service, profile->profile);
    make_room(push, waiting->form.length);
    if (push->newest)
        push->newest->newer = waiting;
    else
        push->oldest = waiting;
    push->newest = waiting;
    push->count++;
    push->bytes += waiting->form.length;
    if (!push->is_sending && !evtimer_pending(push->again, NULL))
        send_oldest(push);
    return 0;
}

size_t push_lost(const struct push *push)
{
    return push->lost;
}

static void on_late(evutil_socket_t fd, short what, void *user)
{
    (void)fd;
    (void)what;
    *(bool *)user = true;
}

size_t push_drain(struct push *push, unsigned seconds)
{
    const struct timeval time = { .tv_sec = seconds };
    bool is_late = seconds == 0;
    struct event *late = evtimer_new(push->base, on_late, &is_late);
    if (late && evtimer_add(late, &time) == 0)
        while (push->count > 0 && !is_late && event_base_loop(push->base, EVLOOP_ONCE) == 0 &&
               !event_base_got_break(push->base) && !event_base_got_exit(push->base))
            continue;
    if (late)
        event_free(late);
    return push->count;
}

void push_free(struct push *push)
{
    if (!push)
        return;
    push->is_ending = true;
    if (push->connection)
        evhttp_connection_free(push->connection);
    if (push->again)
        event_free(push->again);
    if (push->names) { /* a lookup that was cancelled is freed when it has been told so */
        event_base_loop(push->base, EVLOOP_NONBLOCK);
        evdns_base_free(push->names, 1);
        event_base_loop(push->base, EVLOOP_NONBLOCK);
    }
    while (push->count > 0)
        drop_oldest(push);
    free(push->tenant);
    free(push->authorization);
    free(push);
}
