/* swap_large.c: see swap_small.c. */
#define FRAME_BYTES 3000
#include "swap.h"
