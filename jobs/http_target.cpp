#include "jobs/http_target.hpp"

#include <fmt/format.h>

#include <curl/curl.h>
#include <memory>
#include <stdexcept>
#include <utility>

namespace jobs {

namespace {

struct UrlDeleter {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

// Empty: the URL has no such part.
std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
    const std::unique_ptr<char, decltype(&curl_free)> owner(text, &curl_free);
    return text;
}

}  // namespace

HttpTarget parse_target(std::string url, std::string ca_file) {
    const std::unique_ptr<CURLU, UrlDeleter> parts(curl_url());
    const CURLUcode code = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0);
    if (code != CURLUE_OK) throw std::invalid_argument(fmt::format("{}: {}", url, curl_url_strerror(code)));
    const std::string scheme = part_of(parts.get(), CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") throw std::invalid_argument(url + ": neither http nor https");
    const std::string host = part_of(parts.get(), CURLUPART_HOST);
    const std::string port = part_of(parts.get(), CURLUPART_PORT);  // empty: the scheme's own
    const std::string query = part_of(parts.get(), CURLUPART_QUERY);
    const std::string authority = port.empty() ? host : host + ":" + port;
    return {
        .url = std::move(url),
        .origin = scheme + "://" + authority,
        .host = authority,
        .path = part_of(parts.get(), CURLUPART_PATH) + (query.empty() ? "" : "?" + query),
        .ca_file = std::move(ca_file),
    };
}

}  // namespace jobs
