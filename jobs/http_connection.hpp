#pragma once

// A connection to an HTTP server, opened by libcurl: names, proxies, TLS and the verification of certificates are its
// matter. What goes over it is not.

#include "jobs/http_target.hpp"

#include <boost/system/result.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <curl/curl.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace jobs {

struct CurlDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

class HttpConnection {
public:
    using Handle = std::unique_ptr<CURL, CurlDeleter>;
    struct Failure {
        std::string error;
    };
    // How many bytes went; 0: none now, wait for the socket.
    using Moved = boost::system::result<std::size_t, Failure>;

    // Blocks until the connection is there, or fails, after 10 s at the latest; `abandoned` ends it within a second or
    // two.
    static boost::system::result<std::unique_ptr<HttpConnection>, Failure> open(
        const HttpTarget& target, const std::string& user_agent, const std::atomic<bool>& abandoned
    );

    explicit HttpConnection(Handle easy);

    int socket() const { return socket_; }
    // Neither blocks. What the other side has closed is an end of the file: is_at_end().
    Moved send(std::string_view bytes);
    Moved receive(std::span<char> bytes);
    bool is_at_end() const { return is_at_end_; }

    bool was_used = false;                               // a request went over it
    std::chrono::steady_clock::time_point idle_since{};  // for whoever keeps it

private:
    Handle easy_;
    int socket_ = -1;
    bool is_at_end_ = false;
};

}  // namespace jobs
