#pragma once

// HTTP requests on Asio, made by libcurl: it keeps connections alive and opens as many to one host as it may.

#include "jobs/context.hpp"
#include "jobs/http_answer.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace jobs {

struct HttpRequest {
    std::string url;
    std::vector<std::string> headers;  // "Name: value"
    std::string body;
    std::string ca_file;           // see HttpSpec
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
    int threads = 1;  // that make requests: libcurl works in as many of them at once
};

class HttpLoop;

// Between requests it is bound to no event loop. It outlives its requests.
class HttpClient {
public:
    explicit HttpClient(const HttpClientSettings& settings);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Sends a POST and reads the answer: whatever status it has, it is no failure. Redirects are not followed. Of the
    // body no more is kept than matters; an endless one is cut off.
    //
    // Thread:       the coroutine runs on a strand; requests of many strands may be under way at once.
    // Cancellation: by the token: the connection is closed.
    boost::asio::awaitable<boost::system::result<HttpExchange, HttpFailure>> post(
        HttpRequest request, std::stop_token stop
    );

private:
    std::shared_ptr<HttpLoop> choose() const;

    std::vector<std::shared_ptr<HttpLoop>> loops_;  // which share the connections to a host
};

}  // namespace jobs
