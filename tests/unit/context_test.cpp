#include "jobs/context.hpp"

#include "db/connection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace jobs;
namespace asio = boost::asio;

TEST_CASE("a context tells its handler to stop, whoever comes first", "[jobs][context]") {
    JobContext early{Job{}};
    const std::stop_token token = early.stop_token();
    CHECK_FALSE(token.stop_requested());
    early.request_stop(StopReason::cancelled);
    early.request_stop(StopReason::timeout);  // the first reason stays
    CHECK(token.stop_requested());
    CHECK(early.stop_reason() == StopReason::cancelled);

    JobContext late{Job{}};
    late.request_stop(StopReason::timeout);
    CHECK(late.stop_token().stop_requested());
}

TEST_CASE("a renewed context knows nothing of the job before", "[jobs][context]") {
    const auto texts = std::make_shared<const std::string>("[1][2]");
    const std::string_view text = *texts;
    Job first;
    first.id = queue::JobId{128};
    first.kind = "k";
    first.args = Args(texts, text.substr(0, 3));
    JobContext context(std::move(first));
    CHECK(context.job().args.value() == boost::json::value(boost::json::array{1}));
    const std::stop_token before = context.stop_token();
    context.set_deadline(std::chrono::steady_clock::time_point{});
    context.request_stop(StopReason::timeout);

    context.renew(queue::JobId{129}, text.substr(3));
    CHECK(context.job().id == queue::JobId{129});
    CHECK(context.job().kind == "k");
    CHECK(context.job().args.value() == boost::json::value(boost::json::array{2}));
    CHECK(context.stop_reason() == StopReason::none);
    CHECK_FALSE(context.deadline());
    CHECK(before.stop_requested());
    CHECK_FALSE(context.stop_token().stop_requested());
    context.request_stop(StopReason::shutdown);
    CHECK(context.stop_token().stop_requested());
}

TEST_CASE("a context lends its handler a session and completes its job by its hooks", "[jobs][context]") {
    JobContext bare{Job{}};
    CHECK_THROWS_WITH(bare.checkout(), Catch::Contains("no database"));
    CHECK_THROWS_AS(
        tests::run([&] { return bare.with_session([](db::Session&) -> asio::awaitable<void> { co_return; }); }),
        std::logic_error
    );

    int lent = 0;
    std::string completed;
    std::string holder;
    ContextHooks hooks;
    hooks.checkout = [&](std::source_location where) -> asio::awaitable<db::Session> {
        ++lent;
        holder = where.file_name();
        co_return db::Session(nullptr);
    };
    hooks.complete_in = [&](const Job& job, db::Session&, std::optional<boost::json::value> result
                        ) -> asio::awaitable<void> {
        completed = job.kind + " " + boost::json::serialize(*result);
        co_return;
    };
    Job job;
    job.kind = "pay";
    JobContext context(std::move(job), std::move(hooks));
    const int answer = tests::run([&] {
        return context.with_session([&](db::Session& session) -> asio::awaitable<int> {
            co_await context.complete_in(session, 7);
            co_return 8;
        });
    });
    CHECK(answer == 8);
    CHECK(lent == 1);
    CHECK(completed == "pay 7");
    CHECK_THAT(holder, Catch::EndsWith("context_test.cpp"));
    db::Session session(nullptr);
    CHECK_THROWS_WITH(bare.complete_in(session), Catch::Contains("no worker"));
}
