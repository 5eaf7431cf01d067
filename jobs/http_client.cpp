#include "jobs/http_client.hpp"

#include "jobs/http_loop.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace jobs {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;

namespace {

// A number for each thread that calls, ascending.
std::size_t number_of_thread() {
    static std::atomic<std::size_t> next = 0;
    thread_local const std::size_t number = next++;
    return number;
}

}  // namespace

HttpClient::HttpClient(const HttpClientSettings& settings) {
    const int loops = std::clamp(settings.threads, 1, settings.host_connections);
    for (int one = 0; one < loops; ++one) {
        const int connections = settings.host_connections / loops + (one < settings.host_connections % loops ? 1 : 0);
        loops_.push_back(std::make_shared<HttpLoop>(connections, settings.user_agent));
    }
}

HttpClient::~HttpClient() = default;

// The thread's own, so that threads seldom meet in one; another one when that has no connection left and the other has.
std::shared_ptr<HttpLoop> HttpClient::choose() const {
    const auto& own = loops_[number_of_thread() % loops_.size()];
    if (own->load() < own->host_connections()) return own;
    const auto spare = [](const std::shared_ptr<HttpLoop>& loop) { return loop->host_connections() - loop->load(); };
    return *std::ranges::max_element(loops_, {}, spare);
}

asio::awaitable<HttpLoop::Result> HttpClient::post(HttpRequest request, std::stop_token stop) {
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    const auto deadline = request.deadline;
    const std::shared_ptr<HttpLoop> loop = choose();
    const auto own = loop->make(strand, std::move(request));
    own->done.expires_at(deadline.value_or(Clock::time_point::max()));

    // Also when the coroutine is destroyed while it waits.
    struct GiveUp {
        HttpLoop& loop;
        HttpLoop::Request& request;
        ~GiveUp() { loop.give_up(request); }
    } const give_up{*loop, *own};
    const std::stop_callback on_stop(stop, [own] { asio::post(own->strand, [own] { own->done.cancel(); }); });
    loop->start(own);
    bool is_late = false;
    while (!own->result && !stop.stop_requested() && !is_late) {
        boost::system::error_code error;
        co_await own->done.async_wait(asio::redirect_error(asio::use_awaitable, error));
        is_late = !error;
    }
    loop->give_up(*own);
    if (!own->result) co_return HttpFailure{{}, is_late};
    loop->recycle(*own);
    co_return std::move(*own->result);
}

}  // namespace jobs
