/* curl.h: libcurl's handles with the function that made them: curl.easy, curl.multi, curl.share,
 * curl.slist, curl.mime, curl.url.
 *
 *     #include <snag/wrap/curl.h>   last of the includes; see wrap.h
 *
 * Includes <curl/curl.h>; snag itself does not need libcurl. A list of strings is one handle,
 * entered by the first curl_slist_append. */
#ifndef SNAG_WRAP_CURL_H
#define SNAG_WRAP_CURL_H

#include <snag/wrap/wrap.h>

#include <curl/curl.h>

SNAG_WRAP_INVENTORY(snag_wrap_easies, "curl.easy");
SNAG_WRAP_INVENTORY(snag_wrap_multis, "curl.multi");
SNAG_WRAP_INVENTORY(snag_wrap_shares, "curl.share");
SNAG_WRAP_INVENTORY(snag_wrap_slists, "curl.slist");

SNAG_WRAP_MAKER(snag_wrap_easies, CURL *, curl_easy_init, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_MAKER(snag_wrap_easies, CURL *, curl_easy_duphandle, (SNAG_WRAP_PLACE, CURL *from),
                (from))
SNAG_WRAP_FREER(snag_wrap_easies, curl_easy_cleanup, CURL *)
#define curl_easy_init() snag_wrap_curl_easy_init(SNAG_WRAP_HERE)
#define curl_easy_duphandle(...) snag_wrap_curl_easy_duphandle(SNAG_WRAP_HERE, __VA_ARGS__)
#define curl_easy_cleanup snag_wrap_curl_easy_cleanup

SNAG_WRAP_MAKER(snag_wrap_multis, CURLM *, curl_multi_init, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_ENDER(snag_wrap_multis, CURLMcode, curl_multi_cleanup, CURLM *)
#define curl_multi_init() snag_wrap_curl_multi_init(SNAG_WRAP_HERE)
#define curl_multi_cleanup snag_wrap_curl_multi_cleanup

/* While it is used by an easy handle, it is not ended. */
SNAG_WRAP_FUNCTION CURLSHcode snag_wrap_curl_share_cleanup(CURLSH *share)
{
    int was_live = SNAG_WRAP_ENDED(snag_wrap_shares, share);
    CURLSHcode status = curl_share_cleanup(share);
    if (status != CURLSHE_OK && was_live)
        SNAG_WRAP_MADE(snag_wrap_shares, share, 0);
    return status;
}

SNAG_WRAP_MAKER(snag_wrap_shares, CURLSH *, curl_share_init, (SNAG_WRAP_PLACE), ())
#define curl_share_init() snag_wrap_curl_share_init(SNAG_WRAP_HERE)
#define curl_share_cleanup snag_wrap_curl_share_cleanup

SNAG_WRAP_FUNCTION struct curl_slist *
snag_wrap_curl_slist_append(SNAG_WRAP_PLACE, struct curl_slist *list, const char *text)
{
    SNAG_WRAP_BEGIN();
    struct curl_slist *made = curl_slist_append(list, text);
    if (made && !list)
        SNAG_WRAP_MADE(snag_wrap_slists, made, 0);
    return made;
}

SNAG_WRAP_FREER(snag_wrap_slists, curl_slist_free_all, struct curl_slist *)
#define curl_slist_append(...) snag_wrap_curl_slist_append(SNAG_WRAP_HERE, __VA_ARGS__)
#define curl_slist_free_all snag_wrap_curl_slist_free_all

#if LIBCURL_VERSION_NUM >= 0x073800 /* 7.56.0 */
SNAG_WRAP_INVENTORY(snag_wrap_mimes, "curl.mime");
SNAG_WRAP_MAKER(snag_wrap_mimes, curl_mime *, curl_mime_init, (SNAG_WRAP_PLACE, CURL *easy), (easy))
SNAG_WRAP_FREER(snag_wrap_mimes, curl_mime_free, curl_mime *)
#define curl_mime_init(...) snag_wrap_curl_mime_init(SNAG_WRAP_HERE, __VA_ARGS__)
#define curl_mime_free snag_wrap_curl_mime_free

/* A part's parts are the part's, once they are set. */
SNAG_WRAP_FUNCTION CURLcode snag_wrap_curl_mime_subparts(curl_mimepart *part, curl_mime *parts)
{
    CURLcode status = curl_mime_subparts(part, parts);
    if (status == CURLE_OK && parts)
        SNAG_WRAP_ENDED(snag_wrap_mimes, parts);
    return status;
}

#define curl_mime_subparts snag_wrap_curl_mime_subparts
#endif

#if LIBCURL_VERSION_NUM >= 0x073e00 /* 7.62.0 */
SNAG_WRAP_INVENTORY(snag_wrap_urls, "curl.url");
SNAG_WRAP_MAKER(snag_wrap_urls, CURLU *, curl_url, (SNAG_WRAP_PLACE), ())
SNAG_WRAP_MAKER(snag_wrap_urls, CURLU *, curl_url_dup, (SNAG_WRAP_PLACE, CURLU *from), (from))
SNAG_WRAP_FREER(snag_wrap_urls, curl_url_cleanup, CURLU *)
#define curl_url() snag_wrap_curl_url(SNAG_WRAP_HERE)
#define curl_url_dup(...) snag_wrap_curl_url_dup(SNAG_WRAP_HERE, __VA_ARGS__)
#define curl_url_cleanup snag_wrap_curl_url_cleanup
#endif

#endif
