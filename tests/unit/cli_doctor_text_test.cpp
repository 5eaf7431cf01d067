// What the doctor says of what it found: when it is a problem, and what to do.

#include "tests/support/catch.hpp"
#include "worker/cli/doctor_text.hpp"

#include <string>
#include <vector>

using namespace worker::cli;
using namespace std::chrono_literals;

namespace {

// The one finding.
Finding only(const Findings& findings) {
    REQUIRE(findings.size() == 1);
    CHECK(findings.front().ok == findings.front().advice.empty());
    return findings.front();
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("judge_connections tells an overrun budget and a full server", "[worker][cli][doctor]") {
    db::Budget budget;
    budget.limit = 100;
    budget.total = 35;
    budget.workers = 1;
    CHECK(only(judge_connections(budget, 12, 100)).ok);
    CHECK(has(only(judge_connections(budget, 90, 100)).text, "90 of the server's 100"));
    budget.total = 121;
    CHECK(has(only(judge_connections(budget, 12, 100)).text, "121 connections, 21 too many"));
    CHECK(judge_connections(budget, 90, 100).size() == 2);
}

TEST_CASE("judge_horizon tells old transactions, prepared ones and slots, each with its end", "[worker][cli][doctor]") {
    CHECK(only(judge_horizon({}, 1min)).ok);
    db::HorizonHolder session{.what = "session", .name = "report", .pid = 7, .state = "active", .age = 59s};
    CHECK(only(judge_horizon({session}, 1min)).ok);
    session.age = 2h;
    CHECK(has(only(judge_horizon({session}, 1min)).text, "session report (pid 7, active) began 2 h ago"));
    CHECK(has(only(judge_horizon({session}, 1min)).advice, "pg_terminate_backend(7)"));
    const db::HorizonHolder prepared{.what = "prepared transaction", .name = "x", .pid = {}, .state = {}, .age = 1h};
    CHECK(has(only(judge_horizon({prepared}, 1min)).advice, "rollback prepared 'x'"));
    db::HorizonHolder slot{
        .what = "replication slot", .name = "s", .pid = {}, .state = {}, .age = {}, .transactions = 9
    };
    CHECK(only(judge_horizon({slot}, 1min)).ok);
    slot.transactions = 200'000;
    CHECK(has(only(judge_horizon({slot}, 1min)).advice, "pg_drop_replication_slot('s')"));
    CHECK(has(only(judge_horizon({slot}, 1min)).text, "keeps dead rows from"));
    slot.state = "catalogues";
    CHECK(has(only(judge_horizon({slot}, 1min)).text, "keeps dead rows of the catalogues from"));
}

TEST_CASE("judge_heads tells when a claim reads far to find a job", "[worker][cli][doctor]") {
    CHECK(only(judge_heads({.lanes = 10, .blocks = 200})).ok);
    CHECK_FALSE(only(judge_heads({.lanes = 10, .blocks = 201})).ok);
}

TEST_CASE("judge_clock allows a second and what the measurement may be off by", "[worker][cli][doctor]") {
    CHECK(only(judge_clock(1s, 0ms)).ok);
    CHECK(only(judge_clock(-1400ms, 500ms)).ok);
    CHECK(has(only(judge_clock(90s, 10ms)).text, "server's clock is 1 min 30 s ahead of"));
    CHECK(has(only(judge_clock(-90s, 10ms)).text, "1 min 30 s behind"));
}

TEST_CASE("judge_leases, judge_batches, judge_indexes and judge_schema say what to do", "[worker][cli][doctor]") {
    CHECK(only(judge_leases({})).ok);
    for (const char* trouble : {"unknown", "dead", "silent"}) {
        INFO(trouble);
        CHECK_FALSE(only(judge_leases({{.worker = queue::WorkerId{3}, .trouble = trouble, .place = "", .jobs = 2}})).ok
        );
    }
    CHECK(only(judge_batches({})).ok);
    for (const char* trouble : {"open", "gone", "lost"}) {
        INFO(trouble);
        CHECK_FALSE(only(judge_batches({{.id = "b", .name = "n", .trouble = trouble, .jobs = 2}})).ok);
    }
    CHECK(only(judge_indexes({{"table", "t", ""}})).ok);
    CHECK(
        has(only(judge_indexes({{"index", "ix_t_a", "create index ix_t_a on t (a)"}})).advice, "create index ix_t_a on")
    );
    CHECK(has(only(judge_indexes({{"index", "pk_t", ""}})).advice, "migrate sql"));
    CHECK(only(judge_schema({{"index", "i", ""}}, {})).ok);
    CHECK(has(only(judge_schema({{"function", "f", ""}}, {})).text, "the function task_queue.f is missing"));
    CHECK(has(only(judge_schema({{"body", "f", ""}}, {})).text, "the function task_queue.f has another body"));
    CHECK(has(only(judge_schema({{"trigger", "t", ""}}, {})).text, "the trigger task_queue.t is missing or disabled"));
    db::MigrationStatus migration{.version = 1, .name = "0001_a", .applied_at = db::TimePoint{}};
    CHECK(only(judge_schema({}, {migration})).ok);
    migration.changed = true;
    CHECK(has(only(judge_schema({}, {migration})).text, "another text"));
    migration.applied_at.reset();
    CHECK(has(only(judge_schema({}, {migration})).text, "pending"));
    migration.known = false;
    CHECK(has(only(judge_schema({}, {migration})).text, "newer task-worker"));
}
