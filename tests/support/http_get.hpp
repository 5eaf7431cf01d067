#pragma once

// What a worker's endpoints answer.

#include "tests/support/http_ask.hpp"
#include "tests/support/process.hpp"

#include <string>

namespace tests {

// Head and body of the answer. The worker is ready.
inline std::string http_get(WorkerProcess& worker, const std::string& path) {
    const std::string mark = "\"http\":";
    const std::string ready = worker.wait_for_line("\"message\":\"ready\"");
    const int port = std::stoi(ready.substr(ready.find(mark) + mark.size()));
    return http_ask(port, path);
}

}  // namespace tests
