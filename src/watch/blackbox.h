/* blackbox.h: all profiles, written to a directory before the evidence is gone.
 *
 * A set of files PROGRAM.PID.TIME.REASON.PROFILE.pb.gz, with texts beside them. Each is written
 * under another name, synced and renamed, so whatever ends the process, a file with its final name
 * is whole. The newest sets of a program are kept, the others removed. */
#ifndef SNAG_WATCH_BLACKBOX_H
#define SNAG_WATCH_BLACKBOX_H

#include <stddef.h>

struct blackbox;
struct lab;

/* Opens DIRECTORY, which is kept open: a later chroot changes nothing. 0 or a negative errno. */
int blackbox_open(struct blackbox **box, const char *directory);
void blackbox_close(struct blackbox *box);

/* Writes a set for REASON (a word: "fds80"), unless the last one for it is less than a minute old.
 * The number of files, 0 when it was too early, or a negative errno when none could be written.
 * TEXT tells, in one line, where they are or what failed. */
int blackbox_write(struct blackbox *box, struct lab *lab, const char *reason, char *text,
                   size_t size);

#endif
