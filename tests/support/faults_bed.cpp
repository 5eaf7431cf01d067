#include "tests/support/faults_bed.hpp"

#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>
#include <utility>

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr auto patience = 60s;

// A run that begins while another holds the job's lock leaves a file in twice.d. A killed run's lock goes with it.
constexpr const char* script = R"sh(
exec 9>{0}/running.d/$JOB_ID
flock --nonblock 9 || : >{0}/twice.d/$JOB_ID
[ $JOB_KIND = stubborn ] || exec sleep 0.02 9>&-
mkdir {0}/stubborn.d/$JOB_ID || exit 0
trap 'echo asked to stop' TERM
echo here to stay
while :; do sleep 3600 9>&-; done
)sh";

constexpr const char* configuration = R"yaml(
handlers:
  work:
    exec: [sh, {0}/work.sh]
    backoff: {{first: 10ms}}
  stubborn:
    exec: [sh, {0}/work.sh]
    kill_after: 1h
)yaml";

}  // namespace

FaultBed::FaultBed(std::string direct_url) : url_(std::move(direct_url)) {
    for (const char* name : {"running.d", "twice.d", "stubborn.d"})
        fs::create_directory(fs::path(folder_.path()) / name);
    folder_.write("work.sh", fmt::format(fmt::runtime(script), folder_.path()));
    folder_.write("config.yml", fmt::format(fmt::runtime(configuration), folder_.path()));
}

void FaultBed::enqueue(int jobs, int bytes) {
    sql(fmt::format(
        "select count(*) from task_queue.enqueue_many('work', array_fill(to_json(repeat('x', {})), array[{}]))",
        bytes,
        jobs
    ));
    enqueued_ += jobs;
}

void FaultBed::enqueue_stubborn() {
    sql("select task_queue.enqueue('stubborn')");
}

void FaultBed::await_stubborn() const {
    await("select count(*) from task_queue.jobs where kind = 'stubborn' and state = 'completed'", "1");
}

void FaultBed::sql(const std::string& text) const {
    psql(url_, text);
}

std::string FaultBed::value(const std::string& query) const {
    return psql(url_, query).at(0).at(0);
}

void FaultBed::await(const std::string& query, const std::string& wanted) const {
    await_value(url_, query, wanted, patience);
}

void FaultBed::await_running() const {
    await("select count(*) > 0 from task_queue.jobs where kind = 'work' and state = 'running'", "t");
}

void FaultBed::await_finished() const {
    await(
        "select count(*) from task_queue.jobs where kind = 'work' and state in ('completed', 'cancelled', 'discarded')",
        std::to_string(enqueued_)
    );
}

void FaultBed::await_recovery(const std::string& fault, Time since) const {
    await_finished();
    fmt::print("{}: all jobs had run {:.1f} s later\n", fault, std::chrono::duration<double>(now() - since).count());
}

std::string FaultBed::loss() const {
    const std::string found = value(
        "select format('%s jobs, %s of them different, %s completed', count(*), count(distinct id), "
        "count(*) filter (where state = 'completed')) from task_queue.jobs where kind = 'work'"
    );
    if (found != fmt::format("{0} jobs, {0} of them different, {0} completed", enqueued_)) {
        return fmt::format("{} enqueued, but {}", enqueued_, found);
    }
    if (!fs::is_empty(fs::path(folder_.path()) / "twice.d")) return "a job ran in two processes at once";
    return {};
}

std::string FaultBed::declared_dead() const {
    return value("select count(*) from task_queue.workers where dead_at is not null and not stopped");
}

Process::Environment FaultBed::environment(Process::Environment more) {
    more.insert({{"DB_STATEMENT_TIMEOUT", "1s"}, {"DB_POOL_TIMEOUT", "2s"}});
    return more;
}

}  // namespace tests
