/* swap.h: the code of both, with FRAME_BYTES of locals. */

int through_module(int (*back)(void *), void *argument);
int swap_frame_bytes(void);

__attribute__((visibility("default"), noinline)) int through_module(int (*back)(void *),
                                                                    void *argument)
{
    volatile char local[FRAME_BYTES];
    local[0] = 1;
    local[FRAME_BYTES - 1] = 1;
    return back(argument) + local[0] - local[FRAME_BYTES - 1];
}

__attribute__((visibility("default"))) int swap_frame_bytes(void)
{
    return FRAME_BYTES;
}
