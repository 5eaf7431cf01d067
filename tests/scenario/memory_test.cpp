// A worker's memory is bounded, whatever is queued, printed or slow. Bounds are for a build with sanitizers.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/process.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

using namespace tests;
using namespace std::chrono_literals;

namespace {

// What the sanitizers keep of freed memory would hide what the worker keeps.
const Process::Environment lean{{"ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}};

void await(const TestDatabase& database, const std::string& query, const std::string& wanted) {
    const auto limit = std::chrono::steady_clock::now() + 120s;
    std::string last;
    while ((last = database.value(query)) != wanted) {
        if (std::chrono::steady_clock::now() > limit)
            throw std::runtime_error("never came true: " + query + ": " + last);
        std::this_thread::sleep_for(20ms);  // asking takes from the worker's time
    }
}

std::string ended(int jobs) {
    return fmt::format("select count(*) >= {} from task_queue.jobs where state = 'completed'", jobs);
}

// How many MB the most was above the memory before.
class Growth {
public:
    explicit Growth(const Process& worker) : worker_(worker), before_(resident_mb(worker.pid())) {}
    int most(const char* what) const {
        const int most = most_resident_mb(worker_.pid()) - before_;
        fmt::print("memory: {}: {} MB more than the {} MB before\n", what, most, before_);
        return most;
    }

private:
    const Process& worker_;
    int before_;
};

}  // namespace

// Behind small jobs, for which a claim is large.
TEST_CASE("a gigabyte of args, 1 MB a job, passes through a worker in bounded memory", "[scenario][memory][slow]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url(), lean);
    const Growth growth(worker);
    database.psql(
        "begin; select count(*) from task_queue.enqueue_many('noop', array_fill('{}'::json, array[300000]));"
        "select count(task_queue.enqueue('noop', to_json(repeat('x', 1048000)))) from generate_series(1, 1000); commit"
    );
    await(database, "select count(*) from task_queue.bundles", "0");
    CHECK(growth.most("1 GB of args") < 250);
}

TEST_CASE("a program that prints a gigabyte costs its worker next to nothing", "[scenario][memory][slow]") {
    const auto script = GENERATE(
        "head -c 1000000000 /dev/zero | tr '\\0' x",                          // one line
        "yes \"$(head -c 999 /dev/zero | tr '\\0' x)\" | head -c 1000000000"  // a million lines
    );
    const TestDatabase database;
    const TemporaryFolder folder;
    folder.write("print.sh", script);
    folder.write("config.yml", "handlers:\n  print:\n    exec: [sh, " + folder.path() + "/print.sh]\n");
    const WorkerProcess worker(database.url(), lean, {"--config", folder.path() + "/config.yml"});
    const Growth growth(worker);
    database.psql("select task_queue.enqueue('print')");
    await(database, ended(1), "t");
    CHECK(growth.most("1 GB printed") < 30);
}

TEST_CASE("a slow way to the database makes jobs wait there, not in the worker", "[scenario][memory][slow]") {
    const TestDatabase database;
    const std::string folder = psql(server_url(), "show unix_socket_directories").at(0).at(0);
    FaultProxy proxy(folder + "/.s.PGSQL.5432");
    const WorkerProcess worker(proxy.url(database.name()), lean);
    const Growth growth(worker);
    proxy.throttle(1'000'000);
    database.psql(
        "select count(*) from task_queue.enqueue_many('noop', array(select to_json(repeat('x', 1000)) from "
        "generate_series(1, 200000)))"
    );
    await(database, ended(1000), "t");
    proxy.pass();
    await(database, ended(200'000), "t");
    CHECK(growth.most("200 MB of args over a slow network") < 120);
}
