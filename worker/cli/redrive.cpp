#include "worker/cli/redrive.hpp"

#include "db/transaction.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/terminal.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <utility>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

constexpr int letters_at_once = 1'000;  // of one statement

asio::awaitable<Redriven> redrive_pages(db::Session& session, LiveLine& live, queue::DeadFilter filter, bool dry_run) {
    filter.limit = letters_at_once;
    Redriven all;
    std::optional<queue::DeadPlace> place;
    for (;;) {
        const std::vector<queue::DeadPlace> page = co_await queue::find_dead_jobs(session, filter, place);
        if (page.empty()) co_return all;
        place = page.back();
        std::vector<queue::JobId> revived;
        if (!dry_run) {
            queue::DeadFilter these{.limit = letters_at_once};
            for (const queue::DeadPlace& letter : page) these.jobs.push_back(letter.job);
            revived = co_await queue::redrive_dead_jobs(session, std::move(these));
        }
        all.left += std::ssize(page) - std::ssize(revived);
        all.jobs.insert(all.jobs.end(), revived.begin(), revived.end());
        if (live.is_due()) live.draw("redriving  " + count_of(std::ssize(all.jobs), "job"));
    }
}

}  // namespace

asio::awaitable<Redriven> redrive_all(
    db::Session& session, const Global& global, queue::DeadFilter filter, bool dry_run
) {
    LiveLine live(stderr, progress_terminal(global));
    Redriven all = co_await db::transact(session, [&](db::Session& inside) {
        return redrive_pages(inside, live, filter, dry_run);
    });
    live.erase();
    co_return all;
}

std::string left_text(const Redriven& redriven) {
    if (redriven.left == 0) return {};
    return fmt::format("; {} left dead: a live job has the unique key, or the batch was cancelled", redriven.left);
}

JsonObject redriven_json(const Redriven& redriven, bool dry_run, JsonObject object) {
    std::vector<std::string> numbers;
    for (const queue::JobId job : redriven.jobs) numbers.push_back(std::to_string(static_cast<std::int64_t>(job)));
    object.add_json("redriven", json_array(numbers)).add("left", redriven.left).add("dry_run", dry_run);
    return object;
}

}  // namespace worker::cli
