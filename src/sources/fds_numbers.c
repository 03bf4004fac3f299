/* fds_numbers.c: a directory of numbers, by portions; see fds_numbers.h.
 *
 * The kernel lists descriptors by ascending number and goes on behind the last
 * one that it told, so what is open all the while is told once, whatever else is opened and
 * closed meanwhile. The place of an entry in the directory is its number + 2 ("." and ".." are
 * before), which makes it possible to skip a stretch whose names are known. That is not
 * promised anywhere, so it is seen in each entry before it is used. */
#include "sources/fds_numbers.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry { /* as getdents64(2) has it */
    uint64_t inode;
    int64_t offset; /* of the next one */
    unsigned short length;
    unsigned char type;
    char name[];
};

static void seek(struct numbers *numbers, int64_t offset)
{
    numbers->length = numbers->at = 0;
    numbers->offset = -1;
    numbers->at_end = false;
    numbers->error = lseek(numbers->directory, offset, SEEK_SET) < 0 ? -errno : 0;
}

void numbers_begin(struct numbers *numbers, int directory)
{
    numbers->directory = directory;
    numbers->can_jump = true;
    numbers->last = -1;
    numbers->count = 0;
    seek(numbers, 0);
}

void numbers_jump(struct numbers *numbers, int number)
{
    numbers->last = number - 1;
    seek(numbers, (int64_t)number + 2);
}

static bool read_portion(struct numbers *numbers)
{
    numbers->length =
        syscall(SYS_getdents64, numbers->directory, numbers->portion, sizeof numbers->portion);
    numbers->at = 0;
    numbers->count = 0;
    if (numbers->length < 0)
        numbers->error = -errno;
    numbers->at_end = numbers->length == 0;
    return numbers->length > 0;
}

static int number_of(const char *name)
{
    int number = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return number;
}

const char *numbers_next(struct numbers *numbers)
{
    while (!numbers->error && !numbers->at_end) {
        if (numbers->at >= numbers->length && !read_portion(numbers))
            break;
        const struct entry *entry = (const void *)(numbers->portion + numbers->at);
        int64_t place = numbers->offset;
        numbers->at += entry->length;
        numbers->offset = entry->offset;
        if (entry->name[0] < '0' || entry->name[0] > '9')
            continue;
        numbers->last = number_of(entry->name);
        if (numbers->count++ == 0)
            numbers->first = numbers->last;
        if (place >= 0 && place != (int64_t)numbers->last + 2)
            numbers->can_jump = false;
        return entry->name;
    }
    return NULL;
}

bool numbers_are_dense(const struct numbers *numbers)
{
    return numbers->can_jump && numbers->length > 0 && numbers->at >= numbers->length &&
           numbers->count > 1 && numbers->last - numbers->first == numbers->count - 1;
}
