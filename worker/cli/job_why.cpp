#include "db/pipeline.hpp"
#include "queue/plans.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/why_text.hpp"
#include "worker/registry.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <chrono>
#include <tuple>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker::cli {

namespace {

asio::awaitable<Situation> read_situation(
    db::Session& session, const Global& global, const Config& config, queue::JobId job
) {
    auto found = co_await queue::read_job(session, job);
    if (!found) refuse_unknown_job(job);
    auto read = co_await db::pipelined(
        session,
        queue::fix_plans(session),
        queue::read_obstacles(session, job),
        queue::read_workers(session),
        queue::read_loads(session, found->queue, found->kind)
    );
    const auto policy = find_policy(config, global.add_kinds, found->kind);
    co_return Situation{
        .job = std::move(*found),
        .obstacles = std::move(std::get<1>(read)),
        .workers = std::move(std::get<2>(read)),
        .loads = std::move(std::get<3>(read)),
        .policy = policy.value_or(jobs::KindPolicy{}),
    };
}

bool has_ended(const std::string& state) {
    return state == "completed" || state == "discarded" || state == "cancelled";
}

}  // namespace

asio::awaitable<int> explain_job(db::Session& session, const Global& global, const Config& config, queue::JobId id) {
    const Situation situation = co_await read_situation(session, global, config, id);
    const queue::JobDetails& job = situation.job;
    const std::vector<Reason> reasons = why_not_running(situation);
    if (global.json) {
        std::vector<std::string> texts;
        for (const Reason& reason : reasons) {
            texts.push_back(JsonObject().add("reason", reason.code).add("text", reason.text).text());
        }
        JsonObject object;
        object.add("job", id).add("kind", job.kind).add("queue", job.queue).add("state", job.state);
        fmt::print("{}\n", object.add_json("reasons", json_array(texts)).text());
        co_return exit_ok;
    }
    const auto number = static_cast<std::int64_t>(id);
    const std::size_t width = table_width();
    const std::string head =
        fmt::format("job {}, {} in queue {}: {}", number, printable(job.kind), printable(job.queue), job.state);
    fmt::print("{}\n", hang_lines(head, 0, width));
    for (const Reason& reason : reasons) fmt::print("- {}\n", hang_lines(reason.text, 2, width));
    co_return exit_ok;
}

asio::awaitable<int> wait_for_job(
    db::Session& session, const Global& global, queue::JobId id, std::optional<std::chrono::milliseconds> timeout
) {
    const auto number = static_cast<std::int64_t>(id);
    const auto begin = std::chrono::steady_clock::now();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    std::string state;
    while (!has_ended(state)) {
        const auto job = co_await queue::read_job(session, id);
        if (!job && state.empty()) refuse_unknown_job(id);
        if (!job) throw Failure(exit_failed, fmt::format("job {} has ended, and its history is not kept", number));
        state = job->state;
        const bool late = timeout && std::chrono::steady_clock::now() - begin >= *timeout;
        if (late && !has_ended(state)) {
            throw Failure(exit_failed, fmt::format("job {} is {}: see task-worker job why {}", number, state, number));
        }
        if (has_ended(state)) break;
        timer.expires_after(200ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("job", number).add("state", state).text());
    } else if (!global.quiet) {
        fmt::print("job {} {}\n", number, state);
    }
    co_return state == "completed" ? exit_ok : exit_failed;
}

}  // namespace worker::cli
