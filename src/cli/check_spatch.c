/* check_spatch.c: later */
#include "cli/check.h"
bool spatch_prepare(struct check *check)
{
    (void)check;
    return false;
}
void spatch_start(struct check *check, struct work *work, struct list *jobs)
{
    (void)check;
    (void)work;
    (void)jobs;
}
void spatch_read(struct check *check, struct work *work)
{
    (void)check;
    (void)work;
}
