#pragma once

// The connections of jobs/http_client.hpp: those that wait for their next request, those that are being opened, and who
// waits for one.

#include "jobs/http_call.hpp"
#include "jobs/http_client.hpp"
#include "jobs/http_connection.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace jobs {

// Thread: any.
class HttpConnections {
public:
    explicit HttpConnections(HttpClientSettings settings);
    // Waits for those that are being opened, a second or two.
    ~HttpConnections();
    HttpConnections(const HttpConnections&) = delete;
    HttpConnections& operator=(const HttpConnections&) = delete;

    // One that is idle, the last that was used; or the call joins the line, and its turn will come.
    std::unique_ptr<HttpConnection> take(
        const std::shared_ptr<const HttpTarget>& target, const std::shared_ptr<HttpCall>& call
    );
    // Takes it out of the line, and answers what its turn brought it.
    std::unique_ptr<HttpConnection> leave(const HttpTarget& target, const std::shared_ptr<HttpCall>& call);
    // After a request; what cannot take another is closed before.
    void give_back(const HttpTarget& target, std::unique_ptr<HttpConnection> connection);
    void closed(const HttpTarget& target);
    // A connection that was kept turned out to be closed: so are, mostly, those that were kept beside it.
    void close_idle(const HttpTarget& target);

private:
    struct Host {
        std::shared_ptr<const HttpTarget> target;
        int open = 0;                                       // idle, in use, or being opened
        int opening = 0;                                    // of them
        std::vector<std::unique_ptr<HttpConnection>> idle;  // the last used at the end
        std::deque<std::shared_ptr<HttpCall>> line;
    };

    // All under the mutex.
    Host& host_of(const HttpTarget& target);
    void open_more(Host& host);
    void hand_over(Host& host, std::unique_ptr<HttpConnection> connection);
    void open(Host& host);
    void refuse(Host& host, std::string error);

    const HttpClientSettings settings_;
    std::mutex mutex_;
    std::condition_variable opened_;
    int opening_ = 0;  // to all hosts
    std::atomic<bool> is_closing_ = false;
    std::unordered_map<std::string, Host> hosts_;
};

}  // namespace jobs
