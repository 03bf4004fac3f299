/* stack_copy.c: a blocked thread's stack, copied without its help; see
 * stack_copy.h.
 *
 * The kernel copies page by page and stops at the first that is not readable,
 * so a stack that ends within the wanted length is a short read and a wild
 * stack pointer is an error. One call costs about 4 us, of which 16 KiB is hardly more than 2; most
 * stacks end before that. */
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
    ssize_t got = target_read(target, copy->low, buffer->bytes, buffer->size);
    if (got < 0 || copy->low + (uint64_t)got < sp + sizeof(uint64_t)) {
        /* The red zone may reach into a guard page that the thread has never touched. */
        copy->low = sp;
        got = target_read(target, copy->low, buffer->bytes, buffer->size);
    }
    if (got < (ssize_t)sizeof(uint64_t))
        return false;
    copy->length = (size_t)got;
    return true;
}
