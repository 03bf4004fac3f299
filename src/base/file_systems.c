/* file_systems.c: which file systems answer by themselves; see file_systems.h.
 *
 * The lists are read when they are first needed, and again when poll says that
 * something was mounted or unmounted: that is one cheap call for each question. Reading
 * mountinfo asks no file system anything. The root is trusted whatever it is: if it were
 * dead, the service could not have come this far. */
#include "base/file_systems.h"

#include "base/target.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Local disks and what the kernel makes up itself. Overlay passes the question on to such. */
static const char *const local_systems[] = {
    "ext4",     "ext3",     "ext2",   "xfs",      "btrfs",    "f2fs",     "tmpfs",
    "devtmpfs", "devpts",   "ramfs",  "rootfs",   "proc",     "sysfs",    "cgroup",
    "cgroup2",  "overlay",  "erofs",  "vfat",     "squashfs", "iso9660",  "hugetlbfs",
    "debugfs",  "bcachefs", "mqueue", "exfat",    "tracefs",  "configfs", "ntfs3",
    "zfs",      "jfs",      "nilfs2", "reiserfs", "udf",
};

bool file_system_is_local(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof local_systems / sizeof *local_systems; i++)
        if (strlen(local_systems[i]) == length && memcmp(local_systems[i], name, length) == 0)
            return true;
    return false;
}

/* One line of mountinfo: "36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw".
 */
struct mount_line {
    uint64_t device;
    const char *place;
    size_t place_length;
    const char *type;
    size_t type_length;
};

/* The field behind the next COUNT spaces. */
static const char *skip_fields(const char *at, const char *end, int count)
{
    for (; at && count > 0; count--) {
        at = memchr(at, ' ', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    return at;
}

static unsigned read_decimal(const char **at)
{
    unsigned value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (unsigned)(**at - '0');
    return value;
}

static bool parse_mount(const char *line, const char *end, struct mount_line *mount)
{
    const char *device = skip_fields(line, end, 2);
    const char *place = device ? skip_fields(device, end, 2) : NULL;
    const char *behind = place ? memchr(place, ' ', (size_t)(end - place)) : NULL;
    const char *type = behind ? memmem(behind, (size_t)(end - behind), " - ", 3) : NULL;
    const char *after = type ? memchr(type + 3, ' ', (size_t)(end - type - 3)) : NULL;
    if (!after)
        return false;
    unsigned major = read_decimal(&device);
    if (*device++ != ':')
        return false;
    *mount = (struct mount_line){
        .device = makedev(major, read_decimal(&device)),
        .place = place,
        .place_length = (size_t)(behind - place),
        .type = type + 3,
        .type_length = (size_t)(after - type - 3),
    };
    return true;
}

/* The mount point, in which the kernel spells some characters in octal: "\040". */
static char *place_of(const struct mount_line *mount)
{
    char *place = malloc(mount->place_length + 1);
    size_t length = 0;
    for (size_t i = 0; place && i < mount->place_length; i++) {
        const char *at = mount->place + i;
        if (*at == '\\' && i + 3 < mount->place_length) {
            place[length++] = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            i += 3;
        } else {
            place[length++] = *at;
        }
    }
    if (place)
        place[length] = 0;
    return place;
}

static void forget(struct file_systems *systems)
{
    for (size_t i = 0; i < systems->bad_place_count; i++)
        free(systems->bad_places[i]);
    free(systems->bad_places);
    free(systems->good);
    free(systems->bad);
    systems->bad_places = NULL;
    systems->good = systems->bad = NULL;
    systems->bad_place_count = systems->good_count = systems->bad_count = 0;
    systems->overlay_device = 0;
    systems->was_read = systems->is_known = false;
}

/* What is mounted at PLACE is above what was mounted there before. */
static void uncover(struct file_systems *systems, const char *place)
{
    for (size_t i = 0; i < systems->bad_place_count; i++) {
        if (strcmp(systems->bad_places[i], place) != 0)
            continue;
        free(systems->bad_places[i]);
        systems->bad_places[i--] = systems->bad_places[--systems->bad_place_count];
    }
}

static bool take_mount(struct file_systems *systems, const struct mount_line *mount)
{
    char *place = place_of(mount);
    if (!place)
        return false;
    bool answers = file_system_is_local(mount->type, mount->type_length) || strcmp(place, "/") == 0;
    uncover(systems, place);
    bool overlay = mount->type_length == 7 && memcmp(mount->type, "overlay", 7) == 0;
    if (overlay && systems->overlay_device == 0)
        systems->overlay_device = mount->device;
    if (answers) {
        systems->good[systems->good_count++] = mount->device;
        free(place);
    } else {
        systems->bad[systems->bad_count++] = mount->device;
        systems->bad_places[systems->bad_place_count++] = place;
    }
    return true;
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

static void read_mounts(struct file_systems *systems)
{
    char *text;
    ssize_t length = proc_read_again(systems->fd, &text);
    forget(systems);
    systems->was_read = true;
    if (length < 0)
        return;
    size_t lines = lines_in(text) + 1;
    systems->good = calloc(lines, sizeof *systems->good);
    systems->bad = calloc(lines, sizeof *systems->bad);
    systems->bad_places = calloc(lines, sizeof *systems->bad_places);
    systems->is_known = systems->good && systems->bad && systems->bad_places;
    const char *end;
    for (const char *line = text; systems->is_known && (end = strchr(line, '\n')); line = end + 1) {
        struct mount_line mount;
        if (parse_mount(line, end, &mount))
            systems->is_known = take_mount(systems, &mount);
    }
    free(text);
}

/* False where nothing is known of mounts. */
static bool bring_up_to_date(struct file_systems *systems)
{
    if (systems->fd < 0)
        return false;
    struct pollfd change = { .fd = systems->fd, .events = POLLPRI };
    if (!systems->was_read || (poll(&change, 1, 0) > 0 && (change.revents & POLLPRI)))
        read_mounts(systems);
    return systems->is_known;
}

void file_systems_open(struct file_systems *systems, int directory_fd)
{
    *systems = (struct file_systems){ .fd = -1 };
    systems->fd = openat(directory_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
    struct stat status;
    int memory = memfd_create("snag", MFD_CLOEXEC);
    if (memory >= 0 && fstat(memory, &status) == 0)
        systems->memory_device = status.st_dev;
    if (memory >= 0)
        close(memory);
}

void file_systems_close(struct file_systems *systems)
{
    forget(systems);
    if (systems->fd >= 0)
        close(systems->fd);
    systems->fd = -1;
}

static bool holds(const uint64_t *devices, size_t count, uint64_t device)
{
    for (size_t i = 0; i < count; i++)
        if (devices[i] == device)
            return true;
    return false;
}

bool device_answers(struct file_systems *systems, uint64_t device)
{
    if (!bring_up_to_date(systems) || device == systems->memory_device)
        return true;
    if (holds(systems->good, systems->good_count, device))
        return true;
    return !holds(systems->bad, systems->bad_count, device) &&
           (major(device) != 0 || systems->shows_layers);
}

uint64_t overlay_device(struct file_systems *systems)
{
    return bring_up_to_date(systems) ? systems->overlay_device : 0;
}

bool path_answers(struct file_systems *systems, const char *path)
{
    if (!bring_up_to_date(systems))
        return true;
    for (size_t i = 0; i < systems->bad_place_count; i++) {
        size_t length = strlen(systems->bad_places[i]);
        if (strncmp(systems->bad_places[i], path, length) == 0 &&
            (path[length] == '/' || path[length] == 0))
            return false;
    }
    return true;
}
