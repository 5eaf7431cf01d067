#include "worker/endpoints.hpp"

#include "worker/endpoints_answer.hpp"
#include "worker/logging.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <exception>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace worker {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// What the page may load: its own files, from here. What it shows can run nothing.
constexpr std::string_view content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

// The answer to bytes that are no request; empty when the client just went away or was too slow.
std::optional<Answer> refusal(const error_code& error) {
    if (error == http::error::header_limit) return Answer{.status = 431, .body = "the header is too large\n"};
    if (error == http::error::body_limit) return Answer{.status = 413, .body = "the body is too large\n"};
    const bool went_away = error == http::error::end_of_stream || error == http::error::partial_message;
    if (went_away || error.category() != make_error_code(http::error::bad_method).category()) return {};
    return Answer{.status = 400, .body = "this is not an HTTP request: " + error.message() + "\n"};
}

Response make_response(Answer answer, unsigned version, bool head, bool keep_alive) {
    Response response{http::int_to_status(answer.status), version};
    response.set(http::field::server, "task-worker");
    response.set(http::field::content_type, answer.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    response.set("Content-Security-Policy", content_policy);
    if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
    response.keep_alive(keep_alive);
    response.content_length(answer.body.size());
    if (!head) response.body() = std::move(answer.body);
    return response;
}

tcp::endpoint endpoint_of(const ListenAddress& address) {
    return {asio::ip::make_address(address.host), static_cast<asio::ip::port_type>(address.port)};
}

tcp::acceptor listen(asio::any_io_executor executor, const ListenAddress& address) {
    try {
        const tcp::endpoint endpoint = endpoint_of(address);
        tcp::acceptor acceptor(std::move(executor), endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(endpoint);
        acceptor.listen();
        return acceptor;
    } catch (const boost::system::system_error& error) {
        throw std::runtime_error(
            "cannot listen on " + address.host + " port " + std::to_string(address.port) + ": " +
            error.code().message() + "; free it, or set http.listen (TASK_WORKER_HTTP_LISTEN) to another address:port"
        );
    }
}

}  // namespace

// Everything runs on one strand, so that close() meets connections only between their steps.
class Endpoints::Server : public std::enable_shared_from_this<Server> {
public:
    Server(
        asio::any_io_executor executor, const ListenAddress& address, EndpointCallbacks callbacks, EndpointLimits limits
    )
        : strand_(asio::make_strand(std::move(executor))),
          acceptor_(listen(strand_, address)),
          callbacks_(std::move(callbacks)),
          limits_(limits),
          port_(acceptor_.local_endpoint().port()) {}

    void start() { asio::co_spawn(strand_, accept(shared_from_this()), asio::detached); }

    void close() {
        asio::dispatch(strand_, [self = shared_from_this()] {
            self->closing_ = true;
            error_code ignored;
            self->acceptor_.close(ignored);
            for (beast::tcp_stream* stream : self->waiting_) stream->close();
        });
    }

    int port() const { return port_; }

private:
    // `self` keeps the server alive for as long as the coroutine runs.
    asio::awaitable<void> accept(std::shared_ptr<Server> self) {
        while (!closing_) {
            error_code error;
            tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
            if (closing_) break;
            if (error) {  // no descriptors left, most likely: they come back
                log_once(
                    accept_failures_,
                    Component::endpoints,
                    LogLevel::warn,
                    "cannot accept a connection: " + error.message()
                );
                asio::steady_timer timer(strand_, std::chrono::milliseconds(100));
                co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
                continue;
            }
            accept_failures_.clear();
            if (connections_ >= limits_.connections) continue;
            ++connections_;
            asio::co_spawn(strand_, serve(self, std::move(socket)), [self](const std::exception_ptr&) {
                --self->connections_;
            });
        }
    }

    asio::awaitable<void> serve(std::shared_ptr<Server> self, tcp::socket socket) {
        beast::tcp_stream stream(std::move(socket));
        beast::flat_buffer buffer(limits_.header + limits_.body);
        bool open = true;
        while (open && !closing_) {
            http::request_parser<http::string_body> parser;
            parser.header_limit(static_cast<std::uint32_t>(limits_.header));
            parser.body_limit(limits_.body);
            const error_code error = co_await read(stream, buffer, parser);
            std::optional<Answer> given;
            bool head = false;
            if (error) {
                given = refusal(error);
                open = false;
            } else {
                const Request& request = parser.get();
                head = request.method() == http::verb::head;
                given = answer(callbacks_, request.method_string(), request.target());
                open = request.keep_alive() && !closing_;
            }
            if (!given) break;
            const unsigned version = error ? 11 : parser.get().version();
            const bool sent = co_await write(stream, make_response(*std::move(given), version, head, open));
            open = open && sent;
        }
        co_await hang_up(stream);
    }

    asio::awaitable<error_code> read(
        beast::tcp_stream& stream, beast::flat_buffer& buffer, http::request_parser<http::string_body>& parser
    ) {
        error_code error;
        waiting_.insert(&stream);
        stream.expires_after(limits_.idle);
        co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
        waiting_.erase(&stream);
        co_return error;
    }

    asio::awaitable<bool> write(beast::tcp_stream& stream, Response response) {
        error_code error;
        stream.expires_after(limits_.idle);
        http::response_serializer<http::string_body> serializer(response);
        co_await http::async_write(stream, serializer, asio::redirect_error(asio::use_awaitable, error));
        co_return !error;
    }

    // Closing with unread bytes resets the connection, and the client may lose the answer: read on for a moment.
    asio::awaitable<void> hang_up(beast::tcp_stream& stream) {
        error_code error;
        stream.socket().shutdown(tcp::socket::shutdown_send, error);
        stream.expires_after(std::chrono::seconds(1));
        std::array<char, 4096> rest{};
        for (int i = 0; i < 32 && !error; ++i) {
            co_await stream.async_read_some(asio::buffer(rest), asio::redirect_error(asio::use_awaitable, error));
        }
        stream.close();
    }

    asio::strand<asio::any_io_executor> strand_;
    tcp::acceptor acceptor_;
    EndpointCallbacks callbacks_;
    EndpointLimits limits_;
    int port_;
    SayOnce accept_failures_;
    bool closing_ = false;                  // on the strand
    int connections_ = 0;                   // on the strand
    std::set<beast::tcp_stream*> waiting_;  // on the strand: connections that wait for a request
};

Endpoints::Endpoints(
    asio::any_io_executor executor, const ListenAddress& address, EndpointCallbacks callbacks, EndpointLimits limits
)
    : server_(std::make_shared<Server>(std::move(executor), address, std::move(callbacks), limits)) {
    server_->start();
}

Endpoints::~Endpoints() {
    close();
}

int Endpoints::port() const {
    return server_->port();
}

void Endpoints::close() {
    server_->close();
}

}  // namespace worker
