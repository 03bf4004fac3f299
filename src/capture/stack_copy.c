/* stack_copy.c: a blocked thread's stack, copied without its help; see
 * stack_copy.h.
 *
 * What is in memory from the stack pointer up, at most 16 KiB, which holds most
 * stacks whole; a wild stack pointer is an error. Above the top there may be anything, a file on a
 * dead mount too, so the copy ends at the first page that would have to be brought. Where a
 * stack goes on behind such a page (a frame with an array that nobody wrote to), the
 * unwinder reads there what it wants. */
#include "capture/stack_copy.h"

#include "base/target.h"

#include <sys/mman.h>

#define COPY_SIZE ((size_t)16 << 10)

bool stack_buffer_init(struct stack_buffer *buffer)
{
    void *bytes = mmap(NULL, COPY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return false;
    *buffer = (struct stack_buffer){ .bytes = bytes, .size = COPY_SIZE };
    return true;
}

void stack_buffer_free(struct stack_buffer *buffer)
{
    if (buffer->bytes)
        munmap(buffer->bytes, buffer->size);
    buffer->bytes = NULL;
}

bool stack_copy(struct target *target, const struct stack_buffer *buffer, struct stack_copy *copy)
{
    uint64_t sp = copy->registers.sp;
    copy->bytes = buffer->bytes;
    copy->length = 0;
    copy->low = sp > RED_ZONE ? sp - RED_ZONE : sp;
    ssize_t got = target_read_ahead(target, copy->low, buffer->bytes, buffer->size);
    if (got < 0 || copy->low + (uint64_t)got < sp + sizeof(uint64_t)) {
        /* The red zone may reach into a guard page that the thread has never touched. */
        copy->low = sp;
        got = target_read_ahead(target, copy->low, buffer->bytes, buffer->size);
    }
    if (got < (ssize_t)sizeof(uint64_t)) /* in swap or never touched, if it is any stack */
        got = target_read(target, copy->low, buffer->bytes, sizeof(uint64_t));
    if (got < (ssize_t)sizeof(uint64_t))
        return false;
    copy->length = (size_t)got;
    return true;
}
