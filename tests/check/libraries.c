/* Libraries: zlib, libevent, libcurl, dlopen, pthread. */
#include <dlfcn.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Of curl/curl.h, so that it need not be installed. */
typedef void CURL;
struct curl_slist;
CURL *curl_easy_init(void);
int curl_easy_setopt(CURL *curl, int option, ...);
int curl_easy_perform(CURL *curl);
void curl_easy_cleanup(CURL *curl);
struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text);
void curl_slist_free_all(struct curl_slist *list);

/* right: a request */
int fetch(const char *url)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return -1;
    curl_easy_setopt(curl, 10002, url);
    int result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return result;
}

/* wrong: a request that fails */
int fetch_badly(const char *url)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return -1;
    curl_easy_setopt(curl, 10002, url);
    if (curl_easy_perform(curl) != 0)
        return -1; /* want: snag-leak */
    curl_easy_cleanup(curl);
    return 0;
}

/* wrong: the headers of the request */
int fetch_with_headers(const char *url)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return -1;
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/plain");
    curl_easy_setopt(curl, 10002, url);
    curl_easy_setopt(curl, 10023, headers);
    int result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return result; /* want: snag-leak */
}

/* right: a list that grows */
int fetch_with_more_headers(const char *url)
{
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    if (!curl)
        return -1;
    headers = curl_slist_append(headers, "Accept: text/plain");
    headers = curl_slist_append(headers, "User-Agent: x");
    curl_easy_setopt(curl, 10002, url);
    curl_easy_setopt(curl, 10023, headers);
    int result = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return result;
}

/* wrong: a stream that is not what it should be */
int inflate_all(unsigned char *from, unsigned length, unsigned char *to, unsigned size)
{
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    if (inflateInit(&stream) != Z_OK)
        return -1;
    stream.next_in = from;
    stream.avail_in = length;
    stream.next_out = to;
    stream.avail_out = size;
    if (inflate(&stream, Z_FINISH) != Z_STREAM_END)
        return -1; /* want: snag-leak */
    inflateEnd(&stream);
    return (int)(size - stream.avail_out);
}

/* right: ended on both ways */
int deflate_all(unsigned char *from, unsigned length, unsigned char *to, unsigned size)
{
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    if (deflateInit(&stream, 6) != Z_OK)
        return -1;
    stream.next_in = from;
    stream.avail_in = length;
    stream.next_out = to;
    stream.avail_out = size;
    int result = deflate(&stream, Z_FINISH);
    unsigned left = stream.avail_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? (int)(size - left) : -1;
}

/* wrong: a compressed file that is empty */
int gz_first(const char *path)
{
    gzFile file = gzopen(path, "rb");
    if (!file)
        return -1;
    int c = gzgetc(file);
    if (c < 0)
        return -2; /* want: snag-leak */
    gzclose(file);
    return c;
}

/* right: and one that is not */
int gz_second(const char *path)
{
    gzFile file = gzopen(path, "rb");
    if (!file)
        return -1;
    gzgetc(file);
    int c = gzgetc(file);
    return gzclose(file) == Z_OK ? c : -1;
}

/* wrong: the base is left when the event cannot be made */
int once(int fd, event_callback_fn callback)
{
    struct event_base *base = event_base_new();
    if (!base)
        return -1;
    struct event *event = event_new(base, fd, EV_READ, callback, NULL);
    if (!event)
        return -1; /* want: snag-leak */
    event_add(event, NULL);
    event_base_dispatch(base);
    event_free(event);
    event_base_free(base);
    return 0;
}

/* right: both are freed */
int once_well(int fd, event_callback_fn callback)
{
    int result = -1;
    struct event_base *base = event_base_new();
    if (!base)
        return -1;
    struct event *event = event_new(base, fd, EV_READ, callback, NULL);
    if (event) {
        event_add(event, NULL);
        result = event_base_dispatch(base);
        event_free(event);
    }
    event_base_free(base);
    return result;
}

/* wrong: a buffer for one line */
int prefix(struct evbuffer *from)
{
    struct evbuffer *part = evbuffer_new();
    if (!part)
        return -1;
    if (evbuffer_remove_buffer(from, part, 8) != 8)
        return -1; /* want: snag-leak */
    evbuffer_free(part);
    return 0;
}

/* wrong: a plug-in without its entry */
void *plugin(const char *path)
{
    void *module = dlopen(path, RTLD_NOW);
    if (!module)
        return NULL;
    void *entry = dlsym(module, "entry");
    if (!entry)
        return NULL; /* want: snag-leak */
    return module;
}

/* right: a plug-in without its entry is closed */
void *plugin_well(const char *path)
{
    void *module = dlopen(path, RTLD_NOW);
    if (!module)
        return NULL;
    if (!dlsym(module, "entry")) {
        dlclose(module);
        return NULL;
    }
    return module;
}

/* wrong: a pattern that matches nothing */
int matches(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return -1;
    if (regexec(&regex, text, 0, NULL, 0) != 0)
        return 0; /* want: snag-leak */
    regfree(&regex);
    return 1;
}

/* right: whether it matches or not */
int matches_well(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return -1;
    int result = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return result == 0;
}

static void *work(void *argument)
{
    return argument;
}

/* wrong: the second thread cannot be started, the first is not joined */
int two_threads(void)
{
    pthread_t first, second;
    if (pthread_create(&first, NULL, work, NULL) != 0)
        return -1;
    if (pthread_create(&second, NULL, work, NULL) != 0)
        return -1; /* want: snag-leak */
    pthread_join(second, NULL);
    pthread_join(first, NULL);
    return 0;
}

/* right: it is detached */
int background(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        return -1;
    pthread_detach(thread);
    return 0;
}

/* right: it is the caller's */
int started(pthread_t *thread)
{
    return pthread_create(thread, NULL, work, NULL) == 0 ? 0 : -1;
}

/* wrong: attributes that were set in vain */
int detached(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return -1;
    if (pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) != 0)
        return -1; /* want: snag-leak */
    int result = pthread_create(&thread, &attributes, work, NULL);
    pthread_attr_destroy(&attributes);
    return result;
}
