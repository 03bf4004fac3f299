/* own_thread.c: the service's thread, made fit for the engine; see own_thread.h.
 *
 * The thread was made by the service's C library, and the engine has another
 * one, which does not know of it:
 *
 *   - its tables of character classes are not set: uselocale() sets them;
 *   - its environ is the array that the service had when the engine was loaded,
 *     and the service may free that by setenv(): it gets an empty one;
 *   - when the thread ends nobody tells it, and what its malloc keeps per thread
 *     (up to some 200 kB) would be lost at every snag_stop. So that state is kept:
 *     the block of thread-local variables is copied at the end and put in place in
 *     the next thread, which goes on as if it were the same. Only one runs at a time,
 *     and nothing in the block points into the block. */
#include "engine/own_thread.h"

#include "base/own_threads.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <locale.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LARGE_BLOCK (256 << 10)

/* glibc's has about 200 bytes; one that is larger is left alone. */
static struct {
    size_t size; /* 0: no thread has ended yet */
    unsigned char bytes[4096];
} kept;

struct block {
    void *bytes;
    size_t size;
};

/* Finds the C library among the loaded objects, and its block in this thread. */
static int find_block(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct block *block = argument;
    uintptr_t code = (uintptr_t)gnu_get_libc_version;
    bool is_libc = false;
    size_t tls_size = 0;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && code - (info->dlpi_addr + part->p_vaddr) < part->p_memsz)
            is_libc = true;
        if (part->p_type == PT_TLS)
            tls_size = part->p_memsz;
    }
    if (!is_libc)
        return 0;
    *block = (struct block){ info->dlpi_tls_data, tls_size };
    return 1;
}

static struct block libc_block(void)
{
    struct block block = { NULL, 0 };
    dl_iterate_phdr(find_block, &block);
    if (!block.bytes || block.size > sizeof kept.bytes)
        block.size = 0;
    return block;
}

/* The service's own C library sees to all of it itself. */
static bool is_service_libc(const void *service_errno)
{
    return service_errno == &errno;
}

static void adopt(void)
{
    static char *no_variables[] = { NULL };
    struct block block = libc_block();
    if (block.size > 0 && block.size == kept.size)
        memcpy(block.bytes, kept.bytes, kept.size);
    uselocale(LC_GLOBAL_LOCALE);
    environ = no_variables;
    /* Debug information, megabytes for a moment, is to leave no holes in the heap. */
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
}

void own_thread_begin(const void *service_errno)
{
    prctl(PR_SET_NAME, ENGINE_THREAD_NAME);
    if (!is_service_libc(service_errno))
        adopt();
}

void own_thread_end(const void *service_errno)
{
    if (is_service_libc(service_errno))
        return;
    struct block block = libc_block();
    kept.size = block.size;
    if (block.size > 0)
        memcpy(kept.bytes, block.bytes, block.size);
}
