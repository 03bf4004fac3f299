/* test_pages.c proves what is read and what is not: pages in memory, pages that were
 * never touched (zeros), pages of a file that are not in memory yet, a mixture of all; and
 * neither guard pages nor what a userfaultfd stands for. The same where the kernel
 * tells of no single mapping (before Linux 6.11), and without pagemap but for userfaultfds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define PAGES ((size_t)300) /* more than are looked at together */

static struct target target;

static int open_target(void **state)
{
    (void)state;
    return target_open(&target, 0);
}

static int open_target_of_old(void **state)
{
    int error = open_target(state);
    target.gate.queries_refused = true;
    return error;
}

static int open_target_blind(void **state)
{
    int error = open_target(state);
    close(target.gate.pagemap_fd);
    target.gate.pagemap_fd = -1;
    return error;
}

static int close_target(void **state)
{
    (void)state;
    target_close(&target);
    return 0;
}

static unsigned char *map(size_t pages, int protection)
{
    void *memory = mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static ssize_t read_at(const void *address, void *bytes, size_t length)
{
    return target_read(&target, (uintptr_t)address, bytes, length);
}

static void reads_touched_and_untouched(void **state)
{
    (void)state;
    unsigned char *memory = map(PAGES, PROT_READ | PROT_WRITE);
    unsigned char *bytes = malloc(PAGES * PAGE);
    for (size_t i = 0; i < PAGES; i += i % 7 + 1)
        memset(memory + i * PAGE, (int)(i % 251) + 1, PAGE);
    memset(bytes, 0xee, PAGES * PAGE);
    assert_int_equal(read_at(memory, bytes, PAGES * PAGE), PAGES * PAGE);
    assert_memory_equal(bytes, memory, PAGES * PAGE);
    for (size_t i = 0; i + 100 < PAGES * PAGE; i += 4093) {
        assert_int_equal(read_at(memory + i, bytes, 100), 100);
        assert_memory_equal(bytes, memory + i, 100);
    }
    free(bytes);
    munmap(memory, PAGES * PAGE);
}

static void ends_at_what_is_not_readable(void **state)
{
    (void)state;
    static unsigned char bytes[8 * PAGE];
    unsigned char *memory = map(8, PROT_READ | PROT_WRITE);
    memset(memory, 1, 8 * PAGE);
    mprotect(memory + 4 * PAGE, PAGE, PROT_NONE);
    munmap(memory + 6 * PAGE, PAGE);
    assert_int_equal(read_at(memory + 100, bytes, 8 * PAGE - 100), 4 * PAGE - 100);
    assert_int_equal(read_at(memory + 5 * PAGE, bytes, 3 * PAGE), PAGE);
    assert_true(read_at(memory + 4 * PAGE, bytes, 8) < 0);
    assert_true(read_at(memory + 6 * PAGE + 8, bytes, 8) < 0);
    assert_true(read_at((void *)(uintptr_t)8, bytes, 8) < 0);
    assert_true(read_at((void *)~(uintptr_t)7, bytes, 8) < 0);
    assert_true(read_at((void *)((uintptr_t)1 << 62), bytes, sizeof bytes) < 0);
    assert_false(target_read_all(&target, (uintptr_t)memory + 4 * PAGE - 8, bytes, 16));
    assert_int_equal(read_at(memory, bytes, 0), 0);
    munmap(memory, 6 * PAGE);
    munmap(memory + 7 * PAGE, PAGE);
}

static void untouched_guard_is_no_memory(void **state)
{
    (void)state;
    unsigned char bytes[8];
    unsigned char *memory = map(2, PROT_NONE);
    assert_true(read_at(memory, bytes, sizeof bytes) < 0);
    munmap(memory, 2 * PAGE);
}

static void reads_files_and_shared_memory(void **state)
{
    (void)state;
    static unsigned char bytes[4 * PAGE];
    int fd = memfd_create("pages", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
    assert_int_equal(pwrite(fd, "shared", 6, 2 * PAGE), 6);
    unsigned char *memory = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(read_at(memory, bytes, 4 * PAGE), 4 * PAGE);
    assert_memory_equal(bytes + 2 * PAGE, "shared", 6);
    munmap(memory, 4 * PAGE);
    close(fd);

    fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    memory = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(fd >= 0 && memory != MAP_FAILED);
    assert_int_equal(read_at(memory, bytes, 4 * PAGE), 4 * PAGE);
    assert_memory_equal(bytes, "\177ELF", 4);
    munmap(memory, 4 * PAGE);
    close(fd);
}

/* What would hang if it were read as other memory is. */
static void leaves_userfaultfds_alone(void **state)
{
    (void)state;
    static unsigned char bytes[6 * PAGE];
    struct uffdio_api api = { .api = UFFD_API };
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
        skip();
    unsigned char *memory = map(6, PROT_READ | PROT_WRITE);
    memset(memory, 1, 3 * PAGE);
    struct uffdio_register range = { .range = { (uintptr_t)memory + 2 * PAGE, 4 * PAGE },
                                     .mode = UFFDIO_REGISTER_MODE_MISSING };
    assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &range), 0);
    alarm(20);
    assert_int_equal(read_at(memory, bytes, 6 * PAGE), 3 * PAGE);
    assert_int_equal(target_read_ahead(&target, (uintptr_t)memory + 8, bytes, 6 * PAGE),
                     3 * PAGE - 8);
    assert_true(read_at(memory + 4 * PAGE, bytes, 64) < 0);
    assert_true(read_at(memory + 4 * PAGE, bytes, 2 * PAGE) < 0);
    alarm(0);
    munmap(memory, 6 * PAGE);
    close(fd);
}

