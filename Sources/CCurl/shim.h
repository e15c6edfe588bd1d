#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo take any type, as macros over variadic functions, which Swift does not import.

static inline CURLcode weir_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode weir_curl_set_writer(
    CURL *handle, size_t (*writer)(char *, size_t, size_t, void *), void *argument) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, writer);
  return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_WRITEDATA, argument);
}

static inline long weir_curl_status(CURL *handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
