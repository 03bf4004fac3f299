/* reports.h: what can be asked for, and the one place where it is made.
 *
 * A report (struct report) is one kind of thing to list: today the threads.
 * It takes a dump and writes it in each of its forms. The lab holds what dumps
 * are made with. The desk takes orders from HTTP and from snag_write alike, makes one
 * dump for all who wait for the same, and hands each the same bytes.
 *
 * A new report is one file with a `const struct report` and one row in
 * catalogue.c: routes, index, queries and snag_write follow from it. */
#ifndef SNAG_REPORTS_REPORTS_H
#define SNAG_REPORTS_REPORTS_H

#include "base/target.h"
#include "capture/capture.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct event_base;
struct fd_source;
struct labels;
struct inventory_source;
struct modules;
struct profile;
struct sink;
struct symbolizer;
struct thread_source;
struct tracking;
struct unwinder;
struct stuck_growing;
struct stuck_memory;
struct wait_source;

/* Who watches the process from time to time, if anybody does. */
struct lab_watcher {
    /* Fills LIST with what grows, the worst first, at most ROOM; how many. NULL: nobody watches. */
    size_t (*growing)(void *user, struct stuck_growing *list, size_t room);
    void *user;
};

/* One of each, shared by all reports on one process. */
struct lab {
    struct target target;
    struct modules *modules;
    struct symbolizer *symbolizer;
    struct unwinder *unwinder;
    struct thread_source *threads;
    struct tracking *tracking;
    struct labels *labels;
    struct fd_source *fds;
    struct wait_source *waits;
    struct stuck_memory *stuck;
    struct inventory_source *inventories;
    struct lab_watcher watcher;
    uint64_t handles_root; /* addresses in the target, of struct handle_root ... */
    uint64_t labels_root;  /* ... and struct label_root; 0 not known. Of another process they are
                              looked up; the engine, which lies in its target, is told */
    uint64_t threads_root; /* of struct own_threads, of another process only ... */
    uint32_t roots_program; /* ... and when all three were looked up: its program's module ... */
    size_t roots_modules;   /* ... and how many modules it had */
};

/* A lab that looks at PID, 0 for the own process. 0 or a negative errno; must
 * stay where it is until lab_close. */
int lab_open(struct lab *lab, pid_t pid, enum signal_mode mode);
void lab_close(struct lab *lab);

/* To be called before each dump of another process: it may have loaded libsnag since the last one,
 * or have become another program. */
void lab_look_again(struct lab *lab);

/* Gives back what is kept between dumps to make the next one cheap. */
void lab_trim(struct lab *lab);

/* The path of the program; its short name where the path is not to be had. */
void lab_program(struct lab *lab, char *text, size_t size);

/* How long the process has run; 0 where the kernel does not tell. */
uint64_t lab_uptime_ns(struct lab *lab);

/* The arguments, each with its terminating 0, LENGTH bytes in all. To be
 * freed with free(); NULL and a length of 0 when there are none. */
char *lab_arguments(struct lab *lab, size_t *length);

enum report_form {
    REPORT_PPROF,  /* debug=0: gzip'd profile.proto */
    REPORT_COUNTS, /* debug=1: text grouped by stack, which pprof reads too */
    REPORT_BLOCKS, /* debug=2: one block per item */
    REPORT_GROUPS, /* /debug/NAME: for reading */
    REPORT_JSON    /* /debug/NAME?format=json */
};

#define REPORT_NAME_SIZE 80

/* What a report that comes in parts can do besides: each part is a report by a name of its own,
 * under the same roof. They are numbered from 1; there may be more of them at any time, never
 * fewer. */
struct report_parts {
    const char *called; /* all together: "inventories" */
    unsigned (*how_many)(struct lab *lab);
    bool (*name)(struct lab *lab, unsigned part, char name[REPORT_NAME_SIZE]);
    long (*count)(struct lab *lab, unsigned part); /* as struct report's */
    int (*take)(struct lab *lab, unsigned part, bool with_details, void **dump);
};

struct report {
    const char *name;  /* in /debug/pprof/NAME and /debug/NAME */
    const char *alias; /* another name for it under /debug/pprof, or NULL */
    const char *about; /* for the index: one sentence */

    /* How many there are now; negative errno. */
    long (*count)(struct lab *lab);

