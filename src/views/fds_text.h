/* fds_text.h: the same words for descriptors in every form of a dump. */
#ifndef SNAG_VIEWS_FDS_TEXT_H
#define SNAG_VIEWS_FDS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptor;
struct fd_dump;
struct sink;
struct symbolizer;

/* "1,204" */
void fds_write_count(struct sink *sink, uint64_t count);

/* "512 bytes", "3.1 MB" (of a million bytes) */
void fds_write_bytes(struct sink *sink, uint64_t bytes);

/* "O_RDWR|O_CLOEXEC" */
void fds_write_flags(struct sink *sink, int flags);

/* ", 3.1 MB unread, 12 bytes unsent", what there is of it. */
void fds_write_queues(struct sink *sink, uint64_t unread, uint64_t unsent, bool are_memory);

/* How many of how many, and then what is not known, a line each. */
void fds_write_totals(struct sink *sink, const struct fd_dump *dump);

/* "fetch_user at client.c:88": the function that opened it. */
void fds_write_opener(struct sink *sink, const struct descriptor *descriptor,
                      struct symbolizer *symbolizer);

/* How long it has been open; 0 when that is not known. */
uint64_t fds_age_ns(const struct fd_dump *dump, const struct descriptor *descriptor);

/* How many were named by their path alone (see kind_is_sure). */
size_t fds_not_asked(const struct fd_dump *dump);

bool fds_is_socket(const struct descriptor *descriptor);

#endif
