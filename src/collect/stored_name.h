/* stored_name.h: the names of stored profiles, DIR/SERVICE/PROFILE/NAME:
 *
 *   20261130T202105Z.pb.gz              of a service with one target
 *   20261130T202105Z-web-1_6060.pb.gz   of one of several
 *   20261130T202105Z_2.pb.gz            the second one of that second
 *
 * They sort by time. What has another form is nobody's business here, and never removed. */
#ifndef SNAG_COLLECT_STORED_NAME_H
#define SNAG_COLLECT_STORED_NAME_H

#include "collect/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define STORED_NAME_SIZE (NAME_SIZE + 40)

/* INSTANCE is safe already (names.h), "" for none; NUMBER begins with 1. */
void stored_name_write(char name[STORED_NAME_SIZE], time_t time, unsigned number,
                       const char *instance);

/* Whether NAME is of that form; then *TIME is when. */
bool stored_name_read(const char *name, time_t *time);

/* ".NAME.tmp", of a file that is being written. */
void stored_name_temporary(char *temporary, size_t size, const char *name);
bool stored_name_is_temporary(const char *name);

#endif