/* Up to the first page that would have to be brought; without pagemap, of the mapping. */
static void reads_ahead_what_is_there(void **state)
{
    (void)state;
    static unsigned char bytes[8 * PAGE];
    unsigned char *memory = map(8, PROT_READ | PROT_WRITE);
    memset(memory, 7, 3 * PAGE);
    mprotect(memory + 6 * PAGE, 2 * PAGE, PROT_READ); /* a mapping of its own */
    size_t wanted = target.gate.pagemap_fd >= 0 ? 3 * PAGE : 6 * PAGE;
    assert_int_equal(target_read_ahead(&target, (uintptr_t)memory + 16, bytes, 8 * PAGE - 16),
                     wanted - 16);
    assert_memory_equal(bytes, memory + 16, wanted - 16);
    munmap(memory, 8 * PAGE);
}

static void knows_who_answers(void **state)
{
    (void)state;
    struct stat root;
    assert_int_equal(stat("/", &root), 0);
    assert_true(target_device_answers(&target, root.st_dev));
    assert_true(target_device_answers(&target, makedev(253, 77))); /* a disk, mounted elsewhere */
    assert_false(target_device_answers(&target, makedev(0, 0xffff0)));
    assert_true(target_path_answers(&target, "/usr/lib/libc.so.6"));
    assert_true(file_system_is_local("ext4", 4));
    assert_false(file_system_is_local("nfs4", 4));
    assert_false(file_system_is_local("ext", 3));
    assert_false(file_system_is_local("fuse.sshfs", 10));
}

#define OF(TEST, OPEN) cmocka_unit_test_setup_teardown(TEST, OPEN, close_target)
#define OF_BOTH(TEST) OF(TEST, open_target), OF(TEST, open_target_of_old)
#define OF_ALL(TEST) OF_BOTH(TEST), OF(TEST, open_target_blind)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_ALL(reads_touched_and_untouched),  OF_ALL(ends_at_what_is_not_readable),
        OF_ALL(untouched_guard_is_no_memory), OF_ALL(reads_files_and_shared_memory),
        OF_BOTH(leaves_userfaultfds_alone),   OF_ALL(reads_ahead_what_is_there),
        OF(knows_who_answers, open_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
