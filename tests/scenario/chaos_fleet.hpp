#pragma once

// What the chaos test breaks: a server, a proxy and a pooler before it, and workers on every way to it.

#include "tests/support/fake_clock.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/pgbouncer.hpp"
#include "tests/support/process.hpp"
#include "tests/support/small_disk.hpp"

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

    struct Struck {
        std::string fault;
        bool is_light;  // nothing was away for long
    };
    // One fault that met somebody, and the end of it: the first ones are one of each kind, then the light ones come
    // most often. Drawn the same for the same state of the generator.
    Struck strike(std::mt19937_64& random);
    // One that kills no worker.
    void strike_lightly(std::mt19937_64& random);
    // How long it takes now until an urgent job has run.
    std::chrono::milliseconds probe();
    // No fault any more: from now on the clocks are ahead of wherever they were, so that all that waits is due.
    void settle();
    // SIGTERM to all. What is wrong with how they ended, or with what they left; empty: nothing.
    std::vector<std::string> stop_workers();

    const OwnServer& server() const { return server_; }
    const std::map<std::string, int>& struck() const { return struck_; }  // faults by name
    int refused_starts() const { return refused_starts_; }                // of workers that were then started again

private:
    struct Fault {
        const char* name;
        std::size_t weight;
        bool (ChaosFleet::*strike)(std::mt19937_64& random);  // false: nobody was there
    };
    std::vector<Fault> faults_;  // the light ones first
    void list_faults();
    const Fault& draw(std::mt19937_64& random) const;

    bool kill_worker(std::mt19937_64& random);
    bool deploy_worker(std::mt19937_64& random);
    bool pause_worker(std::mt19937_64& random);
    bool crash_server(std::mt19937_64& random);
    bool fill_disk(std::mt19937_64& random);
    bool terminate_backends(std::mt19937_64& random);
    bool cut(std::mt19937_64& random);
    bool black_hole(std::mt19937_64& random);
    bool half_open(std::mt19937_64& random);
    bool restart_pooler(std::mt19937_64& random);
    bool step_server_clock(std::mt19937_64& random);
    bool step_worker_clock(std::mt19937_64& random);
    void start_worker(std::size_t place);
    std::string describe(const std::string& job) const;
    FaultProxy& any_proxy(std::mt19937_64& random);

    SmallDisk disk_;  // of the server
    FakeClock server_clock_;
    FakeClock worker_clock_;  // of the last worker
    OwnServer server_;
    PgBouncer pooler_;
    std::array<FaultProxy, 2> proxies_;  // before the server, before the pooler
    std::vector<std::string> arguments_;
    std::vector<std::unique_ptr<WorkerProcess>> workers_;
    std::map<std::string, int> struck_;
    int refused_starts_ = 0;
};

}  // namespace tests
