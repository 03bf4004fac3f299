/* listen_unix.c: binding a Unix socket; see listen.h.
 *
 * The file has mode 0600 from its first moment: Linux gives it the mode of the
 * socket's own inode, which fchmod sets before bind (less what the service's
 * umask takes away; the umask itself belongs to the process and is not
 * touched). What lies at the path already is replaced only if it is a socket
 * that refuses connections, that is, one whose owner has gone. The
 * directory is locked meanwhile: two services that start at once must not both
 * find the same stale socket. */
#include "server/listen.h"

#include "server/address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 50 /* of 10 ms */

static int open_directory(const char *path, char *name, size_t size)
{
    char directory[108];
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    memcpy(directory, path, length);
    directory[length] = 0;
    snprintf(name, size, "%s", slash + 1);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Somebody else's lock on the directory is not waited for for ever. */
static void lock_directory(int fd)
{
    const struct timespec pause = { 0, 10000000 };
    for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
         i++)
        nanosleep(&pause, NULL);
}

/* Whether somebody listens at PATH: 0 no, else the negative errno to fail with. */
static int probe(const struct sockaddr_un *path, char *why, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)path, sizeof *path) == 0 ? 0 : errno;
    close(fd);
    if (error == ECONNREFUSED || error == ENOENT)
        return 0;
    if (error == 0 || error == EAGAIN)
        snprintf(why, size, "somebody listens there already");
    else
        snprintf(why, size,
                 "there is a socket already, and whether it is in use cannot be told: %s",
                 strerror(error));
    return -EADDRINUSE;
}

/* Makes the path free, or says why it must not. */
static int remove_stale(const struct listening *listening, const struct sockaddr_un *path,
                        char *why, size_t size)
{
    struct stat found;
    if (fstatat(listening->directory_fd, listening->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode)) {
        snprintf(why, size, "there is a file already, and it is not a socket");
        return -EADDRINUSE;
    }
    int status = probe(path, why, size);
    if (status == 0 && unlinkat(listening->directory_fd, listening->name, 0) != 0 &&
        errno != ENOENT)
        status = -errno;
    return status;
}

static int bind_file(struct listening *listening, const struct sockaddr_un *path)
{
    struct stat file;
    listening->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listening->fd < 0 || fchmod(listening->fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(listening->fd, (const struct sockaddr *)path, sizeof *path) != 0)
        return -errno;
    if (fstatat(listening->directory_fd, listening->name, &file, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    listening->device = file.st_dev;
    listening->inode = file.st_ino;
    listening->is_unix = true; /* from here on the file is ours to remove */
    return listen(listening->fd, LISTEN_BACKLOG) == 0 ? 0 : -errno;
}

int listen_open_unix(struct listening *listening, const struct listen_address *address, char *why,
                     size_t size)
{
    struct sockaddr_un path = { .sun_family = AF_UNIX };
    memcpy(path.sun_path, address->path, sizeof path.sun_path);
    snprintf(listening->text, sizeof listening->text, "unix:%s", address->path);
    why[0] = 0;
    int status = listening->directory_fd =
        open_directory(address->path, listening->name, sizeof listening->name);
    if (status >= 0) {
        lock_directory(listening->directory_fd);
        status = remove_stale(listening, &path, why, size);
        if (status == 0)
            status = bind_file(listening, &path);
        flock(listening->directory_fd, LOCK_UN);
    }
    if (status == 0)
        return 0;
    if (!why[0])
        snprintf(why, size, "%s", strerror(-status));
    listen_close(listening);
    return status;
}
