/* requests.h: what service threads ask for by snag_write. */
#ifndef SNAG_ENGINE_REQUESTS_H
#define SNAG_ENGINE_REQUESTS_H

struct engine_host;
struct lab;
struct report_desk;

/* Takes what has been pushed on HOST: profiles are ordered at DESK, leak checks done with LAB. */
void requests_take(struct engine_host *host, struct report_desk *desk, struct lab *lab);

/* Answers what is still there with -ECANCELED: the engine ends. */
void requests_cancel(struct engine_host *host);

#endif
