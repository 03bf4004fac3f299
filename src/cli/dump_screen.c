/* dump_screen.c: a dump that is drawn over the one before.
 *
 * No clearing before drawing, which is what flickers: from the top left corner each line is written
 * over the old one and the rest of it erased, and what is below at the end; all in one write. What
 * does not fit is left out, and its last line says so: scrolling would lose the top, where the
 * largest group is. */
#include "cli/dump.h"

#include "base/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HOME "\033[H"
#define ALL "\033[2J"
#define REST_OF_LINE "\033[K"
#define REST_OF_SCREEN "\033[J"

static struct winsize size_of_terminal(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    return size;
}

/* The bytes of LINE that take COLUMNS: a character is as wide as one, which names mostly are. */
static size_t fitting(const char *line, size_t length, size_t columns)
{
    size_t at = 0;
    for (size_t column = 0; at < length; at++) {
        if ((line[at] & 0xc0) != 0x80 && column++ == columns)
            break;
    }
    return at;
}

/* The last column stays free: erasing to the end of a line that is full takes its last character.
 */
static void draw_line(struct sink *sink, const char *line, size_t length, size_t columns)
{
    sink_write(sink, line, fitting(line, length, columns - 1));
    sink_puts(sink, REST_OF_LINE "\r\n");
}

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

static void draw(struct sink *sink, const char *title, const char *text, size_t length)
{
    struct winsize size = size_of_terminal();
    size_t room = size.ws_row > 4 ? size.ws_row - 3u : 1; /* title, an empty line, the last one */
    size_t lines = count_lines(text, length);
    const char *end = text + length;
    draw_line(sink, title, strlen(title), size.ws_col);
    draw_line(sink, "", 0, size.ws_col);
    for (size_t i = 0; i < lines && i < room; i++) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        draw_line(sink, text, (size_t)(next - text), size.ws_col);
        text = next + 1;
    }
    if (lines > room)
        sink_printf(sink, "and %zu more lines", lines - room);
    sink_puts(sink, REST_OF_LINE REST_OF_SCREEN);
}

int dump_screen_draw(const char *title, const char *text, size_t length, bool is_first)
{
    struct sink_buffer screen;
    sink_buffer_init(&screen);
    sink_puts(&screen.sink, is_first ? HOME ALL : HOME);
    draw(&screen.sink, title, text, length);
    int status = screen.sink.error;
    for (size_t done = 0; status == 0 && done < screen.length;) {
        ssize_t got = write(STDOUT_FILENO, screen.bytes + done, screen.length - done);
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            status = -errno;
    }
    sink_buffer_free(&screen);
    return status;
}
