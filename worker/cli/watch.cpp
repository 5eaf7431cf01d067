#include "worker/cli/watch.hpp"

#include "db/connection.hpp"
#include "db/error.hpp"
#include "worker/cli/batch_text.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/kinds.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/config_value.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker::cli {

namespace {

// What makes one state of a batch differ from the one before, for --json.
auto changes_of(const queue::BatchStatus& batch) {
    return std::tuple(
        batch.state, batch.round, batch.total, batch.completed, batch.discarded, batch.cancelled, batch.running
    );
}

// Shows one batch again and again, in the form that suits the output.
class Display {
public:
    explicit Display(const Global& global)
        : global_(global), terminal_(inspect_terminal(STDOUT_FILENO, global.no_color)), live_(stdout, terminal_) {}

    void show(const queue::BatchStatus& batch) {
        const bool finished = batch.finished_at.has_value();
        if (global_.json) {
            show_json(batch, finished);
        } else if (global_.quiet) {
            return;
        } else if (terminal_.is_terminal) {
            if (finished || live_.is_due()) live_.draw(batch_line(batch, terminal_.columns, terminal_.colours));
        } else {
            show_plain(batch, finished);
        }
        last_ = batch;
    }

    // A line on standard error; the live one is drawn anew below it.
    void say(const std::string& text) {
        live_.erase();
        complain(text);
    }

private:
    void show_json(const queue::BatchStatus& batch, bool finished) {
        if (last_ && !finished && changes_of(*last_) == changes_of(batch)) return;
        fmt::print("{}\n", batch_json(batch).add("final", finished).text());
        std::fflush(stdout);
    }

    void show_plain(const queue::BatchStatus& batch, bool finished) {
        const auto now = std::chrono::steady_clock::now();
        const int tenth = static_cast<int>(batch.percent / 10);
        if (!finished && tenth == tenth_ && now - shown_at_ < 5s) return;
        fmt::print("{}\n", batch_line(batch, terminal_.columns));
        std::fflush(stdout);
        tenth_ = tenth;
        shown_at_ = now;
    }

    const Global& global_;
    const Terminal terminal_;
    LiveLine live_;
    std::optional<queue::BatchStatus> last_;
    int tenth_ = -1;
    std::chrono::steady_clock::time_point shown_at_{};
};

// What keeps a batch from going on, each reason once however often one looks.
class Obstacles {
public:
    asio::awaitable<std::vector<std::string>> look(db::Session& session, queue::BatchStatus batch) {
        std::vector<std::string> news;
        const auto now = std::chrono::steady_clock::now();
        if (batch.finished_at || batch.waiting == 0 || now < next_look_) co_return news;
        next_look_ = now + 5s;
        const Waits waits = co_await read_waits(session, batch.id);
        for (std::string& reason : reasons_of(waits.unserved)) {
            if (said_.insert(reason).second) news.push_back(std::move(reason));
        }
        co_return news;
    }

private:
    std::set<std::string> said_;
    std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace

asio::awaitable<queue::BatchStatus> find_batch(db::Session& session, std::string name_or_id) {
    if (is_uuid(name_or_id)) {
        auto batch = co_await queue::read_batch_status(session, name_or_id);
        if (batch) co_return std::move(*batch);
    }
    auto named = co_await queue::list_batches(session, {.state = {}, .name = name_or_id, .limit = 1});
    if (!named.empty()) co_return std::move(named.front());
    std::vector<std::string> known;
    for (const queue::BatchStatus& batch : co_await queue::list_batches(session)) known.push_back(batch.name);
    const std::string likely = nearest(name_or_id, known);
    throw Failure(
        exit_failed,
        "there is no batch " + in_quotes(name_or_id) + ": " +
            (likely.empty() ? "see task-worker batch list" : "did you mean " + likely + "?")
    );
}

asio::awaitable<int> watch_batch(db::Session& session, const Global& global, queue::BatchId batch) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    asio::signal_set signals(executor, SIGINT);
    bool interrupted = false;
    signals.async_wait([&](boost::system::error_code error, int) {
        if (error) return;  // the watch has ended, and with it what is captured
        interrupted = true;
        timer.cancel();
        session.connection().interrupt();
    });
    queue::BatchStatus status;
    RateMeter rate;
    {
        Display display(global);
        Obstacles obstacles;
        for (;;) {
            std::optional<queue::BatchStatus> read;
            std::vector<std::string> news;
            try {
                read = co_await queue::read_batch_status(session, batch);
                if (read) news = co_await obstacles.look(session, *read);
            } catch (const db::Error&) {
                if (!interrupted) throw;
            }
            if (interrupted) throw Interrupted();
            if (!read) throw Failure(exit_failed, "the batch " + batch + " is gone: its history was dropped");
            for (const std::string& reason : news) display.say("waiting: " + reason);
            status = std::move(*read);
            rate.measure(status, std::chrono::steady_clock::now());
            display.show(status);
            if (status.finished_at) break;
            timer.expires_after(200ms);
            boost::system::error_code ignored;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }
    if (failed_jobs(status) == 0) co_return exit_ok;
    complain(fmt::format(
        "{} of {} failed: see task-worker batch show {}", failed_jobs(status), count_of(status.total, "job"), status.id
    ));
    co_return exit_failed;
}

int follow_batch(const Config& config, const Global& global, const queue::BatchId& batch) {
    constexpr auto patience = 60s;
    constexpr auto pause = 200ms;  // between two attempts: nothing tells when a server is back
    std::optional<std::chrono::steady_clock::time_point> lost_at;
    for (;;) {
        try {
            return with_session(config, {}, [&](db::Session& session) {
                if (std::exchange(lost_at, std::nullopt)) complain("the database is back");
                return watch_batch(session, global, batch);
            });
        } catch (const Interrupted&) {
            complain("interrupted; the batch goes on: watch it again with task-worker batch watch " + batch);
            throw;
        } catch (const db::Error& error) {
            const auto now = std::chrono::steady_clock::now();
            if (!error.is_connection_lost() && !error.is_unavailable()) throw;
            if (lost_at && now - *lost_at > patience) throw;
            if (!lost_at) complain("the database went away; the batch is watched again when it is back");
            if (!lost_at) lost_at = now;
        }
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace worker::cli
