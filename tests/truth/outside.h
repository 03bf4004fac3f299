/* outside.h: what other programs say of the calling process while one of its threads waits for
 * them: snag, and elfutils' eu-stack. */
#ifndef SNAG_TESTS_OUTSIDE_H
#define SNAG_TESTS_OUTSIDE_H

#include "dump_text.h"

#include <stdbool.h>

/* Lets any process of the same user look at this one, where Yama would only let its parents. */
bool outside_allow(void);

/* What `COMMAND dump PID threads FORM` says; FORM is --debug=2 or --json. 0, or a negative errno
 * with nothing in *DUMP. */
int outside_snag(const char *command, const char *form, struct dump *dump);

/* What eu-stack says, in its place for names and states nothing. False when it says nothing. It
 * stops the process. */
bool outside_eu_stack(struct dump *dump);

#endif
