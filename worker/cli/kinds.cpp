#include "worker/cli/kinds.hpp"

#include "queue/workers.hpp"
#include "worker/cli/errors.hpp"
#include "worker/config_value.hpp"
#include "worker/registry.hpp"

#include <algorithm>

namespace asio = boost::asio;

namespace worker::cli {

asio::awaitable<void> check_kinds(db::Session& session, const Config& config, std::vector<std::string> kinds) {
    std::vector<std::string> known = make_registry(config).names();
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

}  // namespace worker::cli
