/* options.c: options and environment become the settings of one start.
 *
 * Each field is read twice, first from the caller's struct and then from its
 * variable, by the same check, so a bad value is refused with the same words
 * wherever it came from. A variable that is set but empty counts as unset:
 * emptying SNAG_TOKEN must not open a port that the code has closed. */
#include "api/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_LONGEST 256
#define WATCH_LONGEST 86400
#define PERIOD_SHORTEST 30

/* One value on its way in: where it came from, for the error line. */
struct value {
    const char *name; /* "SNAG_TOKEN" or "snag_options.token" */
    const char *text;
    char *error;
    size_t error_size;
};

static int refuse(const struct value *value, const char *allowed)
{
    snprintf(value->error, value->error_size, "%s=\"%.80s\": %s", value->name, value->text,
             allowed);
    return -EINVAL;
}

static int replace(char **field, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

static int take_listen(const struct value *value, struct settings *settings)
{
    settings->listen_name = value->name;
    return replace(&settings->listen, value->text);
}

static int take_token(const struct value *value, struct settings *settings)
{
    size_t length = strlen(value->text);
    bool printable = length > 0 && length <= TOKEN_LONGEST;
    for (size_t i = 0; printable && i < length; i++)
        printable = value->text[i] > 0x20 && value->text[i] < 0x7f;
    if (!printable) {
        /* The token is a secret: it is not repeated in a log. */
        snprintf(value->error, value->error_size,
                 "%s: a token is 1 to %d printable ASCII characters without spaces", value->name,
                 TOKEN_LONGEST);
        return -EINVAL;
    }
    return replace(&settings->token, value->text);
}

static int take_auto_dump_dir(const struct value *value, struct settings *settings)
{
    if (access(value->text, W_OK | X_OK) != 0)
        return refuse(value, errno == ENOENT
                                 ? "no such directory: give one that exists and is writable"
                                 : "not a directory this user can write to");
    return replace(&settings->auto_dump_dir, value->text);
}

static int take_seconds(const struct value *value, unsigned *seconds)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value->text, &end, 10);
    bool digits_only = value->text[0] >= '0' && value->text[0] <= '9' && *end == 0;
    if (!digits_only || errno || number > WATCH_LONGEST)
        return refuse(value, "a whole number of seconds from 0 (off) to 86400 is allowed");
    *seconds = (unsigned)number;
    return 0;
}

static int take_watch_seconds(const struct value *value, struct settings *settings)
{
    return take_seconds(value, &settings->watch_seconds);
}

/* From a minute on: the detector divides it into hundreds of parts. */
static int take_watch_period(const struct value *value, struct settings *settings)
{
    int status = take_seconds(value, &settings->watch_period_seconds);
    if (status == 0 && settings->watch_period_seconds < PERIOD_SHORTEST)
        return refuse(value, "a whole number of seconds from 30 to 86400 is allowed");
    return status;
}

static int take_term_seconds(const struct value *value, struct settings *settings)
{
    return take_seconds(value, &settings->term_seconds);
}

static int take_signal_mode(const struct value *value, struct settings *settings)
{
    static const char *const names[] = { "auto", "never", "always" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(value->text, names[i]) == 0) {
            settings->signal_mode = (snag_signal_mode)i;
            return 0;
        }
    }
    return refuse(value, "never, auto or always is allowed");
}

typedef int take_function(const struct value *value, struct settings *settings);

static int take(const char *name, const char *text, take_function *function,
                struct settings *settings, char *error, size_t size)
{
    if (!text || !*text)
        return 0;
    struct value value = { name, text, error, size };
    return function(&value, settings);
}

/* The caller's struct, brought to the size we know. A newer caller may pass
 * more, as long as what we do not know is zero. */
