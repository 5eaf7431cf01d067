#include "jobs/http_connection.hpp"

#include <fmt/format.h>

#include <sys/socket.h>

#include <stdexcept>
#include <utility>

namespace jobs {

namespace {

constexpr long connect_timeout_ms = 10'000;

struct Global {
    Global() { curl_global_init(CURL_GLOBAL_DEFAULT); }
};

template <class T>
void set(CURL* easy, CURLoption option, T value) {
    if (const CURLcode code = curl_easy_setopt(easy, option, value); code != CURLE_OK) {
        throw std::runtime_error(fmt::format("libcurl refuses an option: {}", curl_easy_strerror(code)));
    }
}

// The programs of exec handlers inherit none.
curl_socket_t open_socket(void* /*self*/, curlsocktype /*purpose*/, curl_sockaddr* address) {
    const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return socket < 0 ? CURL_SOCKET_BAD : socket;
}

int on_progress(void* abandoned, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(abandoned)->load() ? 1 : 0;
}

}  // namespace

boost::system::result<std::unique_ptr<HttpConnection>, HttpConnection::Failure> HttpConnection::open(
    const HttpTarget& target, const std::string& user_agent, const std::atomic<bool>& abandoned
) {
    static const Global global;
    Handle easy(curl_easy_init());
    std::array<char, CURL_ERROR_SIZE> text{};
    CURL* const handle = easy.get();
    set(handle, CURLOPT_URL, target.origin.c_str());
    set(handle, CURLOPT_CONNECT_ONLY, 1L);
    set(handle, CURLOPT_HTTPPROXYTUNNEL, 1L);  // through a proxy, what we send is for the server at its end
    set(handle, CURLOPT_NOSIGNAL, 1L);
    set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    set(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(handle, CURLOPT_USERAGENT, user_agent.c_str());
    set(handle, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    set(handle, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set(handle, CURLOPT_ERRORBUFFER, text.data());
    set(handle, CURLOPT_NOPROGRESS, 0L);
    set(handle, CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(handle, CURLOPT_XFERINFODATA, &abandoned);
    if (!target.ca_file.empty()) {  // instead of the system's, not besides
        set(handle, CURLOPT_CAINFO, target.ca_file.c_str());
        set(handle, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    const CURLcode code = curl_easy_perform(handle);
    set(handle, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));
    set(handle, CURLOPT_NOPROGRESS, 1L);
    if (code != CURLE_OK) return Failure{text[0] != '\0' ? text.data() : curl_easy_strerror(code)};
    return std::make_unique<HttpConnection>(std::move(easy));
}

HttpConnection::HttpConnection(Handle easy) : easy_(std::move(easy)) {
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK) socket_ = socket;
}

HttpConnection::Moved HttpConnection::send(std::string_view bytes) {
    std::size_t sent = 0;
    const CURLcode code = curl_easy_send(easy_.get(), bytes.data(), bytes.size(), &sent);
    if (code == CURLE_OK || code == CURLE_AGAIN) return sent;
    return Failure{curl_easy_strerror(code)};
}

HttpConnection::Moved HttpConnection::receive(std::span<char> bytes) {
    std::size_t got = 0;
    const CURLcode code = curl_easy_recv(easy_.get(), bytes.data(), bytes.size(), &got);
    if (code == CURLE_AGAIN) return std::size_t{0};
    if (code != CURLE_OK) return Failure{curl_easy_strerror(code)};
    is_at_end_ = got == 0;
    return got;
}

}  // namespace jobs
