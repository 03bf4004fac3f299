/* dump_text.h: a dump, read back from what snag printed.
 *
 * Two forms are understood, the blocks of debug=2 and the JSON of
 * /debug/threads?format=json, so that one can be held against the other. */
#ifndef SNAG_TESTS_DUMP_TEXT_H
#define SNAG_TESTS_DUMP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DUMP_FRAMES 600

struct dump_thread {
    pid_t tid;
    char name[64];
    char doing[96];    /* "futex for 3 s"; empty in JSON */
    char state[24];    /* "sleeping" */
    char capture[160]; /* "procfs", "signal", "partial: WHY" */
    size_t count;      /* frames; inlined ones are not counted apart */
    uint64_t frames[DUMP_FRAMES];
    char *functions[DUMP_FRAMES]; /* as printed after the address, the innermost
                                     inlined one first, joined by " < " */
};

struct dump {
    size_t count;
    struct dump_thread *threads;
};

/* Reads TEXT. 0, or -EPROTO when a line is not as it should be; what was wrong
 * goes to stderr. dump_free in every case. */
int dump_read_blocks(const char *text, struct dump *dump);
int dump_read_json(const char *text, struct dump *dump);
void dump_free(struct dump *dump);

const struct dump_thread *dump_find(const struct dump *dump, pid_t tid);
bool dump_is_partial(const struct dump_thread *thread);

/* Whether a frame's words name FUNCTION (from its first character, or behind " < "). */
bool dump_has_function(const struct dump_thread *thread, const char *function);

/* snag_write("threads", ..., 2) of the calling process, read back through a
 * temporary file. 0 or a negative errno. */
int dump_by_call(struct dump *dump);

/* PATH ("/debug/pprof/threads?debug=2" or one with format=json) from ADDRESS. */
int dump_by_http(const char *address, const char *path, struct dump *dump);

#ifdef __cplusplus
}
#endif

#endif
