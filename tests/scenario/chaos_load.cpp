#include "tests/scenario/chaos_load.hpp"

#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr const char* script = R"sh(
exec 9>{0}/running.d/$JOB_ID
flock --nonblock 9 || : >{0}/twice.d/$JOB_ID
again=
[ ! -e {0}/snoozed.d/$JOB_ID ] || again=again
echo $JOB_ID $JOB_ATTEMPT $again >>{0}/runs
case $ARG_DO in
    slow) sleep 0.3 9>&- ;;
    retry) [ "$JOB_ATTEMPT" -ge 2 ] || exit 1 ;;
    snooze) [ -e {0}/snoozed.d/$JOB_ID ] || {{ : >{0}/snoozed.d/$JOB_ID; echo '{{"snooze": 1}}'; }} ;;
    discard) exit 65 ;;
esac
)sh";

constexpr const char* configuration = R"yaml(
handlers:
  chaos:
    exec: [sh, {0}/work.sh]
    backoff: {{first: 10ms}}
)yaml";

// What becomes of a job, the first most often.
constexpr std::array<const char*, 8> behaviours{
    "complete", "complete", "complete", "complete", "slow", "retry", "snooze", "discard"
};
constexpr std::array<const char*, 8> ledger_behaviours{
    "complete", "complete", "complete", "slow", "result", "again", "swallow", "late"
};

}  // namespace

ChaosLoad::ChaosLoad(std::string direct_url, std::uint64_t seed) : url_(std::move(direct_url)), random_(seed) {
    for (const char* name : {"running.d", "twice.d", "snoozed.d"}) fs::create_directory(fs::path(folder()) / name);
    folder_.write("work.sh", fmt::format(fmt::runtime(script), folder()));
    folder_.write("config.yml", fmt::format(fmt::runtime(configuration), folder()));
    thread_ = std::thread([this] { run(); });
}

ChaosLoad::~ChaosLoad() {
    stop();
}

void ChaosLoad::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

std::int64_t ChaosLoad::runs() const {
    std::ifstream file(folder() + "/runs");
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
}

std::int64_t ChaosLoad::repeats() const {
    std::ifstream file(folder() + "/runs");
    std::set<std::string> different;
    for (std::string line; std::getline(file, line);) different.insert(line);
    return runs() - static_cast<std::int64_t>(different.size());
}

bool ChaosLoad::ran_twice_at_once() const {
    return !fs::is_empty(fs::path(folder()) / "twice.d");
}

void ChaosLoad::run() {
    while (!stopping_) {
        const int what = pick(10);
        if (what == 0) {
            open_batch();
        } else if (what == 1) {
            seal_batch();
        } else if (what == 2) {
            cancel();
        } else if (what == 3) {
            burst();
        } else if (what < 7) {
            enqueue();
        } else {
            enqueue_ledger();
        }
        std::this_thread::sleep_for(20ms);  // the load's rate
    }
    while (!open_batches_.empty()) seal_batch();
}

// Until the server has answered. A call is made so that its repeat, where the first answer was lost, changes nothing.
std::string ChaosLoad::insist(const std::string& sql) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    for (;;) {
        try {
            const TextRows rows = psql(url_, sql);
            return rows.empty() ? std::string() : rows[0][0];
        } catch (const std::runtime_error& error) {
            if (std::string_view(error.what()).find("already exists") != std::string_view::npos) return {};
            if (std::chrono::steady_clock::now() > limit) throw;
        }
        std::this_thread::sleep_for(20ms);
    }
}

void ChaosLoad::enqueue() {
    books_.jobs += enqueue("chaos", "do", behaviours);
}

void ChaosLoad::enqueue_ledger() {
    books_.ledger += enqueue("ledger", "how", ledger_behaviours);
}

int ChaosLoad::enqueue(const std::string& kind, const std::string& member, std::span<const char* const> of) {
    const int jobs = pick(4) == 0 ? 2 + pick(12) : 1;
    std::string args;
    for (int i = 0; i < jobs; ++i) {
        const char* const behaviour = of[static_cast<std::size_t>(pick(static_cast<int>(of.size())))];
        args += fmt::format(R"({}{{"{}": "{}"}})", i == 0 ? "" : "|", member, behaviour);
    }
    const bool in_batch = !open_batches_.empty() && pick(2) == 0;
    const std::string batch = in_batch ? "'" + open_batches_.back() + "'" : "null";
    const std::string id = insist(fmt::format(
        "select min(id) from task_queue.enqueue_many('{}', string_to_array('{}', '|')::json[], batch_id => {}, "
        "enqueue_key => 'call {}', bundle => {}) id",
        kind,
        args,
        batch,
        ++calls_,
        1 + pick(8)
    ));
    ids_.push_back(id);
    if (in_batch) books_.batch_jobs += jobs;
    return jobs;
}

void ChaosLoad::burst() {
    if (pick(10) == 0) {
        large_burst();
    } else {
        enqueue_quick(50 + pick(100), 1 + pick(30));
    }
}

void ChaosLoad::large_burst() {
    enqueue_quick(2'000 + pick(4'000), 63);
}

void ChaosLoad::enqueue_quick(int jobs, int bundle) {
    insist(fmt::format(
        "select count(*) from task_queue.enqueue_many('noop', array_fill('{{}}'::json, array[{}]), enqueue_key => "
        "'call {}', bundle => {})",
        jobs,
        ++calls_,
        bundle
    ));
    books_.quick += jobs;
}

void ChaosLoad::open_batch() {
    const std::string id = fmt::format("00000000-0000-4000-8000-{:012}", ++books_.batches);
    insist(fmt::format("select task_queue.create_batch(id => '{}', on_finish => 'echo')", id));
    open_batches_.push_back(id);
}

void ChaosLoad::seal_batch() {
    if (open_batches_.empty()) return;
    insist(fmt::format("select task_queue.seal_batch('{}')", open_batches_.back()));
    open_batches_.pop_back();
}

void ChaosLoad::cancel() {
    if (ids_.empty()) return;
    insist(
        fmt::format("select task_queue.cancel({})", ids_[static_cast<std::size_t>(pick(static_cast<int>(ids_.size())))])
    );
    ++books_.cancels;
}

}  // namespace tests
