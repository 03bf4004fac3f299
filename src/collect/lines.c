/* lines.c: what the collector says; see lines.h. */
#include "collect/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void lines_begin(struct lines *lines)
{
    *lines = (struct lines){ .is_terminal = isatty(STDERR_FILENO), .notes = stderr };
}

static void take_back(struct lines *lines)
{
    if (lines->is_shown)
        fputs("\r\033[K", stderr);
    lines->is_shown = false;
}

static void say(struct lines *lines, FILE *to, const char *format, va_list arguments)
{
    char when[32] = "";
    char text[1536];
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    vsnprintf(text, sizeof text, format, arguments);
    for (char *at = text; *at; at++) /* some of it comes from files and from targets */
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    take_back(lines);
    fprintf(to, "%s %s\n", when, text);
}

void line_say(struct lines *lines, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(lines, stderr, format, arguments);
    va_end(arguments);
}

void line_note(struct lines *lines, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(lines, lines->notes, format, arguments);
    va_end(arguments);
}

void lines_notes_to(struct lines *lines, FILE *file)
{
    lines->notes = file;
}

/* One that is longer than the terminal is wide could not be taken back. */
void line_progress(struct lines *lines, const char *text)
{
    struct winsize size;
    if (!lines->is_terminal)
        return;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
    fprintf(stderr, "\r%.*s\033[K", width - 1, text);
    lines->is_shown = true;
}

void lines_end(struct lines *lines)
{
    take_back(lines);
}

void line_size(unsigned long long bytes, char text[24])
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double size = (double)bytes / 1024;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    if (bytes < 1024)
        snprintf(text, 24, "%llu bytes", bytes);
    else
        snprintf(text, 24, "%.1f %s", size, units[unit]);
}
