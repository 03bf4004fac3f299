/* swap_small.c: a module that calls back from a small frame. swap_large.c is the
 * same code but for the size of the frame, so that what was learnt about a return
 * address in one is wrong in the other. */
#define FRAME_BYTES 1000
#include "swap.h"
