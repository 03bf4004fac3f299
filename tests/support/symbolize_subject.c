/* symbolize_subject.c: programs whose code is named; see symbolize_subject.h. */
#include "symbolize_subject.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants these before it */
#include <cmocka.h>

#include "modules/modules.h"
#include "symbolize/symbolize.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool run_command(const char *format, ...)
{
    char command[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    int status = system(command);
    if (status != 0)
        print_error("failed: %s\n", command);
    return status == 0;
}

void subject_start(struct subject *subject, const char *path)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    assert_int_equal(target_open(&subject->target, pid), 0);
    subject->modules = modules_new(&subject->target);
    assert_non_null(subject->modules);
    assert_int_equal(modules_refresh(subject->modules), 0);
    subject->symbolizer = symbolizer_new(&subject->target, subject->modules);
    assert_non_null(subject->symbolizer);
    subject->program = symbolizer_program(subject->symbolizer);
    assert_non_null(subject->program);
}

void subject_stop(struct subject *subject)
{
    symbolizer_free(subject->symbolizer);
    modules_free(subject->modules);
    kill(subject->target.pid, SIGKILL);
    waitpid(subject->target.pid, NULL, 0);
    target_close(&subject->target);
}

static void cut(char *text, const char *from)
{
    char *at = strstr(text, from);
    if (at)
        *at = 0;
}

/* "/src/a.c:17 (discriminator 3)", "??:?", "/src/a.c:?" */
static void parse_place(struct named_line *line, char *text)
{
    cut(text, " (discriminator");
    char *colon = strrchr(text, ':');
    if (colon) {
        line->line = atoi(colon + 1);
        *colon = 0;
    }
    if (strcmp(text, "??") != 0)
        snprintf(line->file, sizeof line->file, "%.1000s", text);
}

struct named_address *ask_addr2line(const char *tool, const char *path, const uint64_t *addresses,
                                    size_t count)
{
    char name[] = "/tmp/symbolize_addresses.XXXXXX";
    int fd = mkstemp(name);
    FILE *list = fd < 0 ? NULL : fdopen(fd, "w");
    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        fprintf(list, "0x%" PRIx64 "\n", addresses[i]);
    fclose(list);
    char command[4096];
    snprintf(command, sizeof command, "%s -a -i -f -e '%s' <%s 2>/dev/null", tool, path, name);
    FILE *output = popen(command, "r");
    struct named_address *answers = calloc(count, sizeof *answers);
    struct named_address *answer = NULL;
    char text[2048];
    size_t seen = 0;
    while (output && answers && fgets(text, sizeof text, output)) {
        cut(text, "\n");
        if (strncmp(text, "0x", 2) == 0) {
            if (seen == count)
                break;
            answer = &answers[seen++];
            answer->address = strtoull(text, NULL, 16);
            continue;
        }
        struct named_line *line = answer ? &answer->lines[answer->count] : NULL;
        char place[2048];
        if (!line || answer->count == 63 || !fgets(place, sizeof place, output))
            break;
        cut(place, "\n");
        snprintf(line->function, sizeof line->function, "%.1000s", text);
        parse_place(line, place);
        answer->count++;
    }
    if (output)
        pclose(output);
    unlink(name);
    if (seen == count)
        return answers;
    free(answers);
    return NULL;
}

const char *ask_cppfilt(const char *name)
{
    static char text[16384];
    char command[8192];
    snprintf(command, sizeof command, "c++filt '%s'", name);
    FILE *output = popen(command, "r");
    text[0] = 0;
    if (output && !fgets(text, sizeof text, output))
        text[0] = 0;
    cut(text, "\n");
    if (output)
        pclose(output);
    return text;
}

struct sized_function *ask_nm(const char *path, size_t *count)
{
    char command[4096];
    snprintf(command, sizeof command, "nm -S --defined-only '%s' 2>/dev/null", path);
    FILE *output = popen(command, "r");
    struct sized_function *all = calloc(100000, sizeof *all);
    char text[4096];
    *count = 0;
    while (output && all && fgets(text, sizeof text, output) && *count < 100000) {
        uint64_t start;
        uint64_t size;
        char type;
        if (sscanf(text, "%" SCNx64 " %" SCNx64 " %c", &start, &size, &type) == 3 &&
            strchr("tTwWi", type))
            all[(*count)++] = (struct sized_function){ start, start + size };
    }
    if (output)
        pclose(output);
    return all;
}

bool section_range(const char *path, const char *section, uint64_t *start, uint64_t *end)
{
    char command[4096];
    snprintf(command, sizeof command,
             "readelf -SW '%s' | sed 's/^ *\\[ *[0-9]*\\] //' | awk '$1 == \"%s\" {print $3, $5}'",
             path, section);
    FILE *output = popen(command, "r");
    uint64_t size = 0;
    bool found = output && fscanf(output, "%" SCNx64 " %" SCNx64, start, &size) == 2;
    *end = *start + size;
    if (output)
        pclose(output);
    return found;
}

uint64_t symbol_value(const char *path, const char *name)
{
    char command[4096];
    snprintf(command, sizeof command, "nm '%s' | awk '$3 == \"%s\" {print $1}'", path, name);
    FILE *output = popen(command, "r");
    uint64_t value = 0;
    if (output && fscanf(output, "%" SCNx64, &value) != 1)
        value = 0;
    if (output)
        pclose(output);
    return value;
}
