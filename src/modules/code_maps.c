/* code_maps.c: the executable mappings, asked of the kernel; see code_maps.h and proc_pid_maps(5).
 */
#include "modules/code_maps.h"

#include "base/maps.h"
#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
    struct map_query query = { .query_flags = MAP_QUERY_EXECUTABLE | MAP_QUERY_COVERING_OR_NEXT };
    int error;
    while ((error = map_query(fd, &query)) == 0) {
        sum = mix(sum, query.vma_start);
        sum = mix(sum, query.vma_end);
        sum = mix(sum, query.vma_offset);
        sum = mix(sum, query.inode);
        sum = mix(sum, (uint64_t)query.dev_major << 32 | query.dev_minor);
        query.query_addr = query.vma_end;
    }
    close(fd);
    *hash = sum;
    return error == -ENOENT; /* no mapping further up */
}