    /* Makes one dump; 0 or a negative errno. TAKE_DETAILS, NULL where there is no difference, also
     * reads what only REPORT_BLOCKS and REPORT_JSON show. */
    int (*take)(struct lab *lab, void **dump);
    int (*take_details)(struct lab *lab, void **dump);
    void (*release)(void *dump);
    uint64_t (*time_ns)(const void *dump); /* CLOCK_REALTIME of the dump */
    size_t (*items)(const void *dump);     /* how many it lists ... */
    const char *item;                      /* ... and what one is called */

    const struct report_parts *parts; /* NULL: it has none */

    bool is_numbered; /* debug=0 always keeps the numbers of the items, as if by tid=1 */

    /* debug=0 and debug=1 come from one profile; all NULL for a report without. EARLIER is NULL but
     * for a difference. */
    void (*types)(struct profile *profile, const void *now, const void *earlier);
    void (*samples)(struct profile *profile, const void *dump, int sign, bool with_tid);
    void (*comments)(struct profile *profile, const void *dump);

    /* What it lists in a line each, the worst first; NULL where an item is more than a line. */
    void (*lines)(struct sink *sink, const void *dump);

    /* debug=2, /debug/NAME, ?format=json; each NULL where the report has no such form. */
    void (*blocks)(struct sink *sink, const void *dump, struct symbolizer *symbolizer);
    void (*groups)(struct sink *sink, const void *dump, struct symbolizer *symbolizer);
    void (*json)(struct sink *sink, const void *dump, struct symbolizer *symbolizer);
};

/* All of them, in the order of the index, ended by NULL. */
extern const struct report *const report_catalogue[];

/* By name or alias; NULL. */
const struct report *report_find(const char *name);
bool report_has_form(const struct report *report, enum report_form form);

/* A report, or a part of one. */
struct report_entry {
    const struct report *report;
    unsigned part; /* 0: the whole */
    char name[REPORT_NAME_SIZE];
};

/* Goes to the next of all reports, the parts of each behind it; the first, if ENTRY is empty. False
 * behind the last. */
bool report_next(struct lab *lab, struct report_entry *entry);

/* The one called NAME, or by that alias. */
bool report_look_up(struct lab *lab, const char *name, struct report_entry *entry);

/* How many there are now of what it lists; negative errno. */
long report_count(struct lab *lab, const struct report_entry *entry);

/* Makes one dump of REPORT, or of its PART. 0 or a negative errno; report->release ends it. */
int report_take(struct lab *lab, const struct report *report, unsigned part, bool with_details,
                void **dump);

struct report_query {
    const struct report *report;
    unsigned part; /* of it; 0: the whole */
    enum report_form form;
    unsigned seconds; /* with REPORT_PPROF: the difference over so many seconds; 0: as it is now */
    bool with_tid;    /* with REPORT_PPROF and REPORT_COUNTS: thread ids as a label */
};

/* Writes NOW, or with EARLIER the difference from it, as QUERY says. The same
 * dump and query give the same bytes. 0 or a negative errno. */
int report_write(struct lab *lab, const struct report_query *query, const void *earlier,
                 const void *now, struct sink *sink);

/* One wish for a report. Embedded in a struct of whoever orders, who fills
 * `query` and `done` and keeps it in place until done() or desk_cancel(). */
struct report_order {
    struct report_query query;
    /* Called once, from the event loop: STATUS 0 and the report, or a negative
     * errno. BYTES are valid during the call. The order may be freed in it. */
    void (*done)(struct report_order *order, int status, const void *bytes, size_t length);

    struct report_desk *desk; /* the desk's from here on */
    LIST_ENTRY(report_order) link;
    bool in_list;         /* waits for the next dump */
    struct shot *earlier; /* of a difference: the first dump ... */
    struct event *timer;  /* ... and when the second is due */
};

struct report_desk;

/* A desk that works in BASE with LAB; both must outlive it. BASE has priorities
 * below the usual one (3 in all), of which the desk takes the lowest. NULL without memory. */
struct report_desk *desk_new(struct event_base *base, struct lab *lab);

/* Ends orders that wait for a dump with -ECANCELED; those between two dumps
 * must have been cancelled. */
void desk_free(struct report_desk *desk);

void desk_submit(struct report_desk *desk, struct report_order *order);

/* done() will not be called. */
void desk_cancel(struct report_order *order);

/* Somebody used the lab: what is kept in it is given back ten seconds after the last time. */
void desk_used(struct report_desk *desk);

#endif