static int copy_options(const snag_options *given, snag_options *known, char *error, size_t size)
{
    *known = (snag_options)SNAG_OPTIONS_INIT;
    if (!given)
        return 0;
    if (given->size < offsetof(snag_options, listen) + sizeof given->listen) {
        snprintf(error, size,
                 "snag_options.size=%zu: initialise the options with SNAG_OPTIONS_INIT",
                 given->size);
        return -EINVAL;
    }
    memcpy(known, given, given->size < sizeof *known ? given->size : sizeof *known);
    for (size_t i = sizeof *known; i < given->size; i++) {
        if (((const char *)given)[i] != 0) {
            snprintf(error, size,
                     "snag_options.size=%zu: a field is set that this version of snag (%s) does "
                     "not know",
                     given->size, SNAG_VERSION);
            return -EINVAL;
        }
    }
    return 0;
}

static int read_fields(settings_variable *variable, const snag_options *options,
                       struct settings *settings, char *error, size_t size)
{
    if (options->signal_mode < SNAG_SIGNAL_AUTO || options->signal_mode > SNAG_SIGNAL_ALWAYS) {
        snprintf(error, size, "snag_options.signal_mode=%d: never, auto or always is allowed",
                 (int)options->signal_mode);
        return -EINVAL;
    }
    settings->signal_mode = options->signal_mode;
    char watch_seconds[16];
    char term_seconds[16];
    snprintf(watch_seconds, sizeof watch_seconds, "%u", options->watch_seconds);
    snprintf(term_seconds, sizeof term_seconds, "%u", options->term_seconds);
    const struct {
        const char *name, *text;
        take_function *function;
    } fields[] = {
        { "snag_options.listen", options->listen, take_listen },
        { "snag_options.token", options->token, take_token },
        { "snag_options.watch_seconds", watch_seconds, take_watch_seconds },
        { "snag_options.auto_dump_dir", options->auto_dump_dir, take_auto_dump_dir },
        { "snag_options.term_seconds", term_seconds, take_term_seconds },
        { "SNAG_LISTEN", variable("SNAG_LISTEN"), take_listen },
        { "SNAG_TOKEN", variable("SNAG_TOKEN"), take_token },
        { "SNAG_WATCH_SECONDS", variable("SNAG_WATCH_SECONDS"), take_watch_seconds },
        { "SNAG_WATCH_PERIOD", variable("SNAG_WATCH_PERIOD"), take_watch_period },
        { "SNAG_SIGNAL", variable("SNAG_SIGNAL"), take_signal_mode },
        { "SNAG_AUTO_DUMP_DIR", variable("SNAG_AUTO_DUMP_DIR"), take_auto_dump_dir },
        { "SNAG_TERM_SECONDS", variable("SNAG_TERM_SECONDS"), take_term_seconds },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        int status =
            take(fields[i].name, fields[i].text, fields[i].function, settings, error, size);
        if (status)
            return status;
    }
    return 0;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

int settings_read(const snag_options *options, struct settings *settings, char *error, size_t size)
{
    return settings_read_from(environment, options, settings, error, size);
}

int settings_read_from(settings_variable *variable, const snag_options *options,
                       struct settings *settings, char *error, size_t size)
{
    *settings = (struct settings){ 0 };
    error[0] = 0;
    snag_options known;
    int status = copy_options(options, &known, error, size);
    settings->log = known.log;
    settings->user = known.user;
    if (status == 0) {
        settings->listen_name = "the default";
        status = replace(&settings->listen, "127.0.0.1:6060");
    }
    if (status == 0)
        status = read_fields(variable, &known, settings, error, size);
    if (status == -ENOMEM)
        snprintf(error, size, "no memory for the settings");
    return status;
}

int settings_without_listener(struct settings *settings)
{
    char error[512];
    if (settings_read(NULL, settings, error, sizeof error) == -ENOMEM)
        return -ENOMEM;
    settings->watch_seconds = settings->term_seconds = 0;
    free(settings->auto_dump_dir);
    settings->auto_dump_dir = NULL;
    return replace(&settings->listen, "off");
}

bool settings_watch(const struct settings *settings)
{
    return settings->watch_seconds > 0 || settings->auto_dump_dir;
}

void settings_free(struct settings *settings)
{
    free(settings->listen);
    free(settings->token);
    free(settings->auto_dump_dir);
    *settings = (struct settings){ 0 };
}
