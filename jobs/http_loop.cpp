#include "jobs/http_loop.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace jobs {

namespace asio = boost::asio;

using boost::system::error_code;

namespace {

constexpr std::size_t most_spare = 64;  // easy handles kept for the next requests
constexpr int hosts_kept = 16;          // of whom all connections may be kept

struct Global {
    Global() { curl_global_init(CURL_GLOBAL_DEFAULT); }
};

}  // namespace

HttpLoop::Pump::Pump(const asio::any_io_executor& executor, int epoll)
    : events(executor, ::dup(epoll)), timer(executor) {}

HttpLoop::HttpLoop(int host_connections, std::string user_agent)
    : host_connections_(host_connections), user_agent_(std::move(user_agent)) {
    static const Global global;
    multi_.reset(curl_multi_init());
    epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!multi_ || !epoll_) throw std::system_error(errno, std::generic_category(), "cannot make an HTTP client");
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &HttpLoop::on_socket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &HttpLoop::on_timer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(host_connections));
    // Of itself, libcurl keeps four for each request under way, and closes the rest whenever few are.
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(hosts_kept * host_connections));
}

EasyHandle HttpLoop::make_easy() {
    EasyHandle easy = HttpTransfer::make_easy(user_agent_);
    curl_easy_setopt(easy.get(), CURLOPT_OPENSOCKETFUNCTION, &HttpLoop::on_open);
    curl_easy_setopt(easy.get(), CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(easy.get(), CURLOPT_CLOSESOCKETFUNCTION, &HttpLoop::on_close);
    curl_easy_setopt(easy.get(), CURLOPT_CLOSESOCKETDATA, this);
    return easy;
}

std::shared_ptr<HttpLoop::Request> HttpLoop::make(const asio::any_io_executor& strand, HttpRequest request) {
    EasyHandle easy;
    {
        const std::lock_guard lock(mutex_);
        if (!spare_.empty()) {
            easy = std::move(spare_.back());
            spare_.pop_back();
        }
    }
    if (!easy) easy = make_easy();
    return std::make_shared<Request>(strand, std::move(request), std::move(easy));
}

void HttpLoop::start(const std::shared_ptr<Request>& request) {
    std::vector<Done> done;
    {
        const std::lock_guard lock(mutex_);
        request->pump = pump_.lock();
        if (!request->pump) pump_ = request->pump = std::make_shared<Pump>(request->strand, epoll_.get());
        const CURLMcode code = curl_multi_add_handle(multi_.get(), request->transfer.easy());
        if (code != CURLM_OK) throw std::runtime_error(curl_multi_strerror(code));
        request->is_under_way = true;
        ++load_;
        under_way_[request->transfer.easy()] = request;
        due_ = Clock::time_point::min();
        go_on(*request->pump);
        done.swap(done_);
    }
    for (const Done& one : done) asio::post(one.request->strand, [one] { one.tell(); });
}

void HttpLoop::give_up(Request& request) {
    const std::lock_guard lock(mutex_);
    if (!request.is_under_way) return;
    forget(request);
    go_on(*request.pump);
}

void HttpLoop::recycle(Request& request) {
    const std::lock_guard lock(mutex_);
    if (spare_.size() < most_spare) spare_.push_back(request.transfer.take_easy());
}

curl_socket_t HttpLoop::on_open(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
    const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (socket < 0) return CURL_SOCKET_BAD;
    static_cast<HttpLoop*>(self)->sockets_[socket] = {.is_connection = true};
    return socket;
}

int HttpLoop::on_close(void* self, curl_socket_t socket) {
    static_cast<HttpLoop*>(self)->sockets_.erase(socket);
    return ::close(socket);  // the epoll forgets it by itself
}

int HttpLoop::on_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* self, void* /*known*/) {
    std::uint32_t events = 0;
    if (what != CURL_POLL_REMOVE) {
        if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
        if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
    }
    static_cast<HttpLoop*>(self)->watch(socket, events);
    return 0;
}

void HttpLoop::watch(curl_socket_t socket, std::uint32_t events) {
    Watched& state = sockets_[socket];
    state.wanted = events;
    if (events == state.watched || (events == 0 && state.is_connection)) return;
    set_events(socket, state, events);
    if (!state.is_connection && events == 0) sockets_.erase(socket);
}

