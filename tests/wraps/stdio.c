/* stdio.c: every way to open a stream, and to close it. Compiled as C and as C++. */
#include "check.h"

#include <fcntl.h>

#include <snag/wrap/stdio.h>

static char memory[64];
static char *text;
static size_t text_length;

#define MAKER(name, call)                                                                          \
    APART FILE *name(void)                                                                         \
    {                                                                                              \
        return call;                                                                               \
    }

MAKER(by_fopen, fopen("/dev/null", "r"))
MAKER(by_fopen64, fopen64("/dev/null", "r"))
MAKER(by_tmpfile, tmpfile())
MAKER(by_tmpfile64, tmpfile64())
MAKER(by_fdopen, fdopen(open("/dev/null", O_RDONLY), "r"))
MAKER(by_popen, popen("true", "r"))
MAKER(by_fmemopen, fmemopen(memory, sizeof memory, "w"))
MAKER(by_open_memstream, open_memstream(&text, &text_length))

static ssize_t read_nothing(void *cookie, char *to, size_t size)
{
    (void)cookie;
    (void)to;
    (void)size;
    return 0;
}

APART FILE *by_fopencookie(void)
{
    cookie_io_functions_t calls;
    memset(&calls, 0, sizeof calls);
    calls.read = read_nothing;
    return fopencookie(memory, "r", calls);
}

/* Nobody looks at what it returns. */
APART void by_freopen(FILE *stream)
{
    if (freopen("/dev/zero", "r", stream)) {
    }
}

static int (*const close_by_pointer)(FILE *) = &fclose;

static void reopening(void)
{
    FILE *stream = by_fopen();
    by_freopen(stream);
    check_held(__LINE__, "stdio.FILE", 1, "by_freopen");
    EXPECT(freopen("/no/such/file", "r", stream) == NOTHING);
    check_held(__LINE__, "stdio.FILE", 0, "");
    by_freopen(stdin);
    check_held(__LINE__, "stdio.FILE", 0, "");
}

static void made_elsewhere(void)
{
    FILE *(*volatile open_by_pointer)(const char *, const char *) = fopen;
    FILE *stream = open_by_pointer("/dev/null", "r");
    EXPECT(live("stdio.FILE") == 0);
    fclose(stream);
    fclose(stdin);
    EXPECT(live("stdio.FILE") == 0);
}

/* What is closed past the wrap and comes again at its address is the new one's. */
static void ended_elsewhere(void)
{
    FILE *first = by_fopen();
    FILE *second;
    (fclose)(first); /* this is wrapped, too */
    EXPECT(live("stdio.FILE") == 0);
    first = by_fopen();
    fflush(NOTHING);
#undef fclose
    fclose(first);
#define fclose snag_wrap_fclose
    EXPECT(live("stdio.FILE") == 1);
    second = by_tmpfile();
    if (second == first)
        check_held(__LINE__, "stdio.FILE", 1, "by_tmpfile");
    else
        fprintf(stderr, "malloc gave another address\n");
    fclose(second);
}

static void failing(void)
{
    EXPECT(fopen("/no/such/file", "r") == NOTHING);
    EXPECT(errno == ENOENT);
    EXPECT(fdopen(-1, "r") == NOTHING);
    EXPECT(live("stdio.FILE") == 0);
}

#ifdef __cplusplus
#include <memory>

static FILE *before_main = fopen("/dev/null", "r");

APART FILE *by_std(void)
{
    return std::fopen("/dev/zero", "r"); /* gcc has one body for two equal functions */
}

static void in_cplusplus(void)
{
    EXPECT(live("stdio.FILE") == 1);
    std::fclose(before_main);
    CHECK_PAIR("stdio.FILE", FILE, by_std, ::fclose);
    {
        std::unique_ptr<FILE, decltype(&std::fclose)> stream(by_fopen(), &std::fclose);
        EXPECT(live("stdio.FILE") == 1);
    }
    EXPECT(live("stdio.FILE") == 0);
}
#endif

int main(void)
{
#ifdef __cplusplus
    in_cplusplus();
#endif
    CHECK_PAIR("stdio.FILE", FILE, by_fopen, fclose);
    CHECK_PAIR("stdio.FILE", FILE, by_fopen64, fclose);
    CHECK_PAIR("stdio.FILE", FILE, by_tmpfile, fclose);
    CHECK_PAIR("stdio.FILE", FILE, by_tmpfile64, close_by_pointer);
    CHECK_PAIR("stdio.FILE", FILE, by_fdopen, fclose);
    CHECK_PAIR("stdio.FILE", FILE, by_popen, pclose);
    CHECK_PAIR("stdio.FILE", FILE, by_fmemopen, fclose);
    CHECK_PAIR("stdio.FILE", FILE, by_open_memstream, fclose);
    CHECK_PAIR("stdio.FILE", FILE, by_fopencookie, fclose);
    free(text);
    reopening();
    made_elsewhere();
    failing();
    ended_elsewhere();
    return checks_end();
}
