#pragma once

// What the chaos test breaks: a server, a proxy and a pooler before it, and workers on every way to it.

#include "tests/support/fault_proxy.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/pgbouncer.hpp"
#include "tests/support/process.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tests {

class ChaosFleet {
public:
    static constexpr std::size_t size = 3;  // workers

    ChaosFleet();  // without workers
    void start_workers(std::vector<std::string> arguments);

    // One fault, and the end of it: the first ones are one of each kind, then the light ones come most often. The same
    // for the same state of the generator. Answers its name.
    std::string strike(std::mt19937_64& random);
    // One that kills no worker.
    void strike_lightly(std::mt19937_64& random);
    // How long it takes now until an urgent job has run.
    std::chrono::milliseconds probe();
    // SIGTERM to all. What is wrong with how they ended, or with what they left; empty: nothing.
    std::vector<std::string> stop_workers();

    const OwnServer& server() const { return server_; }
    const std::map<std::string, int>& struck() const { return struck_; }  // faults by name
    int refused_starts() const { return refused_starts_; }                // of workers that were then started again

private:
    struct Fault {
        const char* name;
        std::size_t weight;
        void (ChaosFleet::*strike)(std::mt19937_64& random);
    };
    static const std::vector<Fault>& faults();
    const Fault& draw(std::mt19937_64& random) const;
    void carry_out(const Fault& fault, std::mt19937_64& random);

    void kill_worker(std::mt19937_64& random);
    void deploy_worker(std::mt19937_64& random);
    void pause_worker(std::mt19937_64& random);
    void crash_server(std::mt19937_64& random);
    void terminate_backends(std::mt19937_64& random);
    void cut(std::mt19937_64& random);
    void black_hole(std::mt19937_64& random);
    void half_open(std::mt19937_64& random);
    void restart_pooler(std::mt19937_64& random);
    void start_worker(std::size_t place);
    FaultProxy& any_proxy(std::mt19937_64& random);

    OwnServer server_;
    PgBouncer pooler_;
    std::array<FaultProxy, 2> proxies_;  // before the server, before the pooler
    std::vector<std::string> arguments_;
    std::vector<std::unique_ptr<WorkerProcess>> workers_;
    std::map<std::string, int> struck_;
    int refused_starts_ = 0;
};

}  // namespace tests