void HttpLoop::set_events(curl_socket_t socket, Watched& state, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = socket;
    const int how = state.watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    ::epoll_ctl(epoll_.get(), how, socket, &event);  // to take out one that is closed fails, and has been done
    state.watched = events;
}

int HttpLoop::on_timer(CURLM* /*multi*/, long ms, void* self) {
    static_cast<HttpLoop*>(self)->due_ = ms < 0    ? Clock::time_point::max()
                                         : ms == 0 ? Clock::time_point::min()
                                                   : Clock::now() + std::chrono::milliseconds(ms);
    return 0;
}

// After whatever may have moved something.
void HttpLoop::go_on(Pump& pump) {
    int running = 0;
    while (due_ == Clock::time_point::min()) {
        due_ = Clock::time_point::max();
        curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect();
    if (under_way_.empty()) {
        error_code ignored;
        pump.events.cancel(ignored);
        pump.timer.cancel();
        pump.rings_at = Clock::time_point::max();
        return;
    }
    await_events(pump);
    await_time(pump);
}

void HttpLoop::await_events(Pump& pump) {
    if (std::exchange(pump.is_waiting, true)) return;
    pump.events.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [loop = weak_from_this(), held = hold(pump)](error_code) {
            if (const auto self = loop.lock()) self->on_events(*held);
        }
    );
}

// libcurl moves its times with each request, nearly always to later ones: the timer is left as it is set, and looks
// when it rings.
void HttpLoop::await_time(Pump& pump) {
    if (due_ >= pump.rings_at) return;
    pump.rings_at = due_;
    pump.timer.expires_at(due_);
    pump.timer.async_wait([loop = weak_from_this(), held = hold(pump)](error_code error) {
        if (const auto self = loop.lock(); self && !error) self->on_due(*held);
    });
}

std::shared_ptr<HttpLoop::Pump> HttpLoop::hold(const Pump& pump) const {
    std::shared_ptr<Pump> held = pump_.lock();
    return held.get() == &pump ? held : nullptr;
}

void HttpLoop::on_due(Pump& pump) {
    std::vector<Done> done;
    {
        const std::lock_guard lock(mutex_);
        pump.rings_at = Clock::time_point::max();
        if (due_ <= Clock::now()) due_ = Clock::time_point::min();
        go_on(pump);
        done.swap(done_);
    }
    wake(done);
}

void HttpLoop::on_events(Pump& pump) {
    std::vector<Done> done;
    {
        const std::lock_guard lock(mutex_);
        pump.is_waiting = false;
        take_events();
        go_on(pump);
        done.swap(done_);
    }
    wake(done);
}

void HttpLoop::take_events() {
    std::array<epoll_event, 64> events;  // NOLINT(*-member-init): written by the kernel
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int at = 0; at < count; ++at) {
        const epoll_event& event = events.at(static_cast<std::size_t>(at));
        const auto found = sockets_.find(event.data.fd);
        if (found == sockets_.end()) continue;  // closed by an earlier one of them
        if (found->second.wanted == 0) {        // the other side closes a connection that is not in use
            set_events(event.data.fd, found->second, 0);
            continue;
        }
        int running = 0;
        int what = 0;
        if ((event.events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
        if ((event.events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
        if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
        curl_multi_socket_action(multi_.get(), event.data.fd, what, &running);
    }
}

// Takes out what libcurl is done with.
void HttpLoop::collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;  // the message goes with its handle
        const auto found = under_way_.find(message->easy_handle);
        std::shared_ptr<Request> request = found->second.lock();
        if (!request) continue;
        forget(*request);
        done_.push_back({std::move(request), code});
    }
}

void HttpLoop::forget(Request& request) {
    curl_multi_remove_handle(multi_.get(), request.transfer.easy());
    under_way_.erase(request.transfer.easy());
    request.is_under_way = false;
    --load_;
}

void HttpLoop::Done::tell() const {
    request->result = request->transfer.finish(code);
    request->done.cancel();
}

// The last goes on where we are, which spares waking another thread for a single one.
void HttpLoop::wake(const std::vector<Done>& done) {
    if (done.empty()) return;
    for (std::size_t at = 0; at + 1 < done.size(); ++at) {
        asio::post(done[at].request->strand, [one = done[at]] { one.tell(); });
    }
    asio::dispatch(done.back().request->strand, [one = done.back()] { one.tell(); });
}

}  // namespace jobs
