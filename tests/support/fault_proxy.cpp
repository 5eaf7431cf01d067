#include "tests/support/fault_proxy.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <set>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Socket = Protocol::socket;

namespace tests {

namespace {

constexpr std::size_t largest_piece = 64 * 1024;
constexpr int pieces_per_second = 20;  // of a throttled connection

struct Link {
    explicit Link(asio::io_context& context) : client(context), server(context) {}
    Socket client;
    Socket server;
    bool silent = false;

    void close(bool reset) {
        for (Socket* end : {&client, &server}) {
            Error ignored;
            if (reset) end->set_option(asio::socket_base::linger(true, 0), ignored);
            end->close(ignored);
        }
    }
};

Protocol::endpoint endpoint_of(const std::string& target) {
    if (target.starts_with('/')) return asio::local::stream_protocol::endpoint(target);
    const std::size_t colon = target.rfind(':');
    const auto port = static_cast<asio::ip::port_type>(std::stoi(target.substr(colon + 1)));
    return asio::ip::tcp::endpoint(asio::ip::make_address(target.substr(0, colon)), port);
}

}  // namespace

// All of it runs on the one thread; the test's thread sends it commands.
struct FaultProxy::Core {
    explicit Core(const std::string& to)
        : target(endpoint_of(to)),
          acceptor(context, {asio::ip::address_v4::loopback(), 0}),
          changed(context, asio::steady_timer::time_point::max()),
          port(acceptor.local_endpoint().port()) {
        asio::co_spawn(context, accept(), asio::detached);
        thread = std::thread([this] { context.run(); });
    }

    void command(const std::function<void()>& change) {
        std::promise<void> done;
        asio::post(context, [&] {
            change();
            changed.cancel();
            done.set_value();
        });
        done.get_future().wait();
    }

    asio::awaitable<void> accept() {
        while (!stopping) {
            const auto link = std::make_shared<Link>(context);
            Error error;
            asio::ip::tcp::socket client(context);
            co_await acceptor.async_accept(client, asio::redirect_error(asio::use_awaitable, error));
            if (error) continue;
            client.set_option(asio::ip::tcp::no_delay(true));
            link->client = std::move(client);
            links.insert(link);
            ++accepted;
            open = static_cast<int>(links.size());
            asio::co_spawn(context, serve(link), asio::detached);
        }
    }

    asio::awaitable<void> serve(std::shared_ptr<Link> link) {
        co_await let_through(*link);
        Error error;
        if (!stopping) co_await link->server.async_connect(target, asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping) {
            finish(link);
            co_return;
        }
        asio::co_spawn(context, pump(link, link->client, link->server), asio::detached);
        co_await pump(link, link->server, link->client);
    }

    asio::awaitable<void> pump(std::shared_ptr<Link> link, Socket& from, Socket& to) {
        std::vector<char> buffer(largest_piece);
        Error error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        while (!error && !stopping) {
            co_await let_through(*link);
            const auto most =
                rate == 0 ? buffer.size() : static_cast<std::size_t>(std::max(1, rate / pieces_per_second));
            const std::size_t got = co_await from.async_read_some(asio::buffer(buffer.data(), most), token);
            if (!error && &from == &link->client) ++packets;
            if (!error && lag > 0ms) co_await pause(lag);
            if (!error && rate > 0) co_await pause(1000ms * static_cast<int>(got) / rate);
            co_await let_through(*link);  // an end does not pass a hole either
            if (!error) co_await asio::async_write(to, asio::buffer(buffer.data(), got), token);
        }
        finish(link);
    }

    asio::awaitable<void> let_through(const Link& link) {
        while (!stopping && (hole || link.silent) && link.client.is_open()) co_await changed_once();
    }

    asio::awaitable<void> changed_once() {
        Error ignored;
        co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }

    asio::awaitable<void> pause(std::chrono::milliseconds length) {
        const auto end = std::chrono::steady_clock::now() + length;
        asio::steady_timer timer(context);
        while (!stopping && std::chrono::steady_clock::now() < end) {
            timer.expires_at(std::min(end, std::chrono::steady_clock::now() + 50ms));
            co_await timer.async_wait(asio::use_awaitable);
        }
    }

    void finish(const std::shared_ptr<Link>& link) {
        link->close(false);
        links.erase(link);
        open = static_cast<int>(links.size());
    }

    void cut() {
        for (const auto& link : links) link->close(true);
    }

    asio::io_context context{1};
    const Protocol::endpoint target;
    asio::ip::tcp::acceptor acceptor;
    asio::steady_timer changed;  // never expires; cancelled at every command
    const int port;
    std::set<std::shared_ptr<Link>> links;
    std::chrono::milliseconds lag{0};
    int rate = 0;  // bytes a second; 0: any
    bool hole = false;
    bool stopping = false;
    std::atomic<int> accepted = 0;
    std::atomic<int> open = 0;
    std::atomic<int> packets = 0;
    std::thread thread;
};

FaultProxy::FaultProxy(const std::string& target) : core_(std::make_unique<Core>(target)) {}

FaultProxy::~FaultProxy() {
    core_->command([this] {
        core_->stopping = true;
        core_->acceptor.close();
        core_->cut();
    });
    core_->thread.join();
}

int FaultProxy::port() const {
    return core_->port;
}

std::string FaultProxy::url(std::string_view database) const {
    return fmt::format("postgresql://postgres@127.0.0.1:{}/{}", port(), database);
}

void FaultProxy::pass() {
    core_->command([this] {
        core_->lag = 0ms;
        core_->rate = 0;
        core_->hole = false;
    });
}

void FaultProxy::delay(std::chrono::milliseconds each_way) {
    core_->command([this, each_way] { core_->lag = each_way; });
}

void FaultProxy::throttle(int bytes_per_second) {
    core_->command([this, bytes_per_second] { core_->rate = bytes_per_second; });
}

void FaultProxy::black_hole() {
    core_->command([this] { core_->hole = true; });
}

void FaultProxy::half_open() {
    core_->command([this] {
        for (const auto& link : core_->links) link->silent = true;
    });
}

void FaultProxy::cut() {
    core_->command([this] { core_->cut(); });
}

int FaultProxy::accepted() const {
    return core_->accepted;
}

int FaultProxy::open() const {
    return core_->open;
}

int FaultProxy::packets() const {
    return core_->packets;
}

}  // namespace tests
