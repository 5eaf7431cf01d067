#include "worker/outcomes.hpp"

#include "tests/support/catch.hpp"
#include "worker/verdict.hpp"

using namespace worker;
using queue::ClaimNumber;
using queue::RowId;

namespace {
const Outcomes::Time now{std::chrono::hours(1)};
}

TEST_CASE("Outcomes collects a row's jobs into one entry", "[worker][outcomes]") {
    Outcomes outcomes;
    CHECK(outcomes.empty());
    outcomes.complete(RowId{128}, ClaimNumber{1}, 0, false, false, now);
    outcomes.complete(RowId{128}, ClaimNumber{1}, 2, true, false, now);
    outcomes.leave(RowId{128}, ClaimNumber{1}, {1, queue::Leave::retry, "no"}, false, now);
    outcomes.complete(RowId{256}, ClaimNumber{1}, 0, false, false, now);
    CHECK(outcomes.jobs() == 4);
    CHECK(outcomes.since() == now);
    std::vector<queue::FinishedRow> rows = outcomes.take();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].done == 0b101);
    CHECK(rows[0].reported == 0b100);
    CHECK(rows[0].leavers.size() == 1);
    CHECK(outcomes.empty());
    CHECK_FALSE(outcomes.since());
    outcomes.complete(RowId{256}, ClaimNumber{1}, 1, false, false, now);
    outcomes.put_back(std::move(rows), now);
    CHECK(outcomes.jobs() == 5);
    rows = outcomes.take();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].done == 0b11);
}

TEST_CASE("Outcomes lets rows in parts wait for the rest of them", "[worker][outcomes]") {
    using namespace std::chrono_literals;
    Outcomes outcomes;
    outcomes.complete(RowId{128}, ClaimNumber{1}, 0, false, false, now);
    outcomes.complete(RowId{256}, ClaimNumber{1}, 0, false, false, now + 2ms);
    outcomes.complete(RowId{256}, ClaimNumber{1}, 1, false, true, now + 3ms);
    outcomes.leave(RowId{384}, ClaimNumber{1}, {1, queue::Leave::retry, "no"}, false, now + 4ms);
    CHECK(outcomes.jobs() == 4);
    CHECK(outcomes.whole_jobs() == 2);
    const std::vector<queue::FinishedRow> whole = outcomes.take(now - 1ms);
    REQUIRE(whole.size() == 1);
    CHECK(whole[0].row == RowId{256});
    CHECK(outcomes.jobs() == 2);
    CHECK(outcomes.whole_jobs() == 0);
    CHECK(outcomes.since() == now);
    outcomes.complete(RowId{128}, ClaimNumber{1}, 1, false, false, now + 5ms);  // joins what waited
    const std::vector<queue::FinishedRow> aged = outcomes.take(now);
    REQUIRE(aged.size() == 1);
    CHECK(aged[0].done == 0b11);
    CHECK(outcomes.since() == now + 4ms);
    outcomes.put_back(whole, now + 6ms);
    CHECK(outcomes.whole_jobs() == 2);
    CHECK(outcomes.take().size() == 2);
    CHECK(outcomes.empty());
}

TEST_CASE("Outcomes keeps two claims of one row apart", "[worker][outcomes]") {
    Outcomes outcomes;
    outcomes.complete(RowId{128}, ClaimNumber{1}, 0, false, false, now);
    outcomes.complete(RowId{128}, ClaimNumber{2}, 1, false, false, now);
    outcomes.complete(RowId{128}, ClaimNumber{2}, 2, false, false, now);
    const auto rows = outcomes.take();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].done == 0b001);
    CHECK(rows[1].done == 0b110);
}

TEST_CASE("verdict turns a handler's outcome into how the job leaves its row", "[worker][verdict]") {
    using queue::Leave;
    jobs::KindPolicy policy;
    VerdictLimits limits;
    limits.result = 20;
    Attempt attempt{3, 1, 2, jobs::StopReason::none};
    const auto judge = [&](jobs::Outcome outcome) { return verdict(std::move(outcome), attempt, policy, limits, 0.5); };

    CHECK_FALSE(judge(jobs::Complete{}));
    const auto result = judge(jobs::Complete{boost::json::value{{"a", 1}}});
    CHECK(result->as == Leave::complete_with_result);
    CHECK(result->payload == R"({"a":1})");
    CHECK(result->n == 3);
    CHECK(judge(jobs::Complete{boost::json::value(std::string(30, 'x'))})->as == Leave::discard);
    CHECK(judge(jobs::Retry{"no", {}})->after == std::chrono::seconds(1));
    CHECK(judge(jobs::Retry{"no", std::chrono::seconds(9)})->after == std::chrono::seconds(9));
    CHECK(judge(jobs::Snooze{std::chrono::seconds(5), ""})->as == Leave::snooze);
    CHECK(judge(jobs::Discard{"never"})->payload == "never");
    CHECK(judge(jobs::Cancel{"asked"})->as == Leave::cancel);

    attempt.attempt = 2;  // the last that is allowed
    CHECK(judge(jobs::Retry{"no", {}})->as == Leave::discard);
    policy.max_attempts = 5;  // the kind's own number wins
    CHECK(judge(jobs::Retry{"no", {}})->as == Leave::retry);

    attempt.stopped = jobs::StopReason::cancelled;
    CHECK(judge(jobs::Retry{"stopped", {}})->as == Leave::cancel);
    CHECK(judge(jobs::Snooze{})->as == Leave::cancel);
    CHECK_FALSE(judge(jobs::Complete{}));
}

TEST_CASE("clean_text makes any bytes a text that PostgreSQL takes", "[worker][verdict]") {
    CHECK(clean_text("plain", 100) == "plain");
    CHECK(
        clean_text(std::string("a\0b", 3), 100) ==
        "a\xEF\xBF\xBD"
        "b"
    );
    CHECK(clean_text("\xC3", 100) == "\xEF\xBF\xBD");
    const std::string cut = clean_text("beginning" + std::string(1'000, '.') + "end", 50);
    CHECK(cut.size() <= 50);
    CHECK(cut.starts_with("beginning"));
    CHECK(cut.ends_with("end"));
}

TEST_CASE("Outcomes keeps the word that a row is whole", "[worker][outcomes]") {
    Outcomes outcomes;
    outcomes.complete(RowId{128}, ClaimNumber{1}, 0, false, false, now);
    outcomes.complete(RowId{128}, ClaimNumber{1}, 1, false, true, now);
    outcomes.complete(RowId{256}, ClaimNumber{1}, 0, false, false, now);
    std::vector<queue::FinishedRow> rows = outcomes.take();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].whole);
    CHECK(rows[0].done == 3);
    CHECK_FALSE(rows[1].whole);
    outcomes.put_back(std::move(rows), now);
    rows = outcomes.take();
    CHECK(rows[0].whole);
    CHECK_FALSE(rows[1].whole);
}
