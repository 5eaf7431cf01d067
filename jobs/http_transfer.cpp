#include "jobs/http_transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace jobs {

namespace {

constexpr long connect_timeout_ms = 10'000;
constexpr std::size_t most_header_bytes = std::size_t{64} * 1024;
// So much more of an error's body is read than is kept, which costs less than another connection.
constexpr std::size_t most_dropped = std::size_t{64} * 1024;

// Those that libcurl was built with.
struct Authorities {
    explicit Authorities(CURL* fresh) {
        curl_easy_getinfo(fresh, CURLINFO_CAINFO, &file);
        curl_easy_getinfo(fresh, CURLINFO_CAPATH, &path);
    }
    const char* file = nullptr;
    const char* path = nullptr;
};

template <class T>
void set(CURL* easy, CURLoption option, T value) {
    if (const CURLcode code = curl_easy_setopt(easy, option, value); code != CURLE_OK) {
        throw std::runtime_error(fmt::format("libcurl refuses an option: {}", curl_easy_strerror(code)));
    }
}

}  // namespace

EasyHandle HttpTransfer::make_easy(const std::string& user_agent) {
    EasyHandle easy(curl_easy_init());
    CURL* const handle = easy.get();
    set(handle, CURLOPT_NOSIGNAL, 1L);
    set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));  // one request a connection
    set(handle, CURLOPT_POST, 1L);
    set(handle, CURLOPT_USERAGENT, user_agent.c_str());
    set(handle, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    set(handle, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
    set(handle, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
    return easy;
}

HttpTransfer::HttpTransfer(HttpRequest request, EasyHandle easy)
    : request_(std::move(request)), easy_(std::move(easy)) {
    for (const std::string& header : request_.headers) {
        headers_.reset(curl_slist_append(headers_.release(), header.c_str()));
    }
    // Without this, libcurl asks for leave to send a large body, and waits a second for it.
    headers_.reset(curl_slist_append(headers_.release(), "Expect:"));
    // All that differs between requests, and all that points into this object.
    CURL* const handle = easy_.get();
    set(handle, CURLOPT_ERRORBUFFER, error_.data());
    set(handle, CURLOPT_URL, request_.url.c_str());
    set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(handle, CURLOPT_POSTFIELDS, request_.body.data());
    set(handle, CURLOPT_HTTPHEADER, headers_.get());
    set(handle, CURLOPT_HEADERDATA, this);
    set(handle, CURLOPT_WRITEDATA, this);
    static const Authorities system(handle);
    const bool has_own = !request_.ca_file.empty();  // instead of the system's, not besides
    set(handle, CURLOPT_CAINFO, has_own ? request_.ca_file.c_str() : system.file);
    set(handle, CURLOPT_CAPATH, has_own ? nullptr : system.path);
}

std::size_t HttpTransfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<HttpTransfer*>(self);
    transfer.header_bytes_ += size * count;
    if (transfer.header_bytes_ > most_header_bytes) return 0;  // which ends the transfer
    read_header_line({bytes, size * count}, transfer.answer_);
    return size * count;
}

std::size_t HttpTransfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    return static_cast<HttpTransfer*>(self)->take_body({bytes, size * count}) ? size * count : 0;
}

// Answers whether more is wanted.
bool HttpTransfer::take_body(std::string_view bytes) {
    const std::size_t limit = body_limit(answer_.status, request_.result_limit);
    const std::size_t taken = std::min(bytes.size(), limit - answer_.body.size());
    answer_.body += bytes.substr(0, taken);
    dropped_ += bytes.size() - taken;
    answer_.is_cut = dropped_ > 0;
    const bool is_success = answer_.status >= 200 && answer_.status < 300;
    return dropped_ <= (is_success ? 0 : most_dropped);
}

boost::system::result<HttpExchange, HttpFailure> HttpTransfer::finish(CURLcode code) {
    const bool was_cut_off = code == CURLE_WRITE_ERROR && answer_.is_cut;
    if (code == CURLE_OK || was_cut_off) {
        long connects = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connects);
        return HttpExchange{std::move(answer_), connects > 0};
    }
    std::string error = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
    if (header_bytes_ > most_header_bytes) error = fmt::format("its headers are over {} bytes", most_header_bytes);
    return HttpFailure{fmt::format("POST {}: {}", request_.url, error)};
}

}  // namespace jobs
