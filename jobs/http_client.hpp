#pragma once

// HTTP requests on Asio, over connections that are kept and used again: as many to one host as it may.

#include "jobs/http_answer.hpp"
#include "jobs/http_target.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace jobs {

struct HttpRequest {
    std::shared_ptr<const HttpTarget> target;
    std::string headers;  // "Name: value\r\n" each; Host, User-Agent, Accept and Content-Length are added
    std::string body;
    std::size_t result_limit = 0;  // see body_limit()
    std::optional<std::chrono::steady_clock::time_point> deadline;
};

struct HttpExchange {
    HttpAnswer answer;
    bool is_new_connection = false;
};

struct HttpFailure {
    std::string error;     // what went wrong, with the URL; empty when the time was up or the token fired
    bool is_late = false;  // the deadline passed
};

struct HttpClientSettings {
    int host_connections = 64;  // at once to one host; further requests wait in line
    std::string user_agent = "task-worker";
    // One that has had no request for so long is closed, not used: whatever stands between may have forgotten it.
    std::chrono::milliseconds longest_idle{60'000};
};

class HttpConnections;

// Between requests it is bound to no event loop. It outlives its requests; while one waits for a connection, its event
// loop lives.
class HttpClient {
public:
    explicit HttpClient(HttpClientSettings settings);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Sends a POST and reads the answer: whatever status it has, it is no failure. Redirects are not followed. Of the
    // body no more is kept than matters; an endless one is cut off. A connection that was kept, and turns out to be
    // closed before a byte of the answer came, is replaced: the request is sent again.
    //
    // Thread:       any; many requests may be under way at once.
    // Cancellation: by the token: the connection is closed.
    boost::asio::awaitable<boost::system::result<HttpExchange, HttpFailure>> post(
        HttpRequest request, std::stop_token stop
    );

private:
    const HttpClientSettings settings_;
    std::unique_ptr<HttpConnections> connections_;
};

}  // namespace jobs
