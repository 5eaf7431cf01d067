#pragma once

// The numbers of a worker's /metrics.

#include "tests/support/process.hpp"
#include "tests/support/scraper.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

namespace tests {

// One scrape: everything in it is of one moment.
class Scrape {
public:
    explicit Scrape(const WorkerProcess& worker) : text_(read_endpoint(worker.http_port(), "/metrics")) {}

    // The value of a series, its labels as they stand there; 0 when it is not there.
    double operator[](const std::string& series) const {
        const std::string line = "\ntask_worker_" + series + " ";
        const std::size_t at = text_.find(line);
        return at == std::string::npos ? 0 : std::stod(text_.substr(at + line.size()));
    }

private:
    std::string text_;
};

// The first scrape for which it holds.
template <class Condition>
Scrape await_scrape(const WorkerProcess& worker, Condition holds) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
        Scrape scrape(worker);
        if (holds(scrape)) return scrape;
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("no scrape says so");
    }
}

}  // namespace tests
