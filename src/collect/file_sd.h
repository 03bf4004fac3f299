/* file_sd.h: targets from a file as Prometheus reads it (file_sd_configs, JSON):
 *
 *   [ { "targets": ["10.0.0.5:6060", "unix:/run/app.sock"],
 *       "labels": { "job": "web", "instance": "web-1" } } ]
 *
 * The service is the label service, else service_name, else job, else the address. instance names
 * an instance, __profile_path_prefix__ stands before /debug/pprof. Other labels are other
 * programs'.
 *
 * A file that cannot be read, or is not whole, leaves the targets that it had before. */
#ifndef SNAG_COLLECT_FILE_SD_H
#define SNAG_COLLECT_FILE_SD_H

#include "collect/target.h"

#include <stdbool.h>
#include <sys/stat.h>

struct file_sd {
    const char *path;
    struct stat seen; /* when it was read last */
    bool was_seen;
    struct target_list targets; /* of the last time that it was whole */
};

/* Whether it is not what it was at the last file_sd_read. */
bool file_sd_has_changed(const struct file_sd *file);

/* 0, -EINVAL or another negative errno, and WHY. After 0 WHY is "", or tells of the targets that
 * are none and were left out. */
int file_sd_read(struct file_sd *file, char *why, size_t size);

void file_sd_free(struct file_sd *file);

#endif
