/* fds_address.c: addresses in words; see fds_address.h.
 *
 * Ten thousand sockets have twenty thousand addresses, nearly all of them of
 * IPv4: those are written by hand, at a twentieth of the price of printf. */
#include "sources/fds_address.h"

#include <arpa/inet.h>
#include <string.h>

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static char *put_number(char *text, unsigned number)
{
    char digits[8];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *text++ = digits[--count];
    return text;
}

size_t address_of_inet(char *text, int family, const void *bytes, uint16_t port)
{
    const unsigned char *address = bytes;
    char *end = text;
    if (family == AF_INET6 && memcmp(address, mapped, sizeof mapped) == 0) {
        family = AF_INET;
        address += sizeof mapped;
    }
    if (family == AF_INET6) {
        *end++ = '[';
        if (inet_ntop(AF_INET6, address, end, ADDRESS_ROOM - 16))
            end += strlen(end);
        *end++ = ']';
    } else {
        for (int i = 0; i < 4; i++) {
            end = put_number(end, address[i]);
            *end++ = '.';
        }
        end--;
    }
    *end++ = ':';
    end = put_number(end, port);
    *end = 0;
    return (size_t)(end - text);
}

int address_is_any(int family, const void *bytes)
{
    static const unsigned char any[16];
    if (family == AF_INET)
        return memcmp(bytes, any, 4) == 0;
    return memcmp(bytes, any, 16) == 0 ||
           (memcmp(bytes, mapped, 12) == 0 && memcmp((const char *)bytes + 12, any, 4) == 0);
}

size_t address_of_unix(char *text, const char *name, size_t length)
{
    if (length > ADDRESS_ROOM - 1)
        length = ADDRESS_ROOM - 1;
    if (length > 0 && name[0])
        length = strnlen(name, length); /* what follows a path's end is nothing */
    for (size_t i = 0; i < length; i++)
        text[i] = name[i] ? name[i] : '@';
    text[length] = 0;
    return length;
}
