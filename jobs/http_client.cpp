#include "jobs/http_client.hpp"

#include "jobs/http_transfer.hpp"
#include "jobs/unique_fd.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace jobs {

namespace asio = boost::asio;

using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Result = boost::system::result<HttpExchange, HttpFailure>;

namespace {

constexpr std::size_t most_spare = 64;  // easy handles kept for the next requests

struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

struct Global {
    Global() { curl_global_init(CURL_GLOBAL_DEFAULT); }
};

// libcurl's sockets are watched by an epoll of our own, and that one by Asio, while there are requests.
struct Pump {
    Pump(const asio::any_io_executor& executor, int epoll) : events(executor, ::dup(epoll)), timer(executor) {}
    asio::posix::stream_descriptor events;
    asio::steady_timer timer;
    bool is_waiting = false;
};

}  // namespace

// Thread: any; the mutex guards everything, libcurl and the pump's Asio objects included.
class HttpClient::Core : public std::enable_shared_from_this<HttpClient::Core> {
public:
    explicit Core(const HttpClientSettings& settings) : user_agent_(settings.user_agent) {
        static const Global global;
        multi_.reset(curl_multi_init());
        epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
        if (!multi_ || !epoll_) throw std::system_error(errno, std::generic_category(), "cannot make an HTTP client");
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Core::on_socket);
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Core::on_timer);
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
        curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(settings.host_connections));
    }

    // One request, from its start until it is done or given up.
    struct Request {
        Request(const asio::any_io_executor& strand, HttpRequest request, const std::string& agent, EasyHandle easy)
            : transfer(std::move(request), agent, std::move(easy)), strand(strand), done(strand) {}
        HttpTransfer transfer;
        asio::any_io_executor strand;
        asio::steady_timer done;  // cancelled on its strand when there is a result; expires at the deadline
        std::shared_ptr<Pump> pump;
        std::optional<Result> result;
        bool is_under_way = false;
    };

    std::shared_ptr<Request> make(const asio::any_io_executor& strand, HttpRequest request) {
        EasyHandle easy;
        {
            const std::lock_guard lock(mutex_);
            if (!spare_.empty()) {
                easy = std::move(spare_.back());
                spare_.pop_back();
            }
        }
        return std::make_shared<Request>(strand, std::move(request), user_agent_, std::move(easy));
    }

    void start(const std::shared_ptr<Request>& request) {
        const std::lock_guard lock(mutex_);
        request->pump = pump_.lock();
        if (!request->pump) pump_ = request->pump = std::make_shared<Pump>(request->strand, epoll_.get());
        const CURLMcode code = curl_multi_add_handle(multi_.get(), request->transfer.easy());
        if (code != CURLM_OK) throw std::runtime_error(curl_multi_strerror(code));
        request->is_under_way = true;
        under_way_[request->transfer.easy()] = request;
        due_in_ms_ = 0;
        go_on(*request->pump);
    }

    // Ends what is under way; nothing of it is heard of any more.
    void give_up(Request& request) {
        const std::lock_guard lock(mutex_);
        if (!request.is_under_way) return;
        forget(request);
        go_on(*request.pump);
    }

    void recycle(Request& request) {
        const std::lock_guard lock(mutex_);
        if (spare_.size() < most_spare) spare_.push_back(request.transfer.take_easy());
    }

