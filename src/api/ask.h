/* ask.h: a question to the engine, with or without a listener. */
#ifndef SNAG_API_ASK_H
#define SNAG_API_ASK_H

struct engine_request;

/* Has the engine answer REQUEST, one question at a time; where no listener runs, an engine is
 * started for this one. 0 or a negative errno; -EDEADLK on the listener's own thread. REQUEST's
 * bytes, if any, are the caller's to munmap. */
int engine_ask(struct engine_request *request);

#endif
