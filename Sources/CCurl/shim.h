#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>

/*
 * libcurl brings thirty libraries along, which would make every run of the program start later. So it
 * is opened when the first sink needs it. Its functions that take any number of arguments, which Swift
 * cannot call, are here with the arguments that they are called with.
 */

#undef curl_easy_setopt
#undef curl_easy_getinfo

struct postern_curl {
    CURLcode (*global_init)(long);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
    void (*easy_reset)(CURL *);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    const char *(*easy_strerror)(CURLcode);
    CURLcode (*easy_send)(CURL *, const void *, size_t, size_t *);
    CURLcode (*easy_recv)(CURL *, void *, size_t, size_t *);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
};

/* Opens the library; 0 if it is not there or too old. */
static inline int postern_curl_open(struct postern_curl *curl) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
#define POSTERN_FIND(name)                                              \
    if (!(*(void **)&curl->name = dlsym(library, "curl_" #name))) {     \
        return 0;                                                       \
    }
    POSTERN_FIND(global_init)
    POSTERN_FIND(easy_init)
    POSTERN_FIND(easy_cleanup)
    POSTERN_FIND(easy_reset)
    POSTERN_FIND(easy_setopt)
    POSTERN_FIND(easy_perform)
    POSTERN_FIND(easy_getinfo)
    POSTERN_FIND(easy_strerror)
    POSTERN_FIND(easy_send)
    POSTERN_FIND(easy_recv)
    POSTERN_FIND(slist_append)
    POSTERN_FIND(slist_free_all)
#undef POSTERN_FIND
    return curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static inline CURL *postern_curl_handle(const struct postern_curl *curl) { return curl->easy_init(); }

static inline void postern_curl_close(const struct postern_curl *curl, CURL *handle) {
    curl->easy_cleanup(handle);
}

static inline void postern_curl_reset(const struct postern_curl *curl, CURL *handle) {
    curl->easy_reset(handle);
}

static inline CURLcode postern_curl_perform(const struct postern_curl *curl, CURL *handle) {
    return curl->easy_perform(handle);
}

static inline const char *postern_curl_words(const struct postern_curl *curl, CURLcode code) {
    return curl->easy_strerror(code);
}

static inline struct curl_slist *postern_curl_append(
    const struct postern_curl *curl, struct curl_slist *list, const char *text) {
    return curl->slist_append(list, text);
}

static inline void postern_curl_free(const struct postern_curl *curl, struct curl_slist *list) {
    curl->slist_free_all(list);
}

static inline CURLcode postern_curl_number(
    const struct postern_curl *curl, CURL *handle, CURLoption option, long value) {
    return curl->easy_setopt(handle, option, value);
}

static inline CURLcode postern_curl_text(
    const struct postern_curl *curl, CURL *handle, CURLoption option, const char *value) {
    return curl->easy_setopt(handle, option, value);
}

static inline CURLcode postern_curl_size(
    const struct postern_curl *curl, CURL *handle, CURLoption option, curl_off_t value) {
    return curl->easy_setopt(handle, option, value);
}

static inline CURLcode postern_curl_pointer(
    const struct postern_curl *curl, CURL *handle, CURLoption option, const void *value) {
    return curl->easy_setopt(handle, option, value);
}

static inline CURLcode postern_curl_list(
    const struct postern_curl *curl, CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl->easy_setopt(handle, option, value);
}

static inline CURLcode postern_curl_function(
    const struct postern_curl *curl, CURL *handle, CURLoption option,
    size_t (*value)(char *, size_t, size_t, void *)) {
    return curl->easy_setopt(handle, option, value);
}

static inline CURLcode postern_curl_number_of(
    const struct postern_curl *curl, CURL *handle, CURLINFO info, long *value) {
    return curl->easy_getinfo(handle, info, value);
}

static inline CURLcode postern_curl_size_of(
    const struct postern_curl *curl, CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl->easy_getinfo(handle, info, value);
}

static inline CURLcode postern_curl_socket_of(
    const struct postern_curl *curl, CURL *handle, curl_socket_t *value) {
    return curl->easy_getinfo(handle, CURLINFO_ACTIVESOCKET, value);
}

static inline CURLcode postern_curl_send(
    const struct postern_curl *curl, CURL *handle, const void *bytes, size_t size, size_t *sent) {
    return curl->easy_send(handle, bytes, size, sent);
}

static inline CURLcode postern_curl_receive(
    const struct postern_curl *curl, CURL *handle, void *bytes, size_t size, size_t *received) {
    return curl->easy_recv(handle, bytes, size, received);
}
