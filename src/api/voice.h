/* voice.h: the thread that says what the monitor has to say, in the service's name.
 *
 * The engine's thread cannot: its descriptors are its own, so a logger of the service's would write
 * to nowhere, and a logger that is stuck would stop the monitor, too. There is a voice only while
 * snag watches. */
#ifndef SNAG_API_VOICE_H
#define SNAG_API_VOICE_H

#include <sys/types.h>

struct engine_lines;
struct voice;

/* Starts the thread, which hands each line of LINES to LOG with USER; NULL: log_to_stderr. 0 or a
 * negative errno. */
int voice_start(struct voice **voice, struct engine_lines *lines,
                void (*log)(const char *line, void *user), void *user);

pid_t voice_tid(const struct voice *voice);

/* Says what is there still and ends the thread. */
void voice_stop(struct voice *voice);

#endif
