// Whatever bytes a client sends, the server answers in HTTP or hangs up, and serves the next one. Over a socket, since
// requests are read from nothing else.
#include "tests/fuzz/input.hpp"
#include "worker/endpoints.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <string>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct Server {
    asio::io_context context{1};
    worker::Endpoints endpoints{
        context.get_executor(),
        {.host = "127.0.0.1", .port = 0},
        {
            .metrics = [] { return std::string("task_worker_up 1\n"); },
            .readiness = [] { return worker::Readiness{.ready = false, .reason = "the database is away"}; },
            .status = []() -> std::string { throw std::runtime_error("no status"); },
        },
        {.header = 1024, .body = 512, .connections = 64, .idle = std::chrono::minutes(10)}
    };
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Server& server = *new Server;
    // Nothing blocks: libFuzzer's timer would interrupt it, and an interrupted connect counts as a failed one.
    const auto run_until = [](const bool& done) {
        while (!done) server.context.run_one();
    };
    tcp::socket client(server.context);
    bool sent = false;
    const auto port = static_cast<asio::ip::port_type>(server.endpoints.port());
    client.async_connect({asio::ip::address_v4::loopback(), port}, [&](const boost::system::error_code& refused) {
        tests::expect(!refused);
        // The server may have hung up before all is sent.
        asio::async_write(client, asio::buffer(data, size), [&](const boost::system::error_code&, std::size_t) {
            sent = true;
        });
    });
    run_until(sent);
    boost::system::error_code ignored;
    client.shutdown(tcp::socket::shutdown_send, ignored);
    std::string answer;
    bool ended = false;
    asio::async_read(client, asio::dynamic_buffer(answer), [&](const boost::system::error_code&, std::size_t) {
        ended = true;
    });
    run_until(ended);
    tests::expect(answer.empty() || answer.starts_with("HTTP/1."));
    return 0;
}
