/* swap.h: the code of all, with FRAME_BYTES of locals that hold MARK. */

#ifndef MARK
#define MARK 1
#endif

int through_module(int (*back)(void *), void *argument);
int swap_frame_bytes(void);

__attribute__((visibility("default"), noinline)) int through_module(int (*back)(void *),
                                                                    void *argument)
{
    volatile char local[FRAME_BYTES];
    local[0] = MARK;
    local[FRAME_BYTES - 1] = MARK;
    return back(argument) + local[0] - local[FRAME_BYTES - 1];
}

__attribute__((visibility("default"))) int swap_frame_bytes(void)
{
    return FRAME_BYTES;
}