private:
    static int on_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* self, void* /*known*/) {
        const int epoll = static_cast<Core*>(self)->epoll_.get();
        epoll_event event{};
        event.data.fd = socket;
        if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
        if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
        if (what == CURL_POLL_REMOVE) {
            ::epoll_ctl(epoll, EPOLL_CTL_DEL, socket, &event);  // a closed one has gone by itself
        } else if (::epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0) {
            ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
        }
        return 0;
    }

    static int on_timer(CURLM* /*multi*/, long ms, void* self) {
        static_cast<Core*>(self)->due_in_ms_ = ms;
        return 0;
    }

    // After whatever may have moved something. Under the mutex, like all below.
    void go_on(Pump& pump) {
        int running = 0;
        while (due_in_ms_ == 0) {
            due_in_ms_ = -1;
            curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
        }
        collect();
        if (under_way_.empty()) {
            error_code ignored;
            pump.events.cancel(ignored);
            pump.timer.cancel();
            return;
        }
        await_events(pump);
        if (due_in_ms_ < 0) return;
        pump.timer.expires_after(std::chrono::milliseconds(due_in_ms_));
        due_in_ms_ = -1;  // set
        pump.timer.async_wait([core = weak_from_this(), held = hold(pump)](error_code error) {
            if (const auto self = core.lock(); self && !error) self->on_due(*held);
        });
    }

    void await_events(Pump& pump) {
        if (std::exchange(pump.is_waiting, true)) return;
        pump.events.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [core = weak_from_this(), held = hold(pump)](error_code) {
                if (const auto self = core.lock()) self->on_events(*held);
            }
        );
    }

    std::shared_ptr<Pump> hold(const Pump& pump) const {
        std::shared_ptr<Pump> held = pump_.lock();
        return held.get() == &pump ? held : nullptr;
    }

    void on_due(Pump& pump) {
        const std::lock_guard lock(mutex_);
        due_in_ms_ = 0;
        go_on(pump);
    }

    void on_events(Pump& pump) {
        std::array<epoll_event, 64> events;  // NOLINT(*-member-init): written by the kernel
        const std::lock_guard lock(mutex_);
        pump.is_waiting = false;
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
        for (int at = 0; at < count; ++at) {
            const epoll_event& event = events.at(static_cast<std::size_t>(at));
            int running = 0;
            int what = 0;
            if ((event.events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
            if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
            if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
            curl_multi_socket_action(multi_.get(), event.data.fd, what, &running);
        }
        go_on(pump);
    }

    // Takes out what libcurl is done with, and wakes whoever waits for it.
    void collect() {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            const CURLcode code = message->data.result;  // the message goes with its handle
            const auto found = under_way_.find(message->easy_handle);
            const std::shared_ptr<Request> request = found->second.lock();
            if (!request) continue;
            forget(*request);
            asio::post(request->strand, [request, code] {
                request->result = request->transfer.finish(code);
                request->done.cancel();
            });
        }
    }

    void forget(Request& request) {
        curl_multi_remove_handle(multi_.get(), request.transfer.easy());
        under_way_.erase(request.transfer.easy());
        request.is_under_way = false;
    }

    const std::string user_agent_;
    std::mutex mutex_;
    UniqueFd epoll_;
    std::vector<EasyHandle> spare_;
    std::unordered_map<CURL*, std::weak_ptr<Request>> under_way_;
    std::weak_ptr<Pump> pump_;                    // of those under way
    long due_in_ms_ = -1;                         // when libcurl wants to be called, as it said last; -1: not
    std::unique_ptr<CURLM, MultiDeleter> multi_;  // the last: while it goes it still calls on_socket
};

HttpClient::HttpClient(const HttpClientSettings& settings) : core_(std::make_shared<Core>(settings)) {}

HttpClient::~HttpClient() = default;

asio::awaitable<Result> HttpClient::post(HttpRequest request, std::stop_token stop) {
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    const auto deadline = request.deadline;
    const std::shared_ptr<Core> core = core_;
    const auto own = core->make(strand, std::move(request));
    own->done.expires_at(deadline.value_or(Clock::time_point::max()));

    // Also when the coroutine is destroyed while it waits.
    struct GiveUp {
        Core& core;
        Core::Request& request;
        ~GiveUp() { core.give_up(request); }
    } const give_up{*core, *own};
    const std::stop_callback on_stop(stop, [own] { asio::post(own->strand, [own] { own->done.cancel(); }); });
    core->start(own);
    bool is_late = false;
    while (!own->result && !stop.stop_requested() && !is_late) {
        error_code error;
        co_await own->done.async_wait(asio::redirect_error(asio::use_awaitable, error));
        is_late = !error;
    }
    core->give_up(*own);
    if (!own->result) co_return HttpFailure{{}, is_late};
    core->recycle(*own);
    co_return std::move(*own->result);
}

}  // namespace jobs
