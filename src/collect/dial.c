/* dial.c: a connection to a place; see dial.h.
 *
 * libevent can connect a bufferevent to a name, but takes the first address only, and says no
 * more than that it failed. Here each address is tried, and the last one's errno is told; one that
 * does not answer at all leaves time for the next.
 * A lookup that was cancelled still calls back, later: its dial lives until then. */
#include "collect/dial.h"

#include "collect/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Seconds for an address while there are others. */
#define ADDRESS_SECONDS 2

struct dial {
    struct dialler *dialler;
    const struct place *place;
    dial_done *done;
    void *user;
    struct event *event; /* to begin; then a socket's that connects */
    struct evdns_getaddrinfo_request *lookup;
    struct evutil_addrinfo *found;
    struct evutil_addrinfo *next;
    int fd;
    int error; /* of the last address */
    bool is_cancelled;
};

void dialler_open(struct dialler *dialler, struct event_base *base)
{
    dialler->base = base;
    dialler->names = NULL;
}

void dialler_close(struct dialler *dialler)
{
    if (!dialler->names)
        return;
    /* Lets the lookups that were cancelled tell their dials, which then end. */
    event_base_loop(dialler->base, EVLOOP_NONBLOCK);
    evdns_base_free(dialler->names, 1);
    event_base_loop(dialler->base, EVLOOP_NONBLOCK);
    dialler->names = NULL;
}

static void forget(struct dial *dial)
{
    if (dial->event)
        event_free(dial->event);
    if (dial->found)
        evutil_freeaddrinfo(dial->found);
    if (dial->fd >= 0)
        close(dial->fd);
    free(dial);
}

/* Takes FD, -1 for none. */
static void finish(struct dial *dial, int fd, enum outcome_kind kind, const char *why)
{
    struct outcome outcome;
    dial_done *done = dial->done;
    void *user = dial->user;
    outcome_set(&outcome, kind, "%s", why);
    forget(dial);
    done(user, fd, &outcome);
}

static void fail_to_connect(struct dial *dial)
{
    static const struct {
        int error;
        const char *words;
    } known[] = {
        { ECONNREFUSED, "connection refused" },
        { EHOSTUNREACH, "no route to the host" },
        { ENETUNREACH, "no route to its network" },
        { ENOENT, "there is no such socket" },
        { EAGAIN, "its queue of connections is full" },
        { ETIMEDOUT, "no answer to the connection" },
    };
    const char *words = strerror(dial->error);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].error == dial->error)
            words = known[i].words;
    finish(dial, -1, OUTCOME_NO_CONNECTION, words);
}

static void try_next(struct dial *dial);

static void on_writable(evutil_socket_t fd, short what, void *user)
{
    struct dial *dial = user;
    socklen_t size = sizeof dial->error;
    if (what & EV_TIMEOUT)
        dial->error = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &dial->error, &size) != 0)
        dial->error = errno;
    if (dial->error == 0) {
        dial->fd = -1;
        finish(dial, fd, OUTCOME_OK, "");
        return;
    }
    close(dial->fd);
    dial->fd = -1;
    try_next(dial);
}

/* Whether it is under way, or done. */
static bool connect_to(struct dial *dial, const struct sockaddr *address, socklen_t length)
{
    static const struct timeval limit = { .tv_sec = ADDRESS_SECONDS };
    dial->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        dial->error = errno;
        return false;
    }
    if (connect(dial->fd, address, length) == 0 || errno == EINPROGRESS) {
        if (dial->event)
            event_free(dial->event);
        dial->event = event_new(dial->dialler->base, dial->fd, EV_WRITE, on_writable, dial);
        if (dial->event && event_add(dial->event, dial->next ? &limit : NULL) == 0)
            return true;
        errno = ENOMEM;
    }
    dial->error = errno;
    close(dial->fd);
    dial->fd = -1;
    return false;
}

static void try_next(struct dial *dial)
{
    while (dial->next) {
        struct evutil_addrinfo *at = dial->next;
        dial->next = at->ai_next;
        if (connect_to(dial, at->ai_addr, (socklen_t)at->ai_addrlen))
            return;
    }
    fail_to_connect(dial);
}

static void try_number(struct dial *dial, int family, const void *number)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(dial->place->port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(dial->place->port) };
    bool is_four = family == AF_INET;
    if (is_four)
        memcpy(&four.sin_addr, number, sizeof four.sin_addr);
    else
        memcpy(&six.sin6_addr, number, sizeof six.sin6_addr);
    if (!connect_to(dial, is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six,
                    is_four ? sizeof four : sizeof six))
        fail_to_connect(dial);
}

