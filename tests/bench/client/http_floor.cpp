#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/threads.hpp"
#include "tests/bench/client/verbs.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

namespace bench {

namespace {

// One connection that is kept, and blocks: a write and, mostly, one read a request.
class KeptConnection {
public:
    explicit KeptConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        const int yes = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
    }
    ~KeptConnection() { ::close(socket_); }
    KeptConnection(const KeptConnection&) = delete;
    KeptConnection& operator=(const KeptConnection&) = delete;

    // Sends the request and reads the answer to its end.
    void exchange(std::string_view request) {
        if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
            fail("send");
        }
        std::size_t got = 0;
        for (std::size_t wanted = 0; wanted == 0 || got < wanted;) {
            const ssize_t read = ::recv(socket_, buffer_.data() + got, buffer_.size() - got, 0);
            if (read <= 0) fail("recv");
            got += static_cast<std::size_t>(read);
            if (wanted == 0) wanted = size_of({buffer_.data(), got});
        }
        if (!std::string_view(buffer_.data(), got).starts_with("HTTP/1.1 200")) throw std::runtime_error("not 200");
    }

private:
    // Of the whole answer; 0 while its headers have not all come.
    static std::size_t size_of(std::string_view answer) {
        constexpr std::string_view name = "Content-Length: ";
        const std::size_t end = answer.find("\r\n\r\n");
        if (end == std::string_view::npos) return 0;
        const std::size_t length = answer.find(name);
        std::size_t body = 0;
        std::from_chars(answer.data() + length + name.size(), answer.data() + end, body);
        return end + 4 + body;
    }
    [[noreturn]] static void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

    int socket_;
    std::array<char, 16384> buffer_{};
};

}  // namespace

void http_floor(const Arguments& arguments) {
    const int port = arguments.number("port");
    const int requests = arguments.number("jobs");
    // As long as what the worker sends for such a job, headers included.
    const std::string body(190, 'x');
    const std::string request =
        "POST /job HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        "Content-Type: application/json\r\nwebhook-id: job_12345678\r\n"
        "webhook-timestamp: 1700000000\r\nIdempotency-Key: job_12345678\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    const auto count = static_cast<std::size_t>(arguments.number("concurrency"));
    std::vector<std::unique_ptr<KeptConnection>> connections;
    while (connections.size() < count) connections.push_back(std::make_unique<KeptConnection>(port));
    wait_for_start();
    const Stopwatch stopwatch;
    std::atomic<int> next = 0;
    run_threads(count, [&](std::size_t one) {
        while (next++ < requests) connections[one]->exchange(request);
    });
    stopwatch.report(requests);
}

}  // namespace bench
