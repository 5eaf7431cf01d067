#include "tests/scenario/chaos_fleet.hpp"

#include "tests/support/faults_bed.hpp"
#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <utility>

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr std::size_t light_faults = 2;  // the first of all
constexpr auto light_pause = 60ms;
constexpr std::ptrdiff_t most_descriptors = 80;  // of a worker at rest: connections, timers, no more

std::size_t pick(std::mt19937_64& random, std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
}

// A fault lasts as long as it lasts: here time itself is what is tested.
void last(std::mt19937_64& random, std::chrono::milliseconds longest) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pick(random, static_cast<std::size_t>(longest.count()))));
}

}  // namespace

const std::vector<ChaosFleet::Fault>& ChaosFleet::faults() {
    static const std::vector<Fault> all{
        {"cut connections", 30, &ChaosFleet::cut},
        {"terminated backends", 30, &ChaosFleet::terminate_backends},
        {"killed worker", 8, &ChaosFleet::kill_worker},
        {"deployed worker", 3, &ChaosFleet::deploy_worker},
        {"paused worker", 3, &ChaosFleet::pause_worker},
        {"crashed server", 6, &ChaosFleet::crash_server},
        {"black hole", 3, &ChaosFleet::black_hole},
        {"half-open connections", 3, &ChaosFleet::half_open},
        {"restarted pooler", 6, &ChaosFleet::restart_pooler},
    };
    return all;
}

ChaosFleet::ChaosFleet()
    : server_({.server_settings = {"max_connections=200"}}),
      pooler_(server_.socket_folder().string()),
      proxies_{FaultProxy(server_.socket()), FaultProxy(pooler_.socket())} {
    server_.migrate();
}

void ChaosFleet::start_workers(std::vector<std::string> arguments) {
    arguments_ = std::move(arguments);
    workers_.resize(size);
    for (std::size_t place = 0; place < size; ++place) start_worker(place);
}

// The first behind the pooler.
void ChaosFleet::start_worker(std::size_t place) {
    Process::Environment environment = FaultBed::environment({{"TASK_WORKER_SHUTDOWN_SOFT", "5s"}});
    if (place == 0) {
        environment["DB_POOLER"] = "transaction";
        environment["DATABASE_DIRECT_URL"] = proxies_[0].url("postgres");
    }
    const std::string url = proxies_[place == 0 ? 1 : 0].url("postgres");
    // As a supervisor does it: PgBouncer still says for a second after a crash that the server is away.
    for (int left = 5;; --left) {
        try {
            workers_[place] = std::make_unique<WorkerProcess>(url, environment, arguments_);
            return;
        } catch (const std::runtime_error&) {
            if (left == 0) throw;
            ++refused_starts_;
        }
    }
}

const ChaosFleet::Fault& ChaosFleet::draw(std::mt19937_64& random) const {
    if (struck_.size() < faults().size()) {
        const Fault* fault = nullptr;
        do {
            fault = &faults()[pick(random, faults().size())];
        } while (struck_.contains(fault->name));
        return *fault;
    }
    std::size_t sum = 0;
    for (const Fault& fault : faults()) sum += fault.weight;
    std::size_t chosen = pick(random, sum);
    for (const Fault& fault : faults()) {
        if (chosen < fault.weight) return fault;
        chosen -= fault.weight;
    }
    return faults().back();
}

FaultProxy& ChaosFleet::any_proxy(std::mt19937_64& random) {
    return proxies_[pick(random, proxies_.size())];
}

std::string ChaosFleet::strike(std::mt19937_64& random) {
    const Fault& fault = draw(random);
    carry_out(fault, random);
    return fault.name;
}

void ChaosFleet::strike_lightly(std::mt19937_64& random) {
    carry_out(faults()[pick(random, light_faults)], random);
}

void ChaosFleet::carry_out(const Fault& fault, std::mt19937_64& random) {
    (this->*fault.strike)(random);
    ++struck_[fault.name];
}