static void try_unix(struct dial *dial)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(dial->place->host);
    memcpy(address.sun_path, dial->place->host, length + 1);
    if (!connect_to(dial, (struct sockaddr *)&address, sizeof address))
        fail_to_connect(dial);
}

/* ---- names ---- */

static void on_lookup(int error, struct evutil_addrinfo *found, void *user)
{
    struct dial *dial = user;
    char why[200];
    dial->lookup = NULL;
    dial->found = found;
    dial->next = found;
    if (dial->is_cancelled) {
        forget(dial);
    } else if (error) {
        snprintf(why, sizeof why, "no address for %.100s: %.80s", dial->place->host,
                 evutil_gai_strerror(error));
        finish(dial, -1, OUTCOME_NO_ADDRESS, why);
    } else {
        try_next(dial);
    }
}

static const char hosts_file[] = "/etc/hosts";
static const char servers_file[] = "/etc/resolv.conf";

/* Another number when a file is another one, or was written to. */
static uint64_t state_of_files(void)
{
    const char *const paths[] = { hosts_file, servers_file };
    char text[192] = "";
    for (size_t i = 0, used = 0; i < sizeof paths / sizeof *paths; i++) {
        struct stat found = { .st_ino = 0 };
        if (stat(paths[i], &found) == 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%zu %ju %jd.%ld ", i,
                                     (uintmax_t)found.st_ino, (intmax_t)found.st_mtim.tv_sec,
                                     found.st_mtim.tv_nsec);
    }
    return name_hash(text);
}

static struct evdns_base *names_of(struct dialler *dialler)
{
    if (dialler->names)
        return dialler->names;
    dialler->files = state_of_files();
    dialler->names = evdns_base_new(dialler->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                       EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!dialler->names) { /* no resolv.conf: /etc/hosts may know it */
        dialler->names = evdns_base_new(dialler->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (dialler->names)
            evdns_base_load_hosts(dialler->names, hosts_file);
    }
    return dialler->names;
}

/* Lookups that are under way are asked of the new servers. */
void dialler_look(struct dialler *dialler)
{
    uint64_t files = dialler->names ? state_of_files() : 0;
    if (!dialler->names || files == dialler->files)
        return;
    dialler->files = files;
    evdns_base_clear_host_addresses(dialler->names);
    evdns_base_load_hosts(dialler->names, hosts_file);
    evdns_base_search_clear(dialler->names);
    evdns_base_clear_nameservers_and_suspend(dialler->names);
    evdns_base_resolv_conf_parse(dialler->names, DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS,
                                 servers_file);
    evdns_base_resume(dialler->names);
}

static void try_name(struct dial *dial)
{
    const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC,
                                           .ai_socktype = SOCK_STREAM,
                                           .ai_protocol = IPPROTO_TCP };
    char port[8];
    struct evdns_base *names = names_of(dial->dialler);
    if (!names) {
        finish(dial, -1, OUTCOME_NO_ADDRESS, "names cannot be looked up here");
        return;
    }
    snprintf(port, sizeof port, "%u", dial->place->port);
    /* It may call back at once, and then the dial is gone. */
    struct evdns_getaddrinfo_request *lookup =
        evdns_getaddrinfo(names, dial->place->host, port, &hints, on_lookup, dial);
    if (lookup)
        dial->lookup = lookup;
}

static void begin(evutil_socket_t fd, short what, void *user)
{
    struct dial *dial = user;
    struct in6_addr number;
    (void)fd;
    (void)what;
    if (dial->place->is_unix)
        try_unix(dial);
    else if (inet_pton(AF_INET, dial->place->host, &number) == 1)
        try_number(dial, AF_INET, &number);
    else if (inet_pton(AF_INET6, dial->place->host, &number) == 1)
        try_number(dial, AF_INET6, &number);
    else
        try_name(dial);
}

struct dial *dial_start(struct dialler *dialler, const struct place *place, dial_done *done,
                        void *user)
{
    static const struct timeval now;
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    *dial =
        (struct dial){ .dialler = dialler, .place = place, .done = done, .user = user, .fd = -1 };
    dial->event = evtimer_new(dialler->base, begin, dial);
    if (!dial->event || evtimer_add(dial->event, &now) != 0) {
        forget(dial);
        return NULL;
    }
    return dial;
}

const char *dial_stage(const struct dial *dial)
{
    return dial->lookup ? "looking its name up" : "connecting";
}

void dial_cancel(struct dial *dial)
{
    if (!dial->lookup) {
        forget(dial);
        return;
    }
    dial->is_cancelled = true;
    dial->place = NULL;
    evdns_getaddrinfo_cancel(dial->lookup);
}
