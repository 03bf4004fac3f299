/* processor_losses.h: the time that processors spent for others. */
#ifndef SNAG_SOURCES_PROCESSOR_LOSSES_H
#define SNAG_SOURCES_PROCESSOR_LOSSES_H

#include <stdint.h>

struct target;

#define PROCESSORS_MAX 1024

struct processor_losses {                /* in ns since boot, by processor */
    uint64_t steal[PROCESSORS_MAX];      /* the hypervisor ran somebody else */
    uint64_t interrupts[PROCESSORS_MAX]; /* interrupts were served */
};

/* Reads /proc/stat; all zero where it cannot be had. */
void processor_losses_read(const struct target *target, struct processor_losses *losses);

#endif
