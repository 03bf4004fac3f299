/* fds_signals.h: names of signals. */
#ifndef SNAG_SOURCES_FDS_SIGNALS_H
#define SNAG_SOURCES_FDS_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

/* "SIGINT SIGTERM SIGRTMIN+2" for a mask in which bit 0 is signal 1. TEXT is terminated. */
void signal_set_words(char *text, size_t size, uint64_t mask);

#endif
