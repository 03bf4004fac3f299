/* written_code.h: locations, functions and mappings of a profile that is written. */
#ifndef SNAG_PROFILE_WRITTEN_CODE_H
#define SNAG_PROFILE_WRITTEN_CODE_H

#include <stdbool.h>

struct written;

/* Fills these three of WRITTEN for the stacks in use. False without memory. */
bool written_code(struct written *written, const bool *stack_used);

#endif
