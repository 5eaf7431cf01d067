#include "tests/scenario/chaos_fleet.hpp"

#include "tests/support/faults_bed.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/listener.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/psql.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr const char* disk_size = "6g";       // with what an hour leaves there
constexpr std::size_t most_descriptors = 35;  // of a worker at rest: connections, timers, no more

// An urgent job says when it has ended.
constexpr const char* trigger = R"sql(
    create function public.tell_probe() returns trigger language plpgsql as $$
    begin
        perform pg_notify('probe', (new.id & ~64::bigint)::text);
        return null;
    end
    $$;
    create trigger tell_probe after insert on task_queue.finished_bundles
    for each row when (new.priority = 0) execute function public.tell_probe()
)sql";

OwnServerSettings server_settings(const FakeClock& clock, const SmallDisk& disk) {
    OwnServerSettings settings{.server_settings = {"max_connections=200"}, .folder = disk.folder()};
    if (FakeClock::is_installed()) settings.environment = clock.environment();
    return settings;
}

}  // namespace

ChaosFleet::ChaosFleet()
    : disk_(disk_size),
      server_(server_settings(server_clock_, disk_)),
      pooler_(server_.socket_folder().string()),
      proxies_{FaultProxy(server_.socket()), FaultProxy(pooler_.socket())} {
    server_.migrate();
    psql(server_.url(), trigger);
    psql(server_.url(), create_witness);
    list_faults();
}

void ChaosFleet::start_workers(std::vector<std::string> arguments) {
    arguments_ = std::move(arguments);
    workers_.resize(size);
    for (std::size_t place = 0; place < size; ++place) start_worker(place);
}

// The first behind the pooler, the last with a clock that steps. The one between is the worker as shipped, and wide:
// without a kind whose jobs need rows of their own it makes the large claims.
void ChaosFleet::start_worker(std::size_t place) {
    Process::Environment environment = FaultBed::environment({{"TASK_WORKER_SHUTDOWN_SOFT", "5s"}});
    if (place == 0) {
        environment["DB_POOLER"] = "transaction";
        environment["DATABASE_DIRECT_URL"] = proxies_[0].url("postgres");
    }
    if (place + 1 == size && FakeClock::fits_this_build()) environment.merge(worker_clock_.environment());
    const std::string url = proxies_[place == 0 ? 1 : 0].url("postgres");
    const std::string program = place == 1 ? TASK_WORKER_BINARY : ledger_worker_path();
    if (place == 1) environment["TASK_WORKER_WORKER_CONCURRENCY"] = "1000";
    // As a supervisor does it: PgBouncer still says for a second after a crash that the server is away.
    for (int left = 5;; --left) {
        try {
            workers_[place] = std::make_unique<WorkerProcess>(url, environment, arguments_, program);
            return;
        } catch (const std::runtime_error&) {
            if (left == 0) throw;
            ++refused_starts_;
        }
    }
}

// What there is to know about a job that does not end.
std::string ChaosFleet::describe(const std::string& job) const {
    std::string text;
    for (const std::string& query :
         {"select format('now %s, job %s', now(), j) from task_queue.job(" + job + ") j",
          "select format('bundle %s', b) from task_queue.bundles b where id in (" + job + ", 64 + " + job + ")",
          std::string("select format('%s rows in state %s of %s', count(*), state, worker_id) from task_queue.bundles "
                      "group by state, worker_id"),
          std::string("select format('worker %s', w) from task_queue.workers w where dead_at is null"),
          std::string("select format('leader %s', l) from task_queue.leaders l"),
          std::string("select format('backend %s', a) from pg_stat_activity a where application_name = 'task-worker'")
         }) {
        for (const auto& row : psql(server_.url(), query)) text += row.at(0) + "\n";
    }
    for (const auto& worker : workers_) {
        const std::string output = worker->output();
        text += "worker: ..." + output.substr(output.size() - std::min<std::size_t>(output.size(), 3000)) + "\n";
    }
    return text;
}

std::chrono::milliseconds ChaosFleet::probe() {
    const auto since = FaultBed::now();
    Listener listener(server_.url(), "probe");
    const std::string id = psql(server_.url(), "select task_queue.enqueue('noop', priority => 0)").at(0).at(0);
    try {
        listener.await(id, 60s);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(fmt::format("{}\n{}", error.what(), describe(id)));
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(FaultBed::now() - since);
}

std::vector<std::string> ChaosFleet::stop_workers() {
    std::vector<std::string> wrong;
    for (const auto& worker : workers_) {
        // What was being opened or given up when the last connection was cut comes to its own end.
        const auto limit = FaultBed::now() + 20s;
        std::vector<std::string> open;
        while ((open = descriptors_of(worker->pid())).size() > most_descriptors && FaultBed::now() < limit) {
            std::this_thread::sleep_for(100ms);
        }
        if (open.size() > most_descriptors) wrong.push_back(fmt::format("open in a worker: {}", fmt::join(open, ", ")));
        const std::size_t children = children_of(worker->pid());
        if (children > 0) wrong.push_back(fmt::format("a worker has {} children", children));
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
