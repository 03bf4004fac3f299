/* genuine.c: whether bytes are a profile; see genuine.h.
 *
 * Stored files end in .gz and are what the target sent, byte for byte: so it must be gzip. What is
 * within it is read by the reader of `snag collect diff`, which is bounded. */
#include "collect/genuine.h"

#include "collect/pprof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A deployment may put it into another folder, and the file be deleted by then. */
static void name_program(const struct pprof *pprof, char program[PROGRAM_SIZE])
{
    const char *path =
        pprof->message->n_mapping ? pprof_text(pprof, pprof->message->mapping[0]->filename) : "";
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    snprintf(program, PROGRAM_SIZE, "%s", name);
    char *deleted = strstr(program, " (deleted)");
    if (deleted)
        *deleted = 0;
}

void genuine_check(const void *bytes, size_t length, size_t limit, char program[PROGRAM_SIZE],
                   struct outcome *outcome)
{
    char why[160] = "";
    char start[17] = "";
    struct pprof pprof;
    const unsigned char *head = bytes;
    *program = 0;
    if (length < 2 || head[0] != 0x1f || head[1] != 0x8b) {
        memcpy(start, bytes ? bytes : "", length < 16 ? length : 16);
        outcome_set(outcome, OUTCOME_NOT_GZIP,
                    length ? "is no gzip: it begins \"%s\"" : "is empty%s", start);
        return;
    }
    int status = pprof_parse(&pprof, bytes, length, limit, why, sizeof why);
    if (status == 0) {
        name_program(&pprof, program);
        pprof_free(&pprof);
        outcome_set(outcome, OUTCOME_OK, "%s", "");
    } else if (status == -ENOMEM) {
        outcome_set(outcome, OUTCOME_NO_MEMORY, "no memory here for its %zu bytes", length);
    } else {
        outcome_set(outcome, status == -EFBIG ? OUTCOME_TOO_LARGE : OUTCOME_NOT_PROFILE,
                    "sent no whole profile: %s", why);
    }
}
