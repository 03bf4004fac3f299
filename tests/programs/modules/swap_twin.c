/* swap_twin.c: as swap_small.c, address by address, but for a constant: a stack through the
 * one has the same words as through the other, and is another stack. */
#define FRAME_BYTES 1000
#define MARK 2
#include "swap.h"
