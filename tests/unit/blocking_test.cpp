#include "jobs/blocking.hpp"

#include "jobs/testing.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"
#include "tests/support/process_facts.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <set>
#include <thread>

using namespace jobs;
using tests::outcome_text;

namespace blocking_test {
struct Size {
    int n = 0;
};
BOOST_DESCRIBE_STRUCT(Size, (), (n))
}  // namespace blocking_test

namespace {

using blocking_test::Size;

// Many calls at once, on one event loop; the outcomes in words. `on_all` is called once all have begun.
std::multiset<std::string> call(
    const Handler& handler, const std::vector<JobContext*>& contexts, const std::function<void()>& on_all = [] {}
) {
    std::multiset<std::string> outcomes;
    boost::asio::io_context loop;
    for (JobContext* context : contexts) {
        boost::asio::co_spawn(
            loop,
            [&handler, context] { return handler(*context); },
            [&](std::exception_ptr error, const Outcome& outcome) {
                outcomes.insert(error ? "threw" : outcome_text(outcome));
            }
        );
    }
    boost::asio::post(loop, on_all);
    loop.run_for(std::chrono::seconds(20));
    return outcomes;
}

}  // namespace

TEST_CASE("blocking_handler decodes args and runs its function on another thread", "[jobs][blocking]") {
    BlockingThreads threads(2);
    std::thread::id ran_on;
    const Handler handler = blocking_handler<Size>(threads, [&](JobContext& context, Size size) -> Outcome {
        ran_on = std::this_thread::get_id();
        context.progress(1, size.n);
        return Complete{size.n};
    });
    TestContext test({{"n", 7}});
    CHECK(outcome_text(test.run(handler)) == "complete 7");
    CHECK(ran_on != std::this_thread::get_id());
    REQUIRE(test.progress.size() == 1);
    CHECK(test.progress[0].total == 7);
    CHECK(
        outcome_text(TestContext(boost::json::object{{"n", "x"}}).run(handler)) ==
        "discard: args do not fit: /n: expected a whole number from -2147483648 to 2147483647, got \"x\""
    );
}

TEST_CASE("blocking_handler hands an exception on", "[jobs][blocking]") {
    BlockingThreads threads(1);
    const Handler handler =
        blocking_handler<Size>(threads, [](JobContext&, Size) -> Outcome { throw std::runtime_error("boom"); });
    TestContext test({{"n", 1}});
    CHECK_THROWS_WITH(test.run(handler), "boom");
}

TEST_CASE("BlockingThreads runs so many at once and no more", "[jobs][blocking]") {
    BlockingThreads threads(3);
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    std::atomic<bool> all_have_come = false;
    const Handler handler = blocking_handler<Size>(threads, [&](JobContext&, Size) -> Outcome {
        const int now = ++running;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        while (most < 3 || !all_have_come) std::this_thread::yield();
        --running;
        return Complete{};
    });
    std::vector<std::unique_ptr<TestContext>> all;
    std::vector<JobContext*> contexts;
    for (int n = 0; n < 50; ++n) {
        all.push_back(std::make_unique<TestContext>(boost::json::object{{"n", n}}));
        contexts.push_back(&all.back()->context());
    }
    const std::size_t before = tests::threads_of(::getpid());
    std::size_t during = 0;
    const auto on_all = [&] {
        during = tests::threads_of(::getpid());
        all_have_come = true;
    };
    CHECK(call(handler, contexts, on_all).count("complete") == 50);
    CHECK(most == 3);
    CHECK(during == before + 3);
}

TEST_CASE("a job that is stopped while it waits for a thread does not start", "[jobs][blocking]") {
    BlockingThreads threads(1);
    TestContext first({{"n", 1}});
    TestContext second({{"n", 2}});
    TestContext third({{"n", 3}});
    third.stop(StopReason::timeout);  // before it comes
    std::vector<int> ran;
    const Handler handler = blocking_handler<Size>(threads, [&](JobContext&, Size size) -> Outcome {
        ran.push_back(size.n);
        second.stop(StopReason::cancelled);  // it stands in line behind this one
        return Complete{};
    });
    const auto outcomes = call(handler, {&first.context(), &second.context(), &third.context()});
    CHECK(
        outcomes ==
        std::multiset<std::string>{"cancel: cancelled while it ran", "complete", "retry: timed out after 0 s"}
    );
    CHECK(ran == std::vector<int>{1});
}

TEST_CASE("a blocking handler sees that it is to stop", "[jobs][blocking]") {
    BlockingThreads threads(1);
    TestContext test({{"n", 1}});
    test.on_progress = [&](const Progress&) { test.stop(StopReason::cancelled); };
    const Handler handler = blocking_handler<Size>(threads, [](JobContext& context, Size) -> Outcome {
        context.progress(1, 2);
        while (context.stop_reason() == StopReason::none) std::this_thread::yield();
        return Cancel{"stopped by itself"};
    });
    CHECK(outcome_text(test.run(handler)) == "cancel: stopped by itself");
}
