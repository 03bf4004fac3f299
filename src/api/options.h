/* options.h: the settings of one start, after the environment had its say. */
#ifndef SNAG_API_OPTIONS_H
#define SNAG_API_OPTIONS_H

#include <snag/snag.h>

#include <stdbool.h>
#include <stddef.h>

/* Owned copies; strings are NULL where unset. */
struct settings {
    char *listen;            /* never NULL after settings_read */
    const char *listen_name; /* where it came from: "SNAG_LISTEN", "snag_options.listen" */
    char *token;
    char *auto_dump_dir;
    unsigned watch_seconds;
    unsigned term_seconds;
    unsigned watch_period_seconds; /* 0: the default */
    snag_signal_mode signal_mode;
    void (*log)(const char *line, void *user);
    void *user;
};

/* Fills SETTINGS from OPTIONS (may be NULL) and the environment, which wins.
 * 0, -ENOMEM, or -EINVAL; ERROR then holds one line that names the variable or
 * field, its value and what is allowed. settings_free in every case. */
int settings_read(const snag_options *options, struct settings *settings, char *error, size_t size);

/* The same, with what VARIABLE tells instead of the environment, which belongs to the service. */
typedef const char *settings_variable(const char *name);
int settings_read_from(settings_variable *variable, const snag_options *options,
                       struct settings *settings, char *error, size_t size);

/* The settings of an engine that only answers snag_write: "off", and the
 * variables as far as they are good. 0 or -ENOMEM. */
int settings_without_listener(struct settings *settings);

/* Whether snag is to watch, and not only to answer. */
bool settings_watch(const struct settings *settings);

void settings_free(struct settings *settings);

#endif
