#include "worker/endpoints.hpp"

#include "tests/support/catch.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace worker;
using namespace std::chrono_literals;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;

namespace {

EndpointCallbacks plain_callbacks() {
    return {
        .metrics = [] { return std::string("task_worker_leader 1\n"); },
        .readiness = [] { return Readiness{.ready = true, .reason = ""}; },
        .status = [] { return std::string("{}"); },
    };
}

// A server on a thread of its own.
class Running {
public:
    explicit Running(EndpointCallbacks callbacks = plain_callbacks(), EndpointLimits limits = {}) {
        const ListenAddress address{.port = 0};
        endpoints_.emplace(context_.get_executor(), address, std::move(callbacks), limits);
        thread_ = std::thread([this] { context_.run(); });
    }
    ~Running() { stop(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    Endpoints& endpoints() { return *endpoints_; }
    int port() const { return endpoints_->port(); }

    // Returns when nothing is left to do: no connection, no timer, no listener.
    void stop() {
        if (!thread_.joinable()) return;
        endpoints_->close();
        thread_.join();
    }

private:
    asio::io_context context_;
    std::optional<Endpoints> endpoints_;
    std::thread thread_;
};

class Client {
public:
    explicit Client(int port) : socket_(context_) {
        socket_.connect({asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(port)});
    }
    void send(std::string_view bytes) {
        boost::system::error_code ignored;  // a server that refuses early may hang up while we send
        asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
    }
    // Up to the server's hanging up.
    std::string read_all() {
        boost::system::error_code error;
        std::string text;
        asio::read(socket_, asio::dynamic_buffer(text), error);
        return std::exchange(rest_, {}) + text;
    }
    // One answer whose body ends with `end`.
    std::string read_until(std::string_view end) {
        const std::size_t length = asio::read_until(socket_, asio::dynamic_buffer(rest_), end);
        std::string text = rest_.substr(0, length);
        rest_.erase(0, length);
        return text;
    }

private:
    asio::io_context context_;
    tcp::socket socket_;
    std::string rest_;
};

std::string ask(int port, std::string_view request) {
    Client client(port);
    client.send(request);
    return client.read_all();
}

std::string get(int port, std::string_view path) {
    return ask(port, "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

std::string first_line(const std::string& answer) {
    return answer.substr(0, answer.find("\r\n"));
}

}  // namespace

TEST_CASE("endpoints answer every path with its type", "[worker][endpoints]") {
    const Running server;
    const std::string metrics = get(server.port(), "/metrics");
    CHECK(first_line(metrics) == "HTTP/1.1 200 OK");
    CHECK_THAT(metrics, Contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    CHECK_THAT(metrics, EndsWith("\r\n\r\ntask_worker_leader 1\n"));
    CHECK_THAT(get(server.port(), "/healthz"), EndsWith("\r\n\r\nok\n"));
    CHECK_THAT(get(server.port(), "/readyz"), EndsWith("\r\n\r\nready\n"));
    CHECK_THAT(get(server.port(), "/status"), Contains("Content-Type: application/json\r\n") && EndsWith("\r\n\r\n{}"));
    CHECK_THAT(get(server.port(), "/status?pretty=1"), EndsWith("\r\n\r\n{}"));
    CHECK_THAT(get(server.port(), "/"), Contains("text/html") && Contains("<a href=\"metrics\">"));
    CHECK_THAT(get(server.port(), "/page.css"), Contains("Content-Type: text/css; charset=utf-8\r\n"));
    CHECK_THAT(get(server.port(), "/page.js"), Contains("Content-Type: text/javascript; charset=utf-8\r\n"));
    CHECK_THAT(get(server.port(), "/status"), Contains("Content-Security-Policy: default-src 'none';"));
}

TEST_CASE("endpoints refuse what they do not serve, and say so", "[worker][endpoints]") {
    const Running server({}, {.header = 512, .body = 1024});
    const std::string close = "Host: x\r\nConnection: close\r\n";
    struct Row {
        std::string request;
        std::string line;
        std::string contains;
    };
    const Row rows[] = {
        {"GET /nothing HTTP/1.1\r\n" + close + "\r\n", "HTTP/1.1 404 Not Found", "nothing here"},
        {"GET /metrics/ HTTP/1.1\r\n" + close + "\r\n", "HTTP/1.1 404 Not Found", "nothing here"},
        {"POST /metrics HTTP/1.1\r\n" + close + "Content-Length: 5\r\n\r\nhello",
         "HTTP/1.1 405 Method Not Allowed",
         "Allow: GET, HEAD\r\n"},
        {"BREW / HTTP/1.1\r\n" + close + "\r\n", "HTTP/1.1 405 Method Not Allowed", "Allow: GET, HEAD\r\n"},
        {"DELETE /nothing HTTP/1.1\r\n" + close + "\r\n", "HTTP/1.1 404 Not Found", ""},
        {"nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request", "not an HTTP request"},
        {"GET / HTTP/3.7\r\n\r\n", "HTTP/1.1 400 Bad Request", ""},
        {"\x16\x03\x01\x02 TLS\r\n\r\n", "HTTP/1.1 400 Bad Request", ""},
        {"GET / HTTP/1.1\r\nX: " + std::string(4'000, 'x') + "\r\n\r\n",
         "HTTP/1.1 431 Request Header Fields Too Large",
         ""},
        {"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n" + std::string(5'000, 'x'),
         "HTTP/1.1 413 Payload Too Large",
         ""},
    };
    for (const Row& row : rows) {
        INFO(row.request.substr(0, 60));
        const std::string answer = ask(server.port(), row.request);
        CHECK(first_line(answer) == row.line);
        CHECK_THAT(answer, Contains(row.contains));
        CHECK_THAT(answer, Contains("Connection: close\r\n"));
    }
}

TEST_CASE("endpoints answer HEAD with the length and without the body", "[worker][endpoints]") {
    const Running server;
    const std::string answer = ask(server.port(), "HEAD /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK_THAT(answer, StartsWith("HTTP/1.1 200 OK") && Contains("Content-Length: 21\r\n") && EndsWith("\r\n\r\n"));
}

TEST_CASE("endpoints keep a connection for further requests, also piped ones", "[worker][endpoints]") {
    const Running server;
    Client client(server.port());
    for (int i = 0; i < 3; ++i) {
        client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK_THAT(client.read_until("ok\n"), StartsWith("HTTP/1.1 200 OK"));
    }
    client.send("GET /healthz HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n");
    CHECK_THAT(client.read_until("ok\n"), StartsWith("HTTP/1.1 200 OK"));
    CHECK_THAT(client.read_until("ready\n"), StartsWith("HTTP/1.1 200 OK"));
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    CHECK_THAT(client.read_all(), EndsWith("ok\n"));
}

TEST_CASE("readyz says why the worker is not ready", "[worker][endpoints]") {
    EndpointCallbacks callbacks = plain_callbacks();
    callbacks.readiness = [] { return Readiness{.ready = false, .reason = "the database cannot be reached"}; };
    const Running server(callbacks);
    const std::string answer = get(server.port(), "/readyz");
    CHECK(first_line(answer) == "HTTP/1.1 503 Service Unavailable");
    CHECK_THAT(answer, EndsWith("not ready: the database cannot be reached\n"));
    CHECK(first_line(get(server.port(), "/healthz")) == "HTTP/1.1 200 OK");
}

TEST_CASE("a callback that throws costs its own answer only", "[worker][endpoints]") {
    EndpointCallbacks callbacks = plain_callbacks();
    callbacks.status = []() -> std::string { throw std::runtime_error("inside knowledge"); };
    const Running server(callbacks);
    const std::string answer = get(server.port(), "/status");
    CHECK(first_line(answer) == "HTTP/1.1 500 Internal Server Error");
    CHECK_THAT(answer, !Contains("inside knowledge"));
    CHECK(first_line(get(server.port(), "/healthz")) == "HTTP/1.1 200 OK");
}

TEST_CASE("a connection that stays silent or stops in the middle is closed", "[worker][endpoints]") {
    const Running server(plain_callbacks(), {.idle = 50ms});
    CHECK(ask(server.port(), "").empty());
    CHECK(ask(server.port(), "GET /metr").empty());
}

TEST_CASE("connections beyond the limit are closed unanswered, and room comes back", "[worker][endpoints]") {
    const Running server(plain_callbacks(), {.connections = 1});
    {
        Client first(server.port());
        first.send("GET /healthz HTTP/1.1\r\n\r\n");
        first.read_until("ok\n");
        CHECK(get(server.port(), "/healthz").empty());
    }
    std::string answer;
    while (answer.empty()) answer = get(server.port(), "/healthz");  // the first client's end takes a moment to arrive
    CHECK(first_line(answer) == "HTTP/1.1 200 OK");
}

TEST_CASE("a taken port is an error that names the setting", "[worker][endpoints]") {
    const Running first;
    asio::io_context context;
    const ListenAddress taken{.port = first.port()};
    CHECK_THROWS_WITH(
        Endpoints(context.get_executor(), taken, plain_callbacks()),
        Contains("127.0.0.1 port " + std::to_string(first.port())) && Contains("already in use") &&
            Contains("http.listen")
    );
    const ListenAddress foreign{.host = "192.0.2.1", .port = 0};
    CHECK_THROWS_WITH(Endpoints(context.get_executor(), foreign, plain_callbacks()), Contains("http.listen"));
}

TEST_CASE("close hangs up on idle connections and frees the port", "[worker][endpoints]") {
    Running server(plain_callbacks(), {.idle = 1h});
    const int port = server.port();
    Client idle(port);
    idle.send("GET /healthz HTTP/1.1\r\n\r\n");
    idle.read_until("ok\n");
    Client silent(port);
    get(port, "/healthz");  // once this is answered, the server waits for a request of the other two
    server.stop();
    CHECK(idle.read_all().empty());
    CHECK(silent.read_all().empty());
    asio::io_context context;
    const Endpoints again(context.get_executor(), ListenAddress{.port = port}, plain_callbacks());
    CHECK(again.port() == port);
}

TEST_CASE("close lets a running answer finish", "[worker][endpoints]") {
    std::promise<void> asked;
    std::promise<void> go;
    EndpointCallbacks callbacks = plain_callbacks();
    callbacks.status = [&] {
        asked.set_value();
        go.get_future().wait();
        return std::string(300'000, 'x');
    };
    Running server(callbacks);
    Client client(server.port());
    client.send("GET /status HTTP/1.1\r\n\r\n");
    asked.get_future().wait();
    server.endpoints().close();
    go.set_value();
    const std::string answer = client.read_all();
    CHECK(first_line(answer) == "HTTP/1.1 200 OK");
    CHECK(answer.size() > 300'000);
}
