// The worker as shipped with a kind that completes its jobs in its handlers' transactions, each of which leaves a row
// in public.witness (job_id, attempt, pid): how often a job's effects happened. The definition below takes the place of
// the one in jobs/builtin.cpp, which the linker then leaves out.

#include "db/transaction.hpp"
#include "jobs/builtin.hpp"
#include "jobs/examples/echo.hpp"
#include "jobs/typed.hpp"
#include "worker/cli/cli.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// libfaketime, which steps this worker's clock in the chaos test, takes the offset off every time that a timer is set
// to, whatever its clock, and is refused where that is below zero. So Asio's "at once" sets no timer, and the event
// loop sleeps until something else wakes it. A program's own function goes before a preloaded one.
extern "C" int timerfd_settime(int timer, int flags, const itimerspec* time, itimerspec* before) noexcept {
    return static_cast<int>(::syscall(SYS_timerfd_settime, timer, flags, time, before));
}

namespace {

const db::Statement bear_witness_sql{
    "bear_witness", "insert into public.witness (job_id, attempt, pid) values ($1::bigint, $2::integer, $3::integer)"
};

struct LedgerArgs {
    // complete, result; again and swallow: the first attempt is rolled back, and tells so or answers Complete; late:
    // throws after the commit; slow: takes its time in the transaction
    std::optional<std::string> how;
    // Files: the handler waits for them in its transaction, before and after complete_in. While it does, FILE.reached
    // is there.
    std::optional<std::string> before;
    std::optional<std::string> after;
};
BOOST_DESCRIBE_STRUCT(LedgerArgs, (), (how, before, after))

class RolledBack : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> wait_for_file(std::string file) {
    std::ofstream(file + ".reached") << getpid() << '\n';
    while (!std::filesystem::exists(file)) co_await pause(10ms);
}

asio::awaitable<jobs::Outcome> ledger(jobs::JobContext& context, LedgerArgs args) {
    const std::string how = args.how.value_or("complete");
    const bool fails = (how == "again" || how == "swallow") && context.job().attempt == 1;
    const auto body = [&](db::Session& inside) -> asio::awaitable<void> {
        co_await inside.execute(
            bear_witness_sql, context.job().id, std::int32_t{context.job().attempt}, std::int32_t{getpid()}
        );
        if (how == "slow") co_await pause(50ms);
        if (args.before) co_await wait_for_file(*args.before);
        std::optional<boost::json::value> result;
        if (how == "result") result = boost::json::value{{"attempt", context.job().attempt}};
        co_await context.complete_in(inside, std::move(result));
        if (how == "slow") co_await pause(50ms);
        if (args.after) co_await wait_for_file(*args.after);
        if (fails) throw RolledBack("asked to fail");
    };
    try {
        db::Session session = co_await context.checkout();
        co_await db::transact(session, body);
    } catch (const RolledBack&) {
        if (how != "swallow") throw;
    }
    if (how == "late") throw std::runtime_error("asked to fail after the commit");
    co_return jobs::Complete{};
}

asio::awaitable<jobs::Outcome> noop(jobs::JobContext&) {
    co_return jobs::Complete{};
}

struct DeafArgs {
    std::string file;
};
BOOST_DESCRIBE_STRUCT(DeafArgs, (), (file))

// Waits for the file whatever it is asked to; the next run of the job does not.
asio::awaitable<jobs::Outcome> deaf(jobs::JobContext&, DeafArgs args) {
    if (!std::filesystem::exists(args.file + ".reached")) co_await wait_for_file(args.file);
    co_return jobs::Complete{};
}

// Nobody waits for the end of this one, but the end of the process does.
asio::awaitable<jobs::Outcome> hang_at_exit(jobs::JobContext&) {
    struct Hanging {
        ~Hanging() {
            for (;;) ::pause();
        }
    };
    static const Hanging hanging;
    co_return jobs::Complete{};
}

}  // namespace

namespace jobs {

void add_builtin_kinds(Registry& registry) {
    const Backoff quick{.first = 10ms};
    registry.add(
        {.name = "ledger", .handler = typed_handler<LedgerArgs>(ledger), .policy = {.backoff = quick, .own_row = true}}
    );
    registry.add({.name = "undeclared", .handler = typed_handler<LedgerArgs>(ledger), .policy = {.backoff = quick}});
    registry.add({.name = "echo", .handler = typed_handler<examples::EchoArgs>(examples::echo), .policy = {}});
    registry.add({.name = "noop", .handler = noop, .policy = {}});
    registry.add({.name = "deaf", .handler = typed_handler<DeafArgs>(deaf), .policy = {}});
    registry.add({.name = "hang-at-exit", .handler = hang_at_exit, .policy = {}});
}

}  // namespace jobs

int main(int count, char** words) {
    return worker::cli::run(count, words);
}
