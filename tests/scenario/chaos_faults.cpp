// The faults themselves. Each ends before it returns, and answers whether it met anybody.
#include "tests/scenario/chaos_fleet.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <csignal>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr std::size_t light_faults = 2;
constexpr auto light_pause = 60ms;
constexpr auto farthest_step = 7'000s;

std::size_t pick(std::mt19937_64& random, std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
}

// A fault lasts as long as it lasts: here time itself is what is tested.
void last(std::mt19937_64& random, std::chrono::milliseconds longest) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pick(random, static_cast<std::size_t>(longest.count()))));
}

std::chrono::seconds any_step(std::mt19937_64& random) {
    return 1s * static_cast<std::int64_t>(1 + pick(random, farthest_step.count()));
}

}  // namespace

void ChaosFleet::list_faults() {
    faults_ = {
        {"cut connections", 460, &ChaosFleet::cut},
        {"terminated backends", 460, &ChaosFleet::terminate_backends},
        {"killed worker", 26, &ChaosFleet::kill_worker},
        {"crashed server", 26, &ChaosFleet::crash_server},
        {"restarted pooler", 26, &ChaosFleet::restart_pooler},
        {"deployed worker", 5, &ChaosFleet::deploy_worker},
        {"paused worker", 5, &ChaosFleet::pause_worker},
        {"black hole", 5, &ChaosFleet::black_hole},
        {"half-open connections", 5, &ChaosFleet::half_open},
    };
    if (disk_.why_not().empty()) {
        faults_.push_back({"full disk", 5, &ChaosFleet::fill_disk});
    } else {
        fmt::print("chaos: left out: a full disk, since none can be mounted: {}\n", disk_.why_not());
    }
    if (FakeClock::is_installed())
        faults_.push_back({"stepped clock of the server", 5, &ChaosFleet::step_server_clock});
    if (FakeClock::fits_this_build()) {
        faults_.push_back({"stepped clock of a worker", 5, &ChaosFleet::step_worker_clock});
    } else {
        fmt::print("chaos: left out: a worker's stepped clock, for want of libfaketime or because of the sanitizers\n");
    }
}

const ChaosFleet::Fault& ChaosFleet::draw(std::mt19937_64& random) const {
    if (struck_.size() < faults_.size()) {
        const Fault* fault = nullptr;
        do {
            fault = &faults_[pick(random, faults_.size())];
        } while (struck_.contains(fault->name));
        return *fault;
    }
    std::size_t sum = 0;
    for (const Fault& fault : faults_) sum += fault.weight;
    std::size_t chosen = pick(random, sum);
    for (const Fault& fault : faults_) {
        if (chosen < fault.weight) return fault;
        chosen -= fault.weight;
    }
    return faults_.back();
}

ChaosFleet::Struck ChaosFleet::strike(std::mt19937_64& random) {
    for (;;) {
        const Fault& fault = draw(random);
        if (!(this->*fault.strike)(random)) continue;
        ++struck_[fault.name];
        return {fault.name, &fault < &faults_[light_faults]};
    }
}

void ChaosFleet::strike_lightly(std::mt19937_64& random) {
    const Fault& fault = faults_[pick(random, light_faults)];
    if ((this->*fault.strike)(random)) ++struck_[fault.name];
}

FaultProxy& ChaosFleet::any_proxy(std::mt19937_64& random) {
    return proxies_[pick(random, proxies_.size())];
}

bool ChaosFleet::kill_worker(std::mt19937_64& random) {
    const std::size_t place = pick(random, size);
    workers_[place]->signal(SIGKILL);
    workers_[place]->wait_exit();
    last(random, 500ms);
    start_worker(place);
    return true;
}

bool ChaosFleet::deploy_worker(std::mt19937_64& random) {
    const std::size_t place = pick(random, size);
    workers_[place]->signal(SIGTERM);
    const int code = workers_[place]->wait_exit();
    if (code != 0) {
        throw std::runtime_error(fmt::format("a stopped worker ended with {}:\n{}", code, workers_[place]->output()));
    }
    start_worker(place);
    return true;
}

bool ChaosFleet::pause_worker(std::mt19937_64& random) {
    const WorkerProcess& worker = *workers_[pick(random, size)];
    worker.signal(SIGSTOP);
    std::this_thread::sleep_for(2s);  // its lease
    last(random, 2s);
    worker.signal(SIGCONT);
    return true;
}

bool ChaosFleet::crash_server(std::mt19937_64& random) {
    server_.stop(OwnServer::Stop::immediate);
    last(random, pick(random, 4) == 0 ? 3000ms : 300ms);
    server_.start();
    return true;
}

// Whether statements are refused or the server gives up is its choice; an operator makes room, and starts it again.
bool ChaosFleet::fill_disk(std::mt19937_64& random) {
    disk_.fill();
    last(random, 3s);
    disk_.clear();
    server_.stop(OwnServer::Stop::immediate);
    server_.start();
    return true;
}

bool ChaosFleet::terminate_backends(std::mt19937_64& random) {
    const std::string met =
        psql(
            server_.url(),
            fmt::format(
                "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid() and pid % {} = 0",
                1 + pick(random, 3)
            )
        )
            .at(0)
            .at(0);
    last(random, light_pause);
    return met != "0";
}

bool ChaosFleet::cut(std::mt19937_64& random) {
    FaultProxy& proxy = any_proxy(random);
    const bool met = proxy.open() > 0;
    proxy.cut();
    last(random, light_pause);
    return met;
}

bool ChaosFleet::black_hole(std::mt19937_64& random) {
    FaultProxy& proxy = any_proxy(random);
    proxy.black_hole();
    last(random, 4s);
    proxy.pass();
    return true;
}

bool ChaosFleet::half_open(std::mt19937_64& random) {
    any_proxy(random).half_open();
    last(random, 1s);
    return true;
}

bool ChaosFleet::restart_pooler(std::mt19937_64& random) {
    pooler_.stop();
    last(random, 300ms);
    pooler_.start();
    return true;
}

// Ahead and back again: what is scheduled meanwhile is far ahead then.
bool ChaosFleet::step_server_clock(std::mt19937_64& random) {
    server_clock_.set(any_step(random));
    last(random, 3s);
    server_clock_.set(0s);
    return true;
}

bool ChaosFleet::step_worker_clock(std::mt19937_64& random) {
    worker_clock_.set(any_step(random) - farthest_step / 2);
    last(random, 3s);
    return true;
}

void ChaosFleet::settle() {
    server_clock_.set(farthest_step + 60s);
}

}  // namespace tests
