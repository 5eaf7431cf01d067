#pragma once

// The worker's HTTP endpoints: /metrics, /healthz, /readyz, /status and a small page at /. They read, never write.

#include "worker/config.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace worker {

struct Readiness {
    bool ready = false;
    std::string reason;  // why not
};

// Where the answers come from. Called on the executor; must not block. An exception becomes a 500.
struct EndpointCallbacks {
    std::function<std::string()> metrics;  // Prometheus' text format
    std::function<Readiness()> readiness;  // whether the worker can claim
    std::function<std::string()> status;   // a JSON document
};

struct EndpointLimits {
    std::size_t header = std::size_t{8} * 1024;  // bytes
    std::size_t body = std::size_t{64} * 1024;   // bytes; bodies are read only to be refused
    int connections = 64;                        // at once; one more is closed unanswered
    std::chrono::milliseconds idle{30'000};      // for the whole of a request to arrive, or of an answer to leave
};

// The server. It works while the executor's context runs; the destructor closes it.
//
// Thread: any, once constructed.
class Endpoints {
public:
    // Binds and listens at once.
    // Throws: std::runtime_error that names the address, the reason and the setting to change.
    Endpoints(
        boost::asio::any_io_executor executor,
        const ListenAddress& address,
        EndpointCallbacks callbacks,
        EndpointLimits limits = {}
    );
    ~Endpoints();
    Endpoints(const Endpoints&) = delete;
    Endpoints& operator=(const Endpoints&) = delete;

    int port() const;  // the chosen one where the address says 0

    // Accepts nobody any more, closes connections that wait for a request, and lets running answers finish.
    void close();

private:
    class Server;
    std::shared_ptr<Server> server_;
};

}  // namespace worker
