#include "tests/support/scraper.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <stdexcept>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace tests {

std::string read_endpoint(int port, const std::string& path) {
    asio::io_context context;
    tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(port)});
    asio::write(socket, asio::buffer("GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
    std::string answer;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(answer), end);
    const std::size_t body = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200") || body == std::string::npos) {
        throw std::runtime_error(path + " answered: " + answer.substr(0, 200));
    }
    return answer.substr(body + 4);
}

Scraper::Scraper(int port, std::chrono::milliseconds period) : thread_([this, port, period] { run(port, period); }) {}

Scraper::~Scraper() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

int Scraper::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return scrapes_;
}

void Scraper::run(int port, std::chrono::milliseconds period) {
    try {
        for (; !stopping_; ++scrapes_) {
            read_endpoint(port, "/metrics");
            std::this_thread::sleep_for(period);  // the load that is wanted
        }
    } catch (...) {
        failure_ = std::current_exception();
    }
}

}  // namespace tests
