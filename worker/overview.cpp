#include "worker/overview.hpp"

#include "db/pipeline.hpp"
#include "queue/plans.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr std::chrono::milliseconds shortest_period = 1s;
constexpr std::chrono::milliseconds longest_period = 10s;
constexpr int depth_rows = 10'000;
constexpr int unfinished_batches = 20;
constexpr int finished_batches = 5;
constexpr int failures_shown = 50;
}  // namespace

Overview::Seen Overview::ask() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(asked_, true)) wakeup_.notify();
    return {.fleet = fleet_, .age = Clock::now() - read_at_, .trouble = trouble_};
}

void Overview::stop() {
    stopping_ = true;
    wakeup_.notify();
}

bool Overview::take_request() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, false);
}

asio::awaitable<void> Overview::run() {
    while (!stopping_) {
        if (!take_request()) {
            co_await wakeup_.wait_until({});
            continue;
        }
        const auto began = Clock::now();
        std::string trouble;
        try {
            co_await read();
        } catch (const db::Error& error) {
            trouble = error.what();
        }
        // What failed was waited for, and cost nothing.
        const Clock::duration share = trouble.empty() ? 50 * (Clock::now() - began) : Clock::duration{};
        const auto next = began + std::clamp<Clock::duration>(share, shortest_period, longest_period);
        set_trouble(std::move(trouble));
        while (!stopping_ && Clock::now() < next) co_await wakeup_.wait_until(next);
    }
}

void Overview::set_trouble(std::string trouble) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::move(trouble);
}

asio::awaitable<void> Overview::read() {
    db::Session session = co_await pool_.checkout();
    auto fleet = std::make_shared<Fleet>();
    fleet->queues = co_await queue::read_queues(session);
    const std::vector<queue::LaneCursor> lanes = queue::all_lanes(fleet->queues);
    auto answers = co_await db::pipelined(
        session,
        queue::fix_plans(session),
        queue::read_depth(session, lanes, depth_rows),
        queue::list_current_batches(session, unfinished_batches, finished_batches),
        queue::read_workers(session),
        queue::list_recent_failures(session, failures_shown)
    );
    fleet->depths = std::move(std::get<1>(answers));
    fleet->batches = std::move(std::get<2>(answers));
    fleet->workers = std::move(std::get<3>(answers));
    fleet->failures = std::move(std::get<4>(answers));
    const std::lock_guard lock(mutex_);
    fleet_ = std::move(fleet);
    read_at_ = Clock::now();
}

}  // namespace worker
