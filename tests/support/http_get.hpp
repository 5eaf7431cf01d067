#pragma once

// What a worker's endpoints answer.

#include "tests/support/process.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <sstream>
#include <string>

namespace tests {

// Head and body of the answer. The worker is ready.
inline std::string http_get(WorkerProcess& worker, const std::string& path) {
    const std::string mark = "\"http\":";
    const std::string ready = worker.wait_for_line("\"message\":\"ready\"");
    const std::string port = std::to_string(std::stoi(ready.substr(ready.find(mark) + mark.size())));
    boost::asio::ip::tcp::iostream stream("127.0.0.1", port);
    stream << "GET " << path << " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" << std::flush;
    std::ostringstream answer;
    answer << stream.rdbuf();
    return answer.str();
}

}  // namespace tests
