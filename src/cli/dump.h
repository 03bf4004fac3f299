/* dump.h: the parts of `snag dump`, each a dump_*.c of this folder.
 *
 *   wish      what the command line asks for                    dump_wish.c
 *   subject   whether PID is a process that has stacks          dump_subject.c
 *   access    what the kernel refuses, why, and what to do      dump_facts.c, dump_access.c
 *   output    a dump's bytes: a file, whole or not at all; a pipe; a screen
 *                                                               dump_output.c, dump_screen.c
 *   wait      between two dumps: time, Ctrl-C, the process's end
 *                                                               dump_wait.c */
#ifndef SNAG_CLI_DUMP_H
#define SNAG_CLI_DUMP_H

#include "reports/reports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- wish ---- */

#define DEBUG_NOT_GIVEN (-1)

struct dump_wish {
    const char *process; /* as it was given */
    const char *profile;
    const char *file;  /* NULL: not given; "-": stdout */
    int debug;         /* 0 to 2, or DEBUG_NOT_GIVEN */
    unsigned seconds;  /* 0: not given */
    uint64_t watch_ns; /* 0: not given */
    bool json;
    bool with_tid;
};

/* Reads what is behind the command's name. STATUS_OK, or the status to end with, after a line on
 * stderr. */
int dump_wish_read(char **arguments, struct dump_wish *wish);

/* The form that WISH means for ENTRY. STATUS_OK, or STATUS_USAGE after a line on stderr. */
int dump_wish_form(const struct dump_wish *wish, const struct report_entry *entry,
                   enum report_form *form);

/* Whether it goes to stdout. */
bool dump_wish_is_stdout(const struct dump_wish *wish);

/* ---- subject ---- */

/* The process that TEXT is the id of. STATUS_OK, or the status to end with, after a line on stderr
 * that says what else it is. */
int dump_subject_find(const char *text, pid_t *process);

#define DUMP_NAME_SIZE 64 /* a name has up to 15 bytes, of which each may be written as \xNN */

/* Its short name, fit for a terminal; "?" where that is not to be had. */
void dump_subject_name(pid_t process, char name[DUMP_NAME_SIZE]);

/* Whether it has ended: it is gone, or nothing but its status is left. */
bool dump_subject_has_ended(pid_t process);

/* STATUS_OK, or STATUS_FAILED after a line on stderr: its program is for another kind of machine.
 */
int dump_subject_check_program(struct lab *lab);

/* ---- output ---- */

struct dump_output {
    const struct dump_wish *wish;
    enum report_form form;
    pid_t process;
    const char *name; /* of the process */
    bool is_screen;   /* redrawn with each dump */
    uint64_t written; /* dumps so far */
};

/* Writes one dump. 0 or a negative errno. */
int dump_output_write(struct dump_output *output, const char *bytes, size_t length);

/* Puts BYTES into the file PATH: afterwards it holds them all, or is as it was. 0 or a negative
 * errno. */
int dump_file_write(const char *path, const char *bytes, size_t length);

/* Whether that will be possible, as far as can be said before. 0 or a negative errno. */
int dump_file_check(const char *path);

/* Draws TEXT below TITLE over what the terminal shows, as far as there is room. */
int dump_screen_draw(const char *title, const char *text, size_t length, bool is_first);

/* ---- wait ---- */

enum dump_event { TIME_HAS_COME, PROCESS_HAS_ENDED };

/* From here on Ctrl-C ends the command well, at once: there is nothing to clean up at any time, as
 * a file is written with signals blocked. IS_SCREEN: the cursor is taken below what was drawn. */
void dump_end_on_interrupt(bool is_screen);

/* Waits until TIME_NS of CLOCK_MONOTONIC, or until PROCESS, a pidfd, has ended (-1: never). */
enum dump_event dump_wait_until(int process, uint64_t time_ns);
int dump_open_process(pid_t process);
uint64_t dump_now_ns(void);

#endif
