/* code_maps.c: PROCMAP_QUERY, which the headers of Debian 12 do not know yet;
 * see code_maps.h and proc_pid_maps(5). */
#include "modules/code_maps.h"

#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* struct procmap_query and its flags, as include/uapi/linux/fs.h has them. */
struct query {
    uint64_t size;
    uint64_t query_flags;
    uint64_t query_addr;
    uint64_t vma_start;
    uint64_t vma_end;
    uint64_t vma_flags;
    uint64_t vma_page_size;
    uint64_t vma_offset;
    uint64_t inode;
    uint32_t dev_major;
    uint32_t dev_minor;
    uint32_t vma_name_size;
    uint32_t build_id_size;
    uint64_t vma_name_addr;
    uint64_t build_id_addr;
};

#define QUERY _IOWR('f', 17, struct query)
#define QUERY_EXECUTABLE 0x04
#define QUERY_COVERING_OR_NEXT 0x10

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

bool code_maps_hash(struct target *target, uint64_t *hash)
{
    int fd = openat(target->live_fd, "maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    uint64_t sum = 1;
    struct query query = { .size = sizeof query,
                           .query_flags = QUERY_EXECUTABLE | QUERY_COVERING_OR_NEXT };
    while (ioctl(fd, QUERY, &query) == 0) {
        sum = mix(sum, query.vma_start);
        sum = mix(sum, query.vma_end);
        sum = mix(sum, query.vma_offset);
        sum = mix(sum, query.inode);
        sum = mix(sum, (uint64_t)query.dev_major << 32 | query.dev_minor);
        query.query_addr = query.vma_end;
    }
    bool whole = errno == ENOENT; /* no mapping further up */
    close(fd);
    *hash = sum;
    return whole;
}
