/* file_systems.h: which file systems answer by themselves.
 *
 * A file on a dead network mount, or on one whose server is a process that hangs (FUSE), holds
 * up whoever opens it, asks for its type, or touches a page of it that is not in memory; for ever,
 * and a kill does not always help. Nothing of that kind is done to a file system that is not known
 * to be a local one: by the type that mountinfo tells, since asking the mount itself (statfs)
 * hangs as well. */
#ifndef SNAG_BASE_FILE_SYSTEMS_H
#define SNAG_BASE_FILE_SYSTEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the file system called NAME in mountinfo is on a local disk or made up by the kernel. */
bool file_system_is_local(const char *name, size_t length);

/* The mounts that a process sees. */
struct file_systems {
    int fd;         /* its mountinfo; -1: not to be had, everything counts as answering then */
    bool was_read;  /* the lists are up to date, unless poll says otherwise */
    bool is_known;  /* they could be read */
    uint64_t *good; /* devices, as st_dev, of those that answer ... */
    size_t good_count;
    uint64_t *bad; /* ... and of those that may not */
    size_t bad_count;
    char **bad_places; /* where the latter are mounted */
    size_t bad_place_count;
    uint64_t memory_device;  /* of memfd_create and of anonymous shared memory, which is no mount */
    uint64_t overlay_device; /* of the first overlay; 0: there is none */
    bool shows_layers; /* maps tells the devices of overlays' layers, mounted nowhere here (before
                          Linux 6.7): whoever reads maps finds out */
};

/* The mounts of the thread whose directory in /proc is DIRECTORY_FD. Kept open: what is
 * mounted later is seen. */
void file_systems_open(struct file_systems *systems, int directory_fd);
void file_systems_close(struct file_systems *systems);

/* Whether a file on DEVICE (as st_dev, or as maps has it) may be read without waiting for
 * anybody. One that is mounted nowhere does if it is a disk, or a layer of an overlay. */
bool device_answers(struct file_systems *systems, uint64_t device);

/* The device of the first overlay among the mounts; 0: there is none. */
uint64_t overlay_device(struct file_systems *systems);

/* Whether the way to PATH, an absolute one, leads through no mount that may not answer.
 * Symbolic links are not followed. */
bool path_answers(struct file_systems *systems, const char *path);

#endif
