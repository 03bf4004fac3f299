/* push_url.h: where profiles are pushed to, and as whom. */
#ifndef SNAG_COLLECT_PUSH_URL_H
#define SNAG_COLLECT_PUSH_URL_H

#include <stddef.h>
#include <stdint.h>

struct push_url {
    char host[256];
    uint16_t port;
    char host_header[272]; /* "[::1]:4040" */
    char path[512];        /* "/prefix/ingest" */
};

/* 0; or -EINVAL and one line in WHY. */
int push_url_read(const char *text, struct push_url *url, char *why, size_t size);

/* The value of Authorization for TOKEN or USER:PASSWORD, to be freed; NULL and errno. */
char *push_authorization(const char *credentials);

#endif
