/* listener.h: the thread that the engine runs on, and how it is spoken to. */
#ifndef SNAG_API_LISTENER_H
#define SNAG_API_LISTENER_H

#include "api/options.h"
#include "engine/engine.h"

#include <stdbool.h>

struct listener;
struct log_lines;

/* Loads the engine and starts its thread; waits until it is ready. Takes over
 * what SETTINGS own. 0 or a negative errno with one line in ERROR. NOTES gets lines
 * worth logging. */
int listener_start(struct settings *settings, struct listener **listener, struct log_lines *notes,
                   char *error, size_t size);

/* Ends the thread and frees the listener. */
void listener_stop(struct listener *listener);

/* In a child of fork: LISTENER is the parent's. Its thread is not here, so nothing
 * of it can be freed; it is only kept in sight of leak checkers. */
void listener_leave_behind(struct listener *listener);

/* Has the engine answer REQUEST; returns when it is done. */
void listener_ask(struct listener *listener, struct engine_request *request);

const char *listener_address(const struct listener *listener);

/* False in a child of the process that started it. */
bool listener_is_mine(const struct listener *listener);

/* Whether the calling thread is the one the engine runs on; whether thread TID of this process is
 * the one that an engine runs on, or the last did. */
bool listener_is_caller(void);
bool listener_is_thread(pid_t tid);

#endif
