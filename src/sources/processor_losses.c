/* processor_losses.c: the time that processors spent for others; see
 * processor_losses.h and proc_stat(5). */
#include "sources/processor_losses.h"

#include "base/target.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAT_SIZE ((size_t)128 << 10)

static uint64_t number(const char **at)
{
    uint64_t value = 0;
    while (**at == ' ')
        (*at)++;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (uint64_t)(**at - '0');
    return value;
}

/* A line "cpuN user nice system idle iowait irq softirq steal ...", AT being at N. */
static void parse_processor(const char *at, uint64_t tick_ns, struct processor_losses *losses)
{
    uint64_t processor = number(&at);
    if (processor >= PROCESSORS_MAX)
        return;
    for (int i = 0; i < 5; i++)
        number(&at);
    uint64_t interrupts = number(&at);
    interrupts += number(&at);
    losses->interrupts[processor] = interrupts * tick_ns;
    losses->steal[processor] = number(&at) * tick_ns;
}

/* By way of /proc/PID, so also after a chroot; but not a file that a container's manager has
 * mounted over it, which may hang and tells of other processors. */
static int open_stat(const struct target *target)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV };
    return (int)syscall(SYS_openat2, target->proc_fd, "../stat", &how, sizeof how);
}

void processor_losses_read(const struct target *target, struct processor_losses *losses)
{
    memset(losses, 0, sizeof *losses);
    char *text = malloc(STAT_SIZE);
    int fd = open_stat(target);
    ssize_t length = text && fd >= 0 ? read(fd, text, STAT_SIZE - 1) : 0;
    if (fd >= 0)
        close(fd);
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    if (length > 0) {
        text[length] = 0;
        for (const char *at = text; (at = strstr(at, "\ncpu")) != NULL;) {
            at += strlen("\ncpu");
            parse_processor(at, tick_ns, losses);
        }
    }
    free(text);
}
