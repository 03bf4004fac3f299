/* eh_frame.h: where a program's unwind information is that comes without a search table. Private to
 * modules/. */
#ifndef SNAG_MODULES_EH_FRAME_H
#define SNAG_MODULES_EH_FRAME_H

#include <stdint.h>

struct module;
struct target;

/* Sets MODULE's eh_frame and eh_frame_size, if it is the program that TARGET runs, whose headers
 * are mapped at HEADER, and they are to be had. */
void eh_frame_find(struct target *target, uint64_t header, struct module *module);

#endif
