#include "jobs/http_client.hpp"

#include "jobs/http_connections.hpp"
#include "jobs/http_reader.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <utility>

namespace jobs {

namespace asio = boost::asio;

using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

using Descriptor = HttpCall::Descriptor;

// Watches a connection's socket, which stays the connection's.
class Watch {
public:
    Watch(HttpCall& call, const asio::any_io_executor& executor, int socket)
        : call_(call), descriptor_(executor, socket) {}
    ~Watch() { descriptor_.release(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    asio::awaitable<void> readable() { return call_.wait_for(descriptor_, Descriptor::wait_read); }
    asio::awaitable<void> writable() { return call_.wait_for(descriptor_, Descriptor::wait_write); }
    bool is_over() const { return call_.ended() != HttpCall::End::none; }

private:
    HttpCall& call_;
    Descriptor descriptor_;
};

// A request over one connection.
struct Turn {
    enum class End { answered, failed, over };

    std::string_view unsent;
    HttpReader& reader;
    std::string error{};

    // Reads what is there. Empty: there will be more.
    std::optional<End> read(HttpConnection& connection) {
        static thread_local std::array<char, std::size_t{16} * 1024> buffer;
        while (true) {
            const auto got = connection.receive(buffer);
            if (!got) return fail(got.error().error);
            if (*got == 0 && !connection.is_at_end()) return {};
            const auto state = connection.is_at_end() ? reader.put_end() : reader.put({buffer.data(), *got});
            if (state == HttpReader::State::failed) return fail(reader.error());
            if (state != HttpReader::State::more) return End::answered;
        }
    }

    End fail(std::string why) {
        error = std::move(why);
        return End::failed;
    }

    asio::awaitable<End> run(HttpConnection& connection, Watch& watch) {
        while (!unsent.empty()) {
            const auto sent = connection.send(unsent);
            if (!sent) {
                // Whoever closes while we send may have answered before.
                const auto end = read(connection);
                co_return end ? *end : fail(sent.error().error);
            }
            unsent.remove_prefix(*sent);
            if (unsent.empty()) break;
            co_await watch.writable();
            if (watch.is_over()) co_return End::over;
            if (const auto end = read(connection)) co_return *end;  // before it has read all
        }
        while (true) {
            co_await watch.readable();
            if (watch.is_over()) co_return End::over;
            if (const auto end = read(connection)) co_return *end;
        }
    }
};

std::string message_of(const HttpRequest& request, const std::string& user_agent) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: */*\r\n{}Content-Length: {}\r\n\r\n{}",
        request.target->path,
        request.target->host,
        user_agent,
        request.headers,
        request.body.size(),
        request.body
    );
}

// A connection that is in use. What is not given back is closed.
class Lent {
public:
    Lent(HttpConnections& connections, const HttpTarget& target, std::unique_ptr<HttpConnection> connection)
        : connections_(connections), target_(target), connection_(std::move(connection)) {}
    ~Lent() {
        if (!connection_) return;
        connection_.reset();
        connections_.closed(target_);
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

    HttpConnection& operator*() const { return *connection_; }
    HttpConnection* operator->() const { return connection_.get(); }
    void give_back() { connections_.give_back(target_, std::move(connection_)); }

private:
    HttpConnections& connections_;
    const HttpTarget& target_;
    std::unique_ptr<HttpConnection> connection_;
};

// Null: the call has ended, or has an error.
asio::awaitable<std::unique_ptr<HttpConnection>> take(
    HttpConnections& connections, const std::shared_ptr<const HttpTarget>& target, const std::shared_ptr<HttpCall>& call
) {
    if (auto idle = connections.take(target, call)) co_return idle;
    // Also when the coroutine is destroyed while it waits.
    struct Leave {
        HttpConnections& connections;
        const HttpTarget& target;
        const std::shared_ptr<HttpCall>& call;
        std::unique_ptr<HttpConnection> operator()() const { return connections.leave(target, call); }
        ~Leave() {
            if (auto left = (*this)()) connections.give_back(target, std::move(left));
        }
    } const leave{connections, *target, call};
    co_await call->wait_in_line();
    if (call->ended() != HttpCall::End::none) co_return nullptr;
    co_return leave();
}

}  // namespace

HttpClient::HttpClient(HttpClientSettings settings)
    : settings_(std::move(settings)), connections_(std::make_unique<HttpConnections>(settings_)) {}

HttpClient::~HttpClient() = default;

asio::awaitable<boost::system::result<HttpExchange, HttpFailure>> HttpClient::post(
    HttpRequest request, std::stop_token stop
) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const auto call = std::make_shared<HttpCall>(executor);
    asio::steady_timer deadline(executor);
    if (request.deadline) {
        deadline.expires_at(*request.deadline);
        deadline.async_wait([call](error_code error) {
            if (!error) call->end(HttpCall::End::late);
        });
    }
    const std::stop_callback on_stop(stop, [call] { call->end(HttpCall::End::stopped); });
    const auto failure = [&](std::string_view error) {
        return HttpFailure{fmt::format("POST {}: {}", request.target->url, error)};
    };
    const auto over = [&] { return HttpFailure{{}, call->ended() == HttpCall::End::late}; };

    const std::string message = message_of(request, settings_.user_agent);
    while (true) {
        auto connection = co_await take(*connections_, request.target, call);
        if (!connection) {
            const std::optional<std::string>& error = call->error;
            co_return error ? failure(*error) : over();
        }
        Lent lent(*connections_, *request.target, std::move(connection));
        const bool was_used = std::exchange(lent->was_used, true);
        HttpReader reader(request.result_limit);
        Turn turn{message, reader};
        Turn::End end{};
        {
            Watch watch(*call, executor, lent->socket());
            end = co_await turn.run(*lent, watch);
        }
        if (end == Turn::End::over) co_return over();
        if (end == Turn::End::answered) {
            if (turn.unsent.empty() && reader.keeps_connection()) lent.give_back();
            co_return HttpExchange{reader.take_answer(), !was_used};
        }
        if (!was_used || reader.has_begun()) co_return failure(turn.error);
        connections_->close_idle(*request.target);
    }
}

}  // namespace jobs
