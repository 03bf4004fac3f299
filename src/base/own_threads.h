/* own_threads.h: which of a process's threads are snag's, for who looks at it from outside.
 *
 * libsnag exports one such struct as OWN_THREADS_SYMBOL and writes it; a reader takes it for a
 * hint: a thread may have ended, and in a child of fork they are the parent's. */
#ifndef SNAG_BASE_OWN_THREADS_H
#define SNAG_BASE_OWN_THREADS_H

#include <stdint.h>

#define OWN_THREADS_SYMBOL "snag_threads_root"
#define OWN_THREADS_MAGIC UINT64_C(0x7364616572687473)
#define OWN_THREADS_VERSION 1u

/* The names that these threads have. */
#define ENGINE_THREAD_NAME "snag"
#define LOG_THREAD_NAME "snag-log"

struct own_threads {
    uint64_t magic;
    uint32_t version;
    uint32_t size;
    _Atomic int32_t engine; /* ids as the process itself knows them; 0: none yet */
    _Atomic int32_t log;
};

#endif
