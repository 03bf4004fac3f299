/* stack_end.c: why a stack is not whole, in words; for both sides. */
#include "stacks/stacks.h"

const char *stack_end_words(enum stack_end end)
{
    static const char *const words[STACK_ENDS] = {
        [STACK_DEEPER] = "stack deeper than what is kept",
        [STACK_NO_TABLE] = "code without unwind table",
        [STACK_NOT_FOLLOWED] = "a frame that the tables do not undo simply",
        [STACK_CORRUPT] = "corrupt stack",
        [STACK_AT_ZERO] = "stack ends at a return address of 0",
    };
    return (unsigned)end < STACK_ENDS ? words[end] : "stack ends for an unknown reason";
}