void ChaosFleet::kill_worker(std::mt19937_64& random) {
    const std::size_t place = pick(random, size);
    workers_[place]->signal(SIGKILL);
    workers_[place]->wait_exit();
    last(random, 500ms);
    start_worker(place);
}

void ChaosFleet::deploy_worker(std::mt19937_64& random) {
    const std::size_t place = pick(random, size);
    workers_[place]->signal(SIGTERM);
    const int code = workers_[place]->wait_exit();
    if (code != 0) {
        throw std::runtime_error(fmt::format("a stopped worker ended with {}:\n{}", code, workers_[place]->output()));
    }
    start_worker(place);
}

void ChaosFleet::pause_worker(std::mt19937_64& random) {
    const WorkerProcess& worker = *workers_[pick(random, size)];
    worker.signal(SIGSTOP);
    std::this_thread::sleep_for(2s);  // its lease
    last(random, 2s);
    worker.signal(SIGCONT);
}

void ChaosFleet::crash_server(std::mt19937_64& random) {
    server_.stop(OwnServer::Stop::immediate);
    last(random, pick(random, 4) == 0 ? 3000ms : 300ms);
    server_.start();
}

void ChaosFleet::terminate_backends(std::mt19937_64& random) {
    psql(
        server_.url(),
        fmt::format(
            "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' "
            "and pid <> pg_backend_pid() and pid % {} = 0",
            1 + pick(random, 3)
        )
    );
    last(random, light_pause);
}

void ChaosFleet::cut(std::mt19937_64& random) {
    any_proxy(random).cut();
    last(random, light_pause);
}

void ChaosFleet::black_hole(std::mt19937_64& random) {
    FaultProxy& proxy = any_proxy(random);
    proxy.black_hole();
    last(random, 4s);
    proxy.pass();
}

void ChaosFleet::half_open(std::mt19937_64& random) {
    any_proxy(random).half_open();
    last(random, 1s);
}

void ChaosFleet::restart_pooler(std::mt19937_64& random) {
    pooler_.stop();
    last(random, 300ms);
    pooler_.start();
}

std::chrono::milliseconds ChaosFleet::probe() {
    const auto since = FaultBed::now();
    const std::string id = psql(server_.url(), "select task_queue.enqueue('noop', priority => 0)").at(0).at(0);
    while (psql(server_.url(), "select state from task_queue.job(" + id + ")").at(0).at(0) != "completed") {
        if (FaultBed::now() - since > 60s) throw std::runtime_error("an urgent job did not run within a minute");
        std::this_thread::sleep_for(10ms);  // leaves the machine to the workers
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(FaultBed::now() - since);
}

std::vector<std::string> ChaosFleet::stop_workers() {
    std::vector<std::string> wrong;
    for (const auto& worker : workers_) {
        const fs::directory_iterator descriptors(fmt::format("/proc/{}/fd", worker->pid()));
        const auto open = std::distance(begin(descriptors), end(descriptors));
        if (open > most_descriptors) wrong.push_back(fmt::format("a worker has {} descriptors open", open));
    }
    for (const auto& worker : workers_) worker->signal(SIGTERM);
    for (const auto& worker : workers_) {
        const int code = worker->wait_exit();
        if (code != 0) wrong.push_back(fmt::format("a worker ended with {}:\n{}", code, worker->output()));
    }
    workers_.clear();
    pooler_.stop();
    for (FaultProxy& proxy : proxies_) proxy.cut();  // what they hold half open is not the workers'
    const auto await_none = [&](const std::string& what, const std::string& query) {
        const auto limit = FaultBed::now() + 10s;  // the server takes its time to notice
        std::string count;
        while ((count = psql(server_.url(), query).at(0).at(0)) != "0" && FaultBed::now() < limit) {
        }
        if (count != "0") wrong.push_back(fmt::format("{} {} are left", count, what));
    };
    await_none("live workers", "select count(*) from task_queue.workers where dead_at is null");
    await_none("connections", "select count(*) from pg_stat_activity where application_name = 'task-worker'");
    return wrong;
}

}  // namespace tests
