#include "jobs/context.hpp"

#include "tests/support/catch.hpp"

#include <boost/json/value.hpp>

using namespace jobs;

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
