#include "worker/cli/kinds.hpp"

#include "worker/cli/errors.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace worker::cli {

asio::awaitable<void> check_kinds(
    db::Session& session, std::vector<std::string> known, std::vector<std::string> kinds
) {
    const auto is_known = [&](const std::string& kind) { return std::ranges::find(known, kind) != known.end(); };
    if (std::ranges::all_of(kinds, is_known)) co_return;
    for (const queue::Worker& worker : co_await queue::read_workers(session)) {
        if (!worker.dead_at && !worker.stopped) known.insert(known.end(), worker.kinds.begin(), worker.kinds.end());
    }
    const auto unknown = std::ranges::find_if_not(kinds, is_known);
    if (unknown == kinds.end()) co_return;
    std::ranges::sort(known);
    known.erase(std::ranges::unique(known).begin(), known.end());
    const std::string likely = nearest(*unknown, known);
    throw Failure(
        exit_usage,
        "no configuration and no live worker knows the kind " + in_quotes(*unknown) + ": " +
            (likely.empty() ? "known are " + join(known) : "did you mean " + likely + "?") +
            " (--new-kind enqueues it all the same)"
    );
}

std::string why_unserved(std::string_view kind, std::string_view queue, std::span<const queue::Worker> workers) {
    const auto has = [](const std::vector<std::string>& names, std::string_view name) {
        return std::ranges::find(names, name) != names.end();
    };
    bool alive = false;
    bool known = false;
    bool served = false;
    for (const queue::Worker& worker : workers) {
        if (worker.dead_at) continue;
        const bool knows = has(worker.kinds, kind);
        const bool serves = worker.queues.empty() || has(worker.queues, queue);
        if (knows && serves) return {};
        alive = true;
        known = known || knows;
        served = served || serves;
    }
    const std::string name = printable(kind);
    const std::string of = printable(queue);
    if (!alive) return "no worker is running: start one with task-worker run";
    if (!known) return fmt::format("no live worker has a handler for `{}`: declare one in its config.yml", name);
    if (!served) return fmt::format("no live worker serves the queue `{}`: add it to the queues of one", of);
    return fmt::format("no live worker that serves the queue `{}` has a handler for `{}`: declare one there", of, name);
}

std::string why_paused(std::string_view of, std::string_view queue) {
    return fmt::format("{} is paused: task-worker queue resume {}", of, printable(queue));
}

asio::awaitable<Waits> read_waits(db::Session& session, queue::BatchId batch) {
    const std::vector<queue::WaitingKind> kinds = co_await queue::list_waiting_kinds(session, std::move(batch));
    const std::vector<queue::Worker> workers = co_await queue::read_workers(session);
    Waits waits;
    for (const queue::WaitingKind& one : kinds) {
        std::string reason = why_unserved(one.kind, one.queue, workers);
        if (reason.empty() && one.paused) reason = why_paused("the queue `" + printable(one.queue) + "`", one.queue);
        if (!reason.empty()) waits.unserved.push_back({one.kind, one.queue, std::move(reason)});
        if (one.due_at) waits.due_at = std::min(*one.due_at, waits.due_at.value_or(*one.due_at));
    }
    const auto is_due_later = [](const queue::WaitingKind& one) { return one.due_at.has_value(); };
    if (!std::ranges::all_of(kinds, is_due_later)) waits.due_at.reset();
    co_return waits;
}

std::vector<std::string> reasons_of(const std::vector<Unserved>& unserved) {
    std::vector<std::string> reasons;
    for (const Unserved& one : unserved) {
        if (std::ranges::find(reasons, one.reason) == reasons.end()) reasons.push_back(one.reason);
    }
    return reasons;
}

}  // namespace worker::cli
