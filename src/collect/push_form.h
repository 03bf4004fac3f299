/* push_form.h: one profile as /ingest wants it: what stands in the URL, and a form as the body.
 *
 * Grafana Pyroscope (ingest_handler.go, og/convert/pprof) takes a profile alone with format=pprof,
 * or a multipart form without it: parts `profile` and `sample_type_config`. We send the form. The
 * profile type is named after the last sample type, or by its display-name in that
 * configuration; alone, `threads` would be stored as `blocked`. */
#ifndef SNAG_COLLECT_PUSH_FORM_H
#define SNAG_COLLECT_PUSH_FORM_H

#include "collect/push.h"

#include <stddef.h>

struct push_form {
    char *query; /* "name=web%7Binstance%3D...%7D&from=...&until=...&spyName=snag" */
    char content_type[96];
    void *body;
    size_t length;
};

/* 0, -ENOMEM, or -EINVAL when PROFILE's bytes are no profile. */
int push_form_make(const struct push_profile *profile, struct push_form *form);

void push_form_free(struct push_form *form);

#endif
