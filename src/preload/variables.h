/* variables.h: what `snag run` and the user asked for, kept apart from the environment.
 *
 * The environment is the service's: it may clear it, move it or write over it at any time, and a
 * listener that starts later, in a child, is a thread beside that. So what is for snag is copied
 * once, in the constructor. */
#ifndef SNAG_PRELOAD_VARIABLES_H
#define SNAG_PRELOAD_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

/* Keeps the variables whose names begin with SNAG_. */
void variables_keep(void);

/* The value of NAME, as snag_start is to see it: where `snag run` has a say, it is that. NULL when
 * it is not set. */
const char *variables_value(const char *name);

/* Takes what `snag run` has set out of the environment. */
void variables_leave_environment(void);

/* Whether ENVIRONMENT takes the libraries along as it is. */
bool variables_are_in(char *const *environment);

/* For a program that this process becomes by exec: RESULT is ENVIRONMENT with what takes the
 * libraries along, terminated; it has room for VARIABLES_MORE more entries than ENVIRONMENT. TEXT
 * holds one of them. The listener is to be at the address that was told last; with
 * --children, where `snag run` was told. Safe in a signal handler; false when there is no room in
 * TEXT. */
#define VARIABLES_MORE 7
bool variables_for_exec(char *const *environment, char **result, char *text, size_t size);
void variables_tell_address(const char *address);

/* ---- What `snag run` sets ---- */

#define VARIABLE_WISH "SNAG_PRELOAD" /* "1", or: */
#define VARIABLE_WISH_CHILDREN "children"
#define VARIABLE_LISTEN "SNAG_PRELOAD_LISTEN"
#define VARIABLE_ADDRESS_FILE "SNAG_PRELOAD_ADDRESS_FILE"
#define VARIABLE_LEAKCHECK "SNAG_LEAKCHECK"
#define VARIABLE_STDERR "SNAG_PRELOAD_STDERR" /* "DEVICE:INODE", with --children */
#define VARIABLE_EVEN "SNAG_PRELOAD_EVEN"     /* set if what is taken out would be an odd number */

#endif
