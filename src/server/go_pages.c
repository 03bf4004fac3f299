/* go_pages.c: the two small pages that go tool pprof knows from Go:
 * /debug/pprof/cmdline and /debug/pprof/symbol. */
#include "server/routes.h"

#include "modules/modules.h"
#include "server/exchange.h"
#include "symbolize/symbolize.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The arguments with a 0 between each two, as Go writes them. */
void page_cmdline(struct exchange *exchange)
{
    size_t length;
    char *arguments = lab_arguments(exchange->site->lab, &length);
    if (length > 0 && arguments[length - 1] == 0)
        length--;
    sink_write(&exchange->reply.sink, arguments, length);
    free(arguments);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* "0x1f" or decimal; 0 for anything else, which no code lies at. */
static uint64_t read_address(const char *text, size_t length)
{
    uint64_t address = 0;
    unsigned base = 10;
    if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        length -= 2;
    }
    if (length == 0 || length > 20)
        return 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)digit_value(text[i]);
        if (digit >= base || __builtin_mul_overflow(address, base, &address) ||
            __builtin_add_overflow(address, digit, &address))
            return 0;
    }
    return address;
}

static void write_symbol(struct sink *sink, uint64_t address, struct lab *lab)
{
    const struct location *location = symbolize(lab->symbolizer, address);
    if (!location->has_function || location->line_count == 0)
        return; /* as Go: what is not known is left out */
    sink_printf(sink, "0x%" PRIx64 " ", address);
    sink_plain(sink, location->lines[0].function);
    sink_puts(sink, "\n");
}

/* The addresses stand in the body of a POST or in the query of a GET,
 * separated by '+'. The number of symbols says only that there are any. */
void page_symbol(struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct sink *sink = &exchange->reply.sink;
    struct lab *lab = exchange->site->lab;
    char addresses[REQUEST_HEAD_MOST + 1];
    const char *text = request->body;
    size_t length = request->content_length;
    if (strcmp(request->method, "POST") != 0) {
        query_without_token(request->query, addresses, sizeof addresses);
        text = addresses;
        length = strlen(addresses);
    }
    sink_puts(sink, "num_symbols: 1\n");
    modules_refresh(lab->modules);
    desk_used(exchange->site->desk);
    while (length > 0) {
        const char *plus = memchr(text, '+', length);
        size_t part = plus ? (size_t)(plus - text) : length;
        uint64_t address = read_address(text, part);
        if (address)
            write_symbol(sink, address, lab);
        part += plus != NULL;
        text += part;
        length -= part;
    }
}
