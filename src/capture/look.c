/* look.c: one thread, taken from outside and alone; see look.h.
 *
 * The order is: counters, registers, stack, counters. A thread whose registers
 * procfs shows is off its processor at that moment, and equal counters say
 * that it was not put on one since: the copy is of one moment. */
#include "capture/look.h"

#include "base/target.h"

#include <errno.h>

#define TRIES 3 /* at a thread that moves, before it counts as running */

static const char *why_hidden(const struct look *look, int error)
{
    if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
        return "registers not readable (no descriptor left)";
    if (error == -ENOENT || error == -EPROTO)
        return "registers not readable (this kernel does not show them)";
    if (look->target->self)
        return "registers not readable (process is not dumpable)";
    return "registers not readable (no permission)";
}

static bool is_lasting(int error)
{
    return error == -EACCES || error == -EPERM || error == -ENOENT || error == -EPROTO;
}

/* Registers, and the stack where there is one. 0: OUT is complete but for the proof. */
static int read_blocked(struct look *look, pid_t tid, struct captured *out)
{
    int status = procfs_registers(&look->descriptors, tid, out);
    if (status == -ESRCH)
        return status;
    if (status) {
        out->why = status == PROCFS_RUNNING ? "running" : why_hidden(look, status);
        if (is_lasting(status))
            look->hidden = out->why;
        return LOOK_RUNNING;
    }
    if (out->stack.registers.sp == 0)
        out->why = "no user stack";
    else if (!stack_copy(look->target, &look->buffer, &out->stack))
        out->why = "stack memory cannot be read";
    out->how = out->why ? CAPTURE_PARTIAL : CAPTURE_PROCFS;
    return 0;
}

/* As look_at, and -EAGAIN: the thread has moved meanwhile. */
static int look_once(struct look *look, pid_t tid, struct thread_files *files, struct captured *out)
{
    *out = (struct captured){ .how = CAPTURE_PARTIAL };
    int counted = procfs_stillness(&look->descriptors, look->counters, tid, files, &out->still);
    if (counted == -ESRCH)
        return counted;
    int status = read_blocked(look, tid, out);
    if (status)
        return status;
    struct stillness after;
    if (counted == 0)
        counted = procfs_stillness(&look->descriptors, look->counters, tid, files, &after);
    if (counted == -ESRCH)
        return counted;
    if (counted) {
        out->how = CAPTURE_PARTIAL;
        out->why = "it may have moved meanwhile: no counters to prove otherwise";
        return 0;
    }
    out->is_still = stillness_equal(&out->still, &after);
    out->stack.live = out->is_still;
    return out->is_still ? 0 : -EAGAIN;
}

static int look_until_still(struct look *look, pid_t tid, struct thread_files *files,
                            struct captured *out)
{
    int status = -EAGAIN;
    for (int i = 0; i < TRIES && status == -EAGAIN; i++)
        status = look_once(look, tid, files, out);
    if (status != -EAGAIN)
        return status;
    *out = (struct captured){ .how = CAPTURE_PARTIAL, .why = "running" };
    return LOOK_RUNNING;
}

int look_at(struct look *look, pid_t tid, struct thread_files *files, struct captured *out)
{
    bool kept = files->epoch == look->descriptors.epoch;
    int status = look_until_still(look, tid, files, out);
    if (status == -ESRCH &&
        kept) /* the thread of the descriptor is gone; another may have its id */
        status = look_until_still(look, tid, files, out);
    return status;
}
