/* push_form.c: one profile as /ingest wants it; see push_form.h. */
#include "collect/push_form.h"

#include "base/sink.h"
#include "collect/pprof.h"

#include <errno.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NS_PER_SECOND 1000000000

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* labelset.ValidateServiceName */
static void write_service(struct sink *sink, const char *service)
{
    for (const char *c = *service ? service : "unknown"; *c; c++)
        sink_printf(sink, "%c", is_letter(*c) || is_digit(*c) || strchr("-._/", *c) ? *c : '_');
}

/* Names as Prometheus has them; those that begin "__" are the server's own. */
static void write_label(struct sink *sink, const struct push_label *label, bool *first)
{
    if (!label->name || !*label->name || !label->value || !*label->value ||
        strncmp(label->name, "__", 2) == 0)
        return;
    sink_puts(sink, *first ? "" : ",");
    *first = false;
    if (is_digit(*label->name))
        sink_puts(sink, "_");
    for (const char *c = label->name; *c; c++)
        sink_printf(sink, "%c", is_letter(*c) || is_digit(*c) ? *c : '_');
    sink_puts(sink, "=");
    for (const char *c = label->value; *c; c++) /* what would end it there */
        sink_printf(sink, "%c", strchr(",}", *c) || (unsigned char)*c < ' ' ? '_' : *c);
}

static uint64_t seconds_until(uint64_t time_ns)
{
    return time_ns / NS_PER_SECOND + (time_ns % NS_PER_SECOND > 0);
}

static char *make_query(const struct push_profile *profile, const struct pprof *pprof)
{
    struct sink_buffer name;
    bool first = true;
    char *query = NULL;
    uint64_t from = profile->time_ns;
    uint64_t duration = 0;
    if (pprof->message->time_nanos > 0)
        from = (uint64_t)pprof->message->time_nanos;
    if (pprof->message->duration_nanos > 0)
        duration = (uint64_t)pprof->message->duration_nanos;
    sink_buffer_init(&name);
    write_service(&name.sink, profile->service);
    sink_puts(&name.sink, "{");
    for (size_t i = 0; i < profile->label_count; i++)
        write_label(&name.sink, &profile->labels[i], &first);
    sink_puts(&name.sink, "}");
    char *encoded = name.sink.error ? NULL : evhttp_uriencode(name.bytes, -1, 0);
    if (encoded && asprintf(&query, "name=%s&from=%" PRIu64 "&until=%" PRIu64 "&spyName=snag",
                            encoded, from / NS_PER_SECOND, seconds_until(from + duration)) < 0)
        query = NULL;
    free(encoded);
    sink_buffer_free(&name);
    return query;
}

/* Of each sample type: that it is a state and no sum over time, and whose profile it is. */
static void write_types(struct sink *sink, const struct push_profile *profile,
                        const struct pprof *pprof)
{
    const Perftools__Profiles__Profile *message = pprof->message;
    for (size_t i = 0; i < message->n_sample_type; i++) {
        const char *unit = pprof_unit(pprof, message->sample_type[i]);
        sink_puts(sink, i == 0 ? "{" : ",");
        sink_json_string(sink, pprof_type(pprof, message->sample_type[i]));
        sink_puts(sink, ":{\"units\":");
        sink_json_string(sink, strcmp(unit, "count") == 0 ? "objects" : unit);
        sink_puts(sink, ",\"display-name\":");
        sink_json_string(sink, profile->profile);
        sink_puts(sink, ",\"aggregation\":\"avg\",\"cumulative\":false,\"sampled\":false}");
    }
    sink_puts(sink, "}");
}

/* Ends no part but its own: 128 random bits do not stand in the profile. */
static void make_boundary(char boundary[48])
{
    uint64_t words[2] = { (uintptr_t)boundary, 0 };
    if (getrandom(words, sizeof words, 0) < 0)
        words[1] = (uint64_t)errno;
    snprintf(boundary, 48, "snag-%016" PRIx64 "%016" PRIx64, words[0], words[1]);
}

static void write_part(struct sink *sink, const char *boundary, const char *name, const char *file,
                       const char *type)
{
    sink_printf(sink,
                "--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
                "Content-Type: %s\r\n\r\n",
                boundary, name, file, type);
}

static int make_body(const struct push_profile *profile, const struct pprof *pprof,
                     struct push_form *form)
{
    struct sink_buffer body;
    char boundary[48];
    make_boundary(boundary);
    snprintf(form->content_type, sizeof form->content_type, "multipart/form-data; boundary=%s",
             boundary);
    sink_buffer_init(&body);
    write_part(&body.sink, boundary, "profile", "profile.pprof", "application/octet-stream");
    sink_write(&body.sink, profile->bytes, profile->length);
    sink_puts(&body.sink, "\r\n");
    write_part(&body.sink, boundary, "sample_type_config", "sample_type_config.json",
               "application/json");
    write_types(&body.sink, profile, pprof);
    sink_printf(&body.sink, "\r\n--%s--\r\n", boundary);
    form->body = body.sink.error ? NULL : malloc(body.length);
    if (form->body) {
        memcpy(form->body, body.bytes, body.length);
        form->length = body.length;
    }
    sink_buffer_free(&body);
    return form->body ? 0 : -ENOMEM;
}

int push_form_make(const struct push_profile *profile, struct push_form *form)
{
    struct pprof pprof;
    char why[256];
    *form = (struct push_form){ 0 };
    int status = pprof_parse(&pprof, profile->bytes, profile->length, PPROF_LIMIT, why, sizeof why);
    if (status)
        return status == -ENOMEM ? status : -EINVAL;
    form->query = make_query(profile, &pprof);
    status = form->query ? make_body(profile, &pprof, form) : -ENOMEM;
    pprof_free(&pprof);
    if (status)
        push_form_free(form);
    return status;
}

void push_form_free(struct push_form *form)
{
    free(form->query);
    free(form->body);
    *form = (struct push_form){ 0 };
}
