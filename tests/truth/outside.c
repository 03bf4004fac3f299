/* outside.c: what other programs say of the calling process; see outside.h. */
#include "outside.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool outside_allow(void)
{
    /* EINVAL: there is no Yama that would mind. */
    return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) == 0 || errno == EINVAL;
}

/* Runs a command to its end; QUIET: what it complains about, and that it failed, is not asked. Its
 * output, to be read from the beginning; NULL when it failed. */
static FILE *output_of(char *const arguments[], bool quiet)
{
    char path[] = "/tmp/snag-outside-XXXXXX";
    pid_t child;
    int fd = mkstemp(path);
    unlink(path);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    if (quiet)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1 /* O_WRONLY */, 0);
    int status = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status == 0 && waitpid(child, &status, 0) != child)
        status = -1;
    if (status != 0 && !quiet) {
        close(fd);
        return NULL;
    }
    FILE *file = fdopen(fd, "r");
    rewind(file);
    return file;
}

static char *whole_text(FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, 0, file) < 0 && text)
        text[0] = 0;
    return text;
}

int outside_snag(const char *command, const char *form, struct dump *dump)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    char *const arguments[] = { (char *)(uintptr_t)command, "dump", pid, "threads",
                                (char *)(uintptr_t)form,    NULL };
    *dump = (struct dump){ .count = 0 };
    FILE *file = output_of(arguments, false);
    char *text = file ? whole_text(file) : NULL;
    if (file)
        fclose(file);
    int status = -EPROTO;
    if (text)
        status =
            strcmp(form, "--json") == 0 ? dump_read_json(text, dump) : dump_read_blocks(text, dump);
    free(text);
    return status;
}

/* eu-stack's own words are blocks of "TID 1:" and "#0  0x... name". */
static bool read_eu_stack(FILE *file, struct dump *dump)
{
    char line[4096];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    while (out && fgets(line, sizeof line, file)) {
        int tid;
        unsigned number;
        unsigned long address;
        if (sscanf(line, "TID %d:", &tid) == 1)
            fprintf(out, "thread %d \"x\" [x]: x, captured by eu-stack\n", tid);
        else if (sscanf(line, "#%u 0x%lx", &number, &address) == 2)
            fprintf(out, "#%u 0x%lx x\n", number, address);
    }
    bool read = out && fclose(out) == 0 && dump_read_blocks(text, dump) == 0;
    free(text);
    return read && dump->count > 0;
}

bool outside_eu_stack(struct dump *dump)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    char *const arguments[] = { "eu-stack", "-n", "0", "-p", pid, NULL };
    FILE *file = output_of(arguments, true);
    bool read = file && read_eu_stack(file, dump);
    if (file)
        fclose(file);
    return read;
}
