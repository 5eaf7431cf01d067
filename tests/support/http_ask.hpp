#pragma once

// A request to a server on this machine, of which nothing else is to be known.

#include <boost/asio/ip/tcp.hpp>

#include <sstream>
#include <string>

namespace tests {

// Head and body of what the server at this port answers. Empty: nobody listens there.
inline std::string http_ask(
    int port, const std::string& path, const std::string& method = "GET", const std::string& body = ""
) {
    boost::asio::ip::tcp::iostream stream("127.0.0.1", std::to_string(port));
    stream << method << " " << path << " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
           << "Content-Length: " << body.size() << "\r\n\r\n"
           << body << std::flush;
    std::ostringstream answer;
    answer << stream.rdbuf();
    return answer.str();
}

}  // namespace tests
