#include "jobs/typed.hpp"

#include "jobs/builtin.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"
#include "tests/support/run.hpp"

#include <boost/json/parse.hpp>

#include <thread>

using namespace jobs;
using tests::outcome_text;

namespace typed_test {

struct Part {
    std::string name;
    std::optional<int> size;
};
BOOST_DESCRIBE_STRUCT(Part, (), (name, size))

struct Order {
    std::string to;
    std::uint8_t copies = 0;
    bool urgent = false;
    double weight = 0;
    std::optional<std::string> note;
    std::vector<Part> parts;
    std::map<std::string, int> counts;
    boost::json::value extra;
};
BOOST_DESCRIBE_STRUCT(Order, (), (to, copies, urgent, weight, note, parts, counts, extra))

}  // namespace typed_test

namespace {

using typed_test::Order;

Job a_job(std::string_view args) {
    Job job;
    job.args = boost::json::parse(boost::json::string_view(args.data(), args.size()));
    return job;
}

template <class T>
Problems problems_of(std::string_view args, T& target) {
    Problems problems;
    decode(a_job(args).args.value(), "", target, problems);
    return problems;
}

constexpr std::string_view good = R"({"to": "a@b", "copies": 255, "urgent": true, "weight": 2, "note": null,
    "parts": [{"name": "x", "size": 3}, {"name": "y"}], "counts": {"k": -1}, "extra": [1], "unknown": 5})";

std::string run_kind(std::string_view kind, JobContext& context) {
    Registry registry;
    add_builtin_kinds(registry);
    const Kind* found = registry.find(kind);
    REQUIRE(found);
    return outcome_text(tests::run([&] { return found->handler(context); }));
}

}  // namespace

TEST_CASE("decode fills every kind of member", "[jobs][typed]") {
    Order order;
    order.note = "old";
    CHECK(problems_of(good, order).empty());
    CHECK(order.to == "a@b");
    CHECK(order.copies == 255);
    CHECK(order.urgent);
    CHECK(order.weight == 2.0);
    CHECK(!order.note);
    REQUIRE(order.parts.size() == 2);
    CHECK(order.parts[0].size == 3);
    CHECK(order.parts[1].name == "y");
    CHECK(!order.parts[1].size);
    CHECK(order.counts == std::map<std::string, int>{{"k", -1}});
    CHECK(order.extra == boost::json::parse("[1]"));
}

TEST_CASE("decode names each problem with its JSON pointer", "[jobs][typed]") {
    Order order;
    CHECK(
        problems_of(
            R"({"to": 5, "copies": 256, "urgent": 1, "weight": "2", "note": [],
                "parts": [{"name": "x"}, {"size": 1.5}, 7], "counts": {"a/b~c": "1"}})",
            order
        ) ==
        Problems{
            "/to: expected a string, got 5",
            "/copies: expected a whole number from 0 to 255, got 256",
            "/urgent: expected true or false, got 1",
            "/weight: expected a number, got \"2\"",
            "/note: expected a string, got []",
            "/parts/1/name: is missing",
            "/parts/1/size: expected a whole number from -2147483648 to 2147483647, got 1.5E0",
            "/parts/2: expected an object, got 7",
            "/counts/a~1b~0c: expected a whole number from -2147483648 to 2147483647, got \"1\"",
            "/extra: is missing",
        }
    );
    CHECK(problems_of("[]", order) == Problems{"args: expected an object, got []"});
    CHECK(problems_of(R"({"to": ")" + std::string(100, 'a') + "\"}", order).size() == 6);
}

TEST_CASE("typed_handler runs its function, or discards with every problem", "[jobs][typed]") {
    const Handler handler = typed_handler<Order>([](JobContext&, Order order) -> boost::asio::awaitable<Outcome> {
        co_return Complete{boost::json::value(order.to)};
    });
    JobContext fits(a_job(good));
    CHECK(outcome_text(tests::run([&] { return handler(fits); })) == R"(complete "a@b")");
    JobContext misfit(
        a_job(R"({"to": 1, "copies": 1, "urgent": false, "weight": 1, "parts": {}, "counts": {}, "extra": 1})")
    );
    CHECK(outcome_text(tests::run([&] {
              return handler(misfit);
          })) == "discard: args do not fit: /to: expected a string, got 1; /parts: expected an array, got {}");
}

TEST_CASE("echo returns its args, fails as often as asked, and treats no args as none", "[jobs][echo]") {
    JobContext plain(a_job(R"({"a": [1, "x"], "sleep_ms": 1})"));
    CHECK(run_kind("echo", plain) == R"(complete {"a":[1,"x"],"sleep_ms":1})");
    JobContext none(a_job("null"));
    CHECK(run_kind("echo", none) == "complete null");
    Job job = a_job(R"({"fail_times": 2})");
    job.attempt = 2;
    JobContext failing(job);
    CHECK(run_kind("echo", failing) == "retry: attempt 2 fails, as its args ask");
    job.attempt = 3;
    JobContext third(job);
    CHECK(run_kind("echo", third) == R"(complete {"fail_times":2})");
    JobContext misfit(a_job(R"({"sleep_ms": -1})"));
    CHECK(
        run_kind("echo", misfit) ==
        "discard: args do not fit: /sleep_ms: expected a whole number from 0 to 4294967295, got -1"
    );
}

TEST_CASE("echo wakes up when it is told to stop", "[jobs][echo]") {
    JobContext before(a_job(R"({"sleep_ms": 3600000})"));
    before.request_stop(StopReason::cancelled);
    CHECK(run_kind("echo", before) == "cancel: cancelled while it slept");

    JobContext during(a_job(R"({"sleep_ms": 3600000})"));
    std::jthread stopper([&] { during.request_stop(StopReason::shutdown); });
    CHECK(run_kind("echo", during) == "retry: stopped while it slept");
}

TEST_CASE("noop completes", "[jobs][noop]") {
    JobContext context(a_job("{}"));
    CHECK(run_kind("noop", context) == "complete");
}
