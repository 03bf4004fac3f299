/* file_sd.c: targets from a file as Prometheus reads it; see file_sd.h.
 *
 * Looked at by stat, not by inotify: the file may be a link into a folder that is replaced as a
 * whole, as Kubernetes does it, or lie on a network mount. */
#include "collect/file_sd.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MOST ((size_t)16 << 20)
#define DEPTH_MOST 8 /* three are used */

bool file_sd_has_changed(const struct file_sd *file)
{
    struct stat now;
    if (stat(file->path, &now) != 0)
        return file->was_seen;
    return !file->was_seen || now.st_ino != file->seen.st_ino || now.st_dev != file->seen.st_dev ||
           now.st_size != file->seen.st_size || now.st_mtim.tv_sec != file->seen.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != file->seen.st_mtim.tv_nsec;
}

/* Its bytes, terminated, to be freed; NULL with errno. */
static char *read_file(struct file_sd *file, size_t *length)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    file->was_seen = fd >= 0 && fstat(fd, &file->seen) == 0;
    char *text = NULL;
    if (file->was_seen && (!S_ISREG(file->seen.st_mode) || file->seen.st_size > (off_t)FILE_MOST))
        errno = S_ISREG(file->seen.st_mode) ? EFBIG : EINVAL;
    else if (file->was_seen)
        text = malloc((size_t)file->seen.st_size + 1);
    *length = 0;
    for (ssize_t got = 1; text && got > 0 && *length < (size_t)file->seen.st_size;) {
        got = read(fd, text + *length, (size_t)file->seen.st_size - *length);
        if (got < 0) {
            free(text);
            text = NULL;
        } else {
            *length += (size_t)got;
        }
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (text)
        text[*length] = 0;
    errno = error;
    return text;
}

static json_object *parse(const char *text, size_t length, char *why, size_t size)
{
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MOST);
    if (!tokener || length > INT_MAX) {
        snprintf(why, size, "no memory for it");
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    /* With the 0 at its end, so that half a file is told from a whole one. */
    json_object *root = json_tokener_parse_ex(tokener, text, (int)length + 1);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error != json_tokener_success) {
        snprintf(why, size, "it is no JSON: %s at byte %zu of %zu", json_tokener_error_desc(error),
                 json_tokener_get_parse_end(tokener), length);
        json_object_put(root);
        root = NULL;
    } else if (!json_object_is_type(root, json_type_array)) {
        snprintf(why, size, "it is no list of {\"targets\": [...], \"labels\": {...}}");
        json_object_put(root);
        root = NULL;
    }
    json_tokener_free(tokener);
    return root;
}

/* NULL when it is not there, or no text. */
static const char *label(json_object *labels, const char *name)
{
    json_object *value;
    if (!labels || !json_object_object_get_ex(labels, name, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return *text ? text : NULL;
}

/* Of the targets that are none the first ones are told, and how many more there are. */
struct left_out {
    char *why;
    size_t size;
    size_t more;
};

#define ROOM_FOR_ONE 280

static void leave_out(struct left_out *left_out, const char *place, const char *what)
{
    size_t length = strlen(left_out->why);
    if (left_out->more || length + ROOM_FOR_ONE > left_out->size)
        left_out->more++;
    else
        snprintf(left_out->why + length, left_out->size - length, "%starget '%.80s': %.160s",
                 length ? "; " : "", place, what);
}

static int add_target(struct target_list *list, json_object *labels, json_object *target,
                      struct left_out *left_out)
{
    char what[160] = "it is no text";
    const char *service = label(labels, "service");
    if (!service)
        service = label(labels, "service_name");
    if (!service)
        service = label(labels, "job");
    const char *scheme = label(labels, "__scheme__");
    bool is_text = json_object_is_type(target, json_type_string);
    const char *place = is_text ? json_object_get_string(target) : "?";
    int status = -EINVAL;
    if (scheme && strcmp(scheme, "http") != 0)
        snprintf(what, sizeof what, "__scheme__ is %.40s, and only http is spoken", scheme);
    else if (is_text)
        status = target_add(list, service, label(labels, "instance"),
                            label(labels, "__profile_path_prefix__"), place, what, sizeof what);
    if (status == -EINVAL)
        leave_out(left_out, place, what);
    return status;
}

static int add_group(struct target_list *list, json_object *group, struct left_out *left_out)
{
    json_object *targets = NULL;
    json_object *labels = NULL;
    if (!json_object_is_type(group, json_type_object) ||
        !json_object_object_get_ex(group, "targets", &targets) ||
        !json_object_is_type(targets, json_type_array) ||
        (json_object_object_get_ex(group, "labels", &labels) && labels &&
         !json_object_is_type(labels, json_type_object))) {
        snprintf(left_out->why, left_out->size,
                 "one of its groups is not {\"targets\": [...], \"labels\": {...}}");
        return -EINVAL;
    }
    int status = 0;
    for (size_t i = 0; i < json_object_array_length(targets) && status != -ENOMEM; i++)
        status = add_target(list, labels, json_object_array_get_idx(targets, i), left_out);
    return status == -ENOMEM ? status : 0;
}

int file_sd_read(struct file_sd *file, char *why, size_t size)
{
    struct target_list list = { .at = NULL };
    struct left_out left_out = { .why = why, .size = size };
    size_t length;
    *why = 0;
    char *text = read_file(file, &length);
    if (!text) {
        int error = errno;
        snprintf(why, size, "%s", strerror(error));
        return -error;
    }
    json_object *root = parse(text, length, why, size);
    int status = root ? 0 : -EINVAL;
    for (size_t i = 0; root && i < json_object_array_length(root) && status == 0; i++)
        status = add_group(&list, json_object_array_get_idx(root, i), &left_out);
    json_object_put(root);
    free(text);
    if (status == -ENOMEM)
        snprintf(why, size, "no memory for it");
    if (status) {
        target_list_free(&list);
        return status;
    }
    size_t used = strlen(why);
    if (left_out.more)
        snprintf(why + used, size - used, "; and %zu more", left_out.more);
    target_list_free(&file->targets);
    file->targets = list;
    return 0;
}

void file_sd_free(struct file_sd *file)
{
    target_list_free(&file->targets);
}
