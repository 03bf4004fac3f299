/* stack_copy.h: a blocked thread's stack, copied without its help. */
#ifndef SNAG_CAPTURE_STACK_COPY_H
#define SNAG_CAPTURE_STACK_COPY_H

#include "base/stack.h"

struct target;

/* Bytes below the stack pointer that a leaf function of the x86-64 ABI may use. */
#define RED_ZONE 128u

/* Where copies go; one buffer, used again and again. */
struct stack_buffer {
    unsigned char *bytes;
    size_t size;
};

bool stack_buffer_init(struct stack_buffer *buffer);
void stack_buffer_free(struct stack_buffer *buffer);

/* Fills in COPY, whose registers are set: up to the buffer's size from the stack
 * pointer up. False when not even the word at the stack pointer is readable; COPY->length is 0
 * then. */
bool stack_copy(struct target *target, const struct stack_buffer *buffer, struct stack_copy *copy);

#endif
