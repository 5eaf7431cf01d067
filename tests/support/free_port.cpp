#include "tests/support/free_port.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace asio = boost::asio;

namespace tests {

int free_port() {
    asio::io_context context;
    const asio::ip::tcp::acceptor taken(context, {asio::ip::address_v4::loopback(), 0});
    return taken.local_endpoint().port();
}

}  // namespace tests
