/* curl.c: libcurl's handles. Compiled as C and as C++. */
#include "check.h"

#include <snag/wrap/curl.h>

static CURL *origin;
static CURLU *origin_url;

#define MAKER(type, name, call)                                                                    \
    APART type *name(void)                                                                         \
    {                                                                                              \
        return call;                                                                               \
    }

MAKER(CURL, by_easy_init, curl_easy_init())
MAKER(CURL, by_duphandle, curl_easy_duphandle(origin))
MAKER(CURLM, by_multi_init, curl_multi_init())
MAKER(CURLSH, by_share_init, curl_share_init())
MAKER(struct curl_slist, by_first_append, curl_slist_append(NOTHING, "Accept: text/plain"))
MAKER(curl_mime, by_mime_init, curl_mime_init(origin))
MAKER(CURLU, by_url, curl_url())
MAKER(CURLU, by_url_dup, curl_url_dup(origin_url))

static void one_list_is_one_handle(void)
{
    struct curl_slist *list = by_first_append();
    list = curl_slist_append(list, "Accept-Language: en");
    check_held(__LINE__, "curl.slist", 1, "by_first_append");
    curl_slist_free_all(list);
    curl_slist_free_all(NOTHING);
    EXPECT(live("curl.slist") == 0);
}

static void parts_are_the_parts(void)
{
    curl_mime *outer = by_mime_init();
    curl_mime *inner = by_mime_init();
    EXPECT(live("curl.mime") == 2);
    EXPECT(curl_mime_subparts(curl_mime_addpart(outer), inner) == CURLE_OK);
    EXPECT(live("curl.mime") == 1);
    curl_mime_free(outer);
    EXPECT(live("curl.mime") == 0);
}

static void share_in_use(void)
{
    CURLSH *share = by_share_init();
    curl_easy_setopt(origin, CURLOPT_SHARE, share);
    EXPECT(curl_share_cleanup(share) == CURLSHE_IN_USE);
    EXPECT(live("curl.share") == 1);
    curl_easy_setopt(origin, CURLOPT_SHARE, NOTHING);
    EXPECT(curl_share_cleanup(share) == CURLSHE_OK);
    EXPECT(live("curl.share") == 0);
}

int main(void)
{
    void (*clean_by_pointer)(CURL *) = curl_easy_cleanup;
    curl_global_init(CURL_GLOBAL_NOTHING);
    CHECK_PAIR("curl.easy", CURL, by_easy_init, curl_easy_cleanup);
    CHECK_PAIR("curl.easy", CURL, by_easy_init, clean_by_pointer);
    CHECK_PAIR("curl.multi", CURLM, by_multi_init, curl_multi_cleanup);
    CHECK_PAIR("curl.slist", struct curl_slist, by_first_append, curl_slist_free_all);
    CHECK_PAIR("curl.url", CURLU, by_url, curl_url_cleanup);
    CHECK_PAIR("curl.share", CURLSH, by_share_init, curl_share_cleanup);
#undef curl_easy_init
#undef curl_url
    origin = curl_easy_init();
    origin_url = curl_url();
    CHECK_PAIR("curl.easy", CURL, by_duphandle, curl_easy_cleanup);
    CHECK_PAIR("curl.url", CURLU, by_url_dup, curl_url_cleanup);
    CHECK_PAIR("curl.mime", curl_mime, by_mime_init, curl_mime_free);
    one_list_is_one_handle();
    parts_are_the_parts();
    share_in_use();
    curl_url_cleanup(origin_url);
    curl_easy_cleanup(origin);
    return checks_end();
}
