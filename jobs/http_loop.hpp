#pragma once

// libcurl's multi interface on Asio: what is under way of jobs/http_client.hpp, and the sockets and times that it waits
// for. Several of them work beside each other.

#include "jobs/http_transfer.hpp"
#include "jobs/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace jobs {

// Thread: any; the mutex guards everything, libcurl and the pump's Asio objects included. At most one thread is in
// libcurl at once.
class HttpLoop : public std::enable_shared_from_this<HttpLoop> {
public:
    using Result = boost::system::result<HttpExchange, HttpFailure>;

    HttpLoop(int host_connections, std::string user_agent);
    HttpLoop(const HttpLoop&) = delete;
    HttpLoop& operator=(const HttpLoop&) = delete;

    // libcurl's sockets are watched by an epoll of our own, and that one by Asio, while there are requests.
    struct Pump {
        Pump(const boost::asio::any_io_executor& executor, int epoll);
        boost::asio::posix::stream_descriptor events;
        boost::asio::steady_timer timer;
        std::chrono::steady_clock::time_point rings_at = std::chrono::steady_clock::time_point::max();
        bool is_waiting = false;
    };

    // One request, from its start until it is done or given up.
    struct Request {
        Request(const boost::asio::any_io_executor& strand, HttpRequest request, EasyHandle easy)
            : transfer(std::move(request), std::move(easy)), strand(strand), done(strand) {}
        HttpTransfer transfer;
        boost::asio::any_io_executor strand;
        boost::asio::steady_timer done;  // cancelled on its strand when there is a result; expires at the deadline
        std::shared_ptr<Pump> pump;
        std::optional<Result> result;
        bool is_under_way = false;
    };

    std::shared_ptr<Request> make(const boost::asio::any_io_executor& strand, HttpRequest request);
    void start(const std::shared_ptr<Request>& request);
    // Ends what is under way; nothing of it is heard of any more.
    void give_up(Request& request);
    void recycle(Request& request);

    // How many are under way.
    int load() const { return load_; }
    int host_connections() const { return host_connections_; }

private:
    using Clock = std::chrono::steady_clock;

    struct MultiDeleter {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };
    // What the epoll watches of a socket, and what libcurl wants of it. A connection that waits for its next request
    // stays watched, since that wants the same; libcurl's other descriptors, of which nobody hears when they close,
    // are watched no longer than they are wanted.
    struct Watched {
        std::uint32_t watched = 0;
        std::uint32_t wanted = 0;
        bool is_connection = false;
    };

    static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
    static int on_timer(CURLM* multi, long ms, void* self);
    static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
    static int on_close(void* self, curl_socket_t socket);

    // All under the mutex.
    EasyHandle make_easy();
    void watch(curl_socket_t socket, std::uint32_t events);
    void set_events(curl_socket_t socket, Watched& state, std::uint32_t events) const;
    void take_events();
    void go_on(Pump& pump);
    void await_events(Pump& pump);
    void await_time(Pump& pump);
    void collect();
    void forget(Request& request);
    std::shared_ptr<Pump> hold(const Pump& pump) const;

    void on_due(Pump& pump);
    void on_events(Pump& pump);
    // Without the mutex: wakes those that were collected.
    struct Done {
        void tell() const;  // on the request's strand
        std::shared_ptr<Request> request;
        CURLcode code;
    };
    static void wake(const std::vector<Done>& done);

    const int host_connections_;
    const std::string user_agent_;
    std::atomic<int> load_ = 0;
    std::mutex mutex_;
    UniqueFd epoll_;
    std::vector<EasyHandle> spare_;
    std::unordered_map<curl_socket_t, Watched> sockets_;
    std::unordered_map<CURL*, std::weak_ptr<Request>> under_way_;
    std::vector<Done> done_;
    std::weak_ptr<Pump> pump_;                          // of those under way
    Clock::time_point due_ = Clock::time_point::max();  // when libcurl wants to be called, as it said last
    std::unique_ptr<CURLM, MultiDeleter> multi_;        // the last: while it goes it still calls on_socket and on_close
};

}  // namespace jobs
