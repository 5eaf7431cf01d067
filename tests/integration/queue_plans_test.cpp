// Plans must not depend on luck: a worker starts on an idle queue, where its statements are prepared and planned for
// good, and then the queue fills.

#include "db/transaction.hpp"
#include "queue/complete.hpp"
#include "queue/depth.hpp"
#include "queue/handlers.hpp"
#include "queue/leader.hpp"
#include "queue/progress.hpp"
#include "queue/promote.hpp"
#include "queue/release.hpp"
#include "queue/rescue.hpp"
#include "queue/retention.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <regex>

using namespace queue;
using namespace std::chrono_literals;

namespace {

std::vector<LaneCursor> every_lane() {
    std::vector<LaneCursor> lanes;
    for (std::int16_t priority = 0; priority <= 9; ++priority) lanes.push_back({QueueId{1}, priority});
    return lanes;
}

ClaimRequest request_of(WorkerId worker, std::int64_t claim, int jobs) {
    ClaimRequest request;
    request.worker = worker;
    request.claim = ClaimNumber{claim};
    request.lanes = every_lane();
    request.jobs = jobs;
    request.rows = jobs;
    return request;
}

// The plan that the session has for a prepared statement, with what it did, for arguments given as SQL. Rolled back.
std::string plan(tests::QueueFixture& queue, const std::string& name, const std::string& arguments) {
    const std::string sql = fmt::format("explain (analyze, buffers, timing off) execute {}({})", name, arguments);
    const db::Statement explain_sql{"", sql.c_str()};
    db::begin(queue.session);
    tests::run(queue.context, [&] { return fix_plans(queue.session); });
    const db::Rows lines = tests::run(queue.context, [&] { return queue.session.execute(explain_sql); });
    tests::run(queue.context, [&] { return db::rollback(queue.session); });
    std::string text;
    for (const db::Row& line : lines) text += line.get<std::string>(0) + "\n";
    return text;
}

// An array of so many numbers as SQL: first, first + step, ...
std::string numbers(std::int64_t first, std::int64_t step, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += fmt::format("{}{}", i == 0 ? "" : ",", first + step * i);
    return "'{" + text + "}'";
}

// Pages that a plan touched at its top.
int pages(const std::string& plan) {
    std::smatch match;
    int sum = 0;
    if (std::regex_search(plan, match, std::regex(R"(Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?)"))) {
        for (std::size_t i = 1; i < match.size(); ++i) {
            if (match[i].matched) sum += std::stoi(match[i].str());
        }
    }
    return sum;
}

void check_plan(const std::string& name, const std::string& plan, int most_pages) {
    CAPTURE(name);
    INFO(plan);
    CHECK(plan.find("Seq Scan on bundles") == std::string::npos);
    CHECK(plan.find("Bitmap") == std::string::npos);
    CHECK(plan.find("JIT") == std::string::npos);
    CHECK(pages(plan) <= most_pages);
}

void check_claim(tests::QueueFixture& queue, const char* statement, const std::string& parameters, int most_pages) {
    const std::string text = plan(queue, statement, parameters);
    check_plan(statement, text, most_pages);
    CHECK(text.find("Index Scan using ix_bundles_queue_id_priority_id on bundles") != std::string::npos);
    CHECK(text.find("Tid Scan on bundles") != std::string::npos);
}

void run_every_statement(tests::QueueFixture& queue, WorkerId worker) {
    const std::vector<FinishedRow> finished{{.row = RowId{1280}, .claim = ClaimNumber{1}, .done = 1}};
    const std::vector<Unstarted> unstarted{{.row = RowId{1280}, .claim = ClaimNumber{1}, .jobs = 1}};
    const std::vector<TaskProgress> progress{{.job = JobId{1280}, .row = RowId{1280}, .claim = ClaimNumber{99}}};
    const std::vector<ClaimNumber> lost{ClaimNumber{99}};
    const std::vector<KindInQueue> kinds{{.kind = KindId{1}, .queue = QueueId{1}}};
    const std::vector<LaneCursor> lanes = every_lane();
    for (int time = 0; time < 7; ++time) {
        queue.call(claim_bundles(queue.session, request_of(worker, time, 10)));
        queue.call(claim_bundles(queue.session, request_of(worker, time, 2'000)));
        queue.call(claim_suspect(queue.session, request_of(worker, time, 1)));
        queue.call(is_suspect_waiting(queue.session, lanes));
        const Completion completion{.worker = worker, .row = RowId{1280}, .claim = ClaimNumber{1}};
        CHECK_THROWS(queue.call(complete_job(queue.session, completion)));
        queue.call(finish_jobs(queue.session, worker, finished));
        queue.call(finish_whole_rows(queue.session, worker, finished));
        queue.call(release_jobs(queue.session, worker, unstarted));
        queue.call(release_claims(queue.session, worker, lost));
        queue.call(record_task_progress(queue.session, worker, progress));
        tests::run(queue.context, [&] { return find_handlers(queue.session, kinds); });  // as the engine calls it
        queue.call(set_hungry(queue.session, worker, false));
        queue.call(record_heartbeat(queue.session, worker));
        queue.call(look(queue.session, {.worker = worker, .lease = 1h}));
        queue.call(rescue_jobs(queue.session, 10));
        queue.call(promote_jobs(queue.session, {}, 10));
        queue.call(read_depth(queue.session, lanes, 100));
        queue.call(prune_workers(queue.session, std::chrono::seconds(0), 10));
    }
}

}  // namespace

TEST_CASE(
    "hot statements keep their indexes when an idle queue fills with a million rows", "[queue][plans][slow][db]"
) {
    if (tests::skipped_without_direct("plans of prepared statements stay with a session")) return;
    const bool analyzed = GENERATE(true, false);
    INFO((analyzed ? "analyzed while empty" : "never analyzed"));
    tests::QueueFixture queue;
    queue.session = queue.database.direct_session(queue.context);
    const WorkerId worker = queue.add_worker();
    if (analyzed) queue.database.psql("vacuum analyze task_queue.bundles");
    run_every_statement(queue, worker);
    // The hot ones have been planned once, for all values.
    const db::Statement generic_sql{
        "",
        "select count(*) from pg_prepared_statements where generic_plans > 0 and name in ('claim_bundles', "
        "'claim_whole_bundles', 'claim_suspect', 'finish_jobs', 'finish_whole_rows', 'release_jobs', "
        "'release_claims', 'record_task_progress', 'set_hungry', 'record_heartbeat', 'promote_jobs')"
    };
    const db::Rows generic = tests::run(queue.context, [&] { return queue.session.execute(generic_sql); });
    CHECK(generic.front().get<int>(0) == 11);

    queue.add_rows({.rows = 850'000});  // a million in all
    queue.add_rows({.rows = 50'000, .jobs = 20});
    queue.add_rows({.rows = 50'000, .state = 0, .run_at = "now() + interval '1 h'"});
    queue.add_rows({.rows = 50'000, .jobs = 2, .priority = 9});
    queue.add_rows({.rows = 50'000, .jobs = 2, .priority = 9, .state = 4});
    // Running under other workers, living and dead.
    queue.database.psql(fmt::format(
        "insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues, dead_at) values "
        "(1001, 1, 1, 1, '', '', '{{}}', '{{}}', null), (1002, 1, 1, 1, '', '', '{{}}', '{{}}', now());"
        "update task_queue.bundles set state = 2, worker_id = case when id % 256 = 0 then 1001 else 1002 end, "
        "claim_number = 1 where priority = 9 and state = 1;"
        "update task_queue.bundles set state = 2, worker_id = {}, claim_number = 7 where id between 12800 and 140672",
        static_cast<long>(worker)
    ));
    const std::string me = std::to_string(static_cast<long>(worker));
    const std::string lanes = numbers(1, 0, 10) + ", " + numbers(0, 1, 10);
    const std::string all_ends = numbers(std::numeric_limits<std::int64_t>::max(), 0, 10);
    const std::string me_completes = "12800, " + me + ", 7, null, 0, 1000, true";

    const std::string begin = fmt::format("{}, 9, {}, {}, {}", me, lanes, numbers(0, 0, 10), all_ends);
    check_claim(queue, "claim_bundles", begin + ", 200, 200, '{}', false, '{}'", 12'000);
    check_claim(queue, "claim_whole_bundles", begin + ", 4000, 200, '{}', false", 12'000);
    // Bundles, the last of them cut.
    check_plan(
        "claim_bundles",
        plan(
            queue,
            "claim_bundles",
            fmt::format("{}, 9, '{{1}}', '{{4}}', '{{108800128}}', '{{120000000}}', 95, 20, '{{}}', false, '{{}}'", me)
        ),
        2'000
    );

    const std::string ids = numbers(12'800, 128, 1'000);
    const std::string claims = numbers(7, 0, 1'000);
    const std::string none = numbers(0, 0, 1'000);
    const std::string first = numbers(1, 0, 1'000);
    const std::string finish = plan(
        queue,
        "finish_jobs",
        fmt::format(
            "{}, {}, {}, {}, {}, {}, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', true, true",
            me,
            ids,
            claims,
            first,
            none,
            none
        )
    );
    check_plan("finish_jobs", finish, 30'000);
    CHECK(finish.find("Index Scan using pk_bundles on bundles") != std::string::npos);
    CHECK(finish.find("Rows Removed by Join Filter") == std::string::npos);
    const std::string whole =
        plan(queue, "finish_whole_rows", fmt::format("{}, {}, {}, {}, true", me, ids, claims, first));
    check_plan("finish_whole_rows", whole, 30'000);
    CHECK(whole.find("Index Scan using pk_bundles on bundles") != std::string::npos);
    check_plan(
        "finish_jobs",
        plan(
            queue,
            "finish_jobs",
            fmt::format(
                "{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, true, true",
                me,
                ids,
                claims,
                none,
                first,
                none,
                ids,
                claims,
                none,
                first,
                first,
                first
            )
        ),
        45'000
    );

    check_plan(
        "release_jobs",
        plan(queue, "release_jobs", fmt::format("{}, {}, {}, {}, {}", me, ids, claims, first, none)),
        30'000
    );
    check_plan("release_claims", plan(queue, "release_claims", me + ", '{7}'"), 30'000);
    const std::string progress = plan(
        queue, "record_task_progress", fmt::format("{}, {}, {}, {}, {}, {}, {}", me, ids, ids, claims, none, none, none)
    );
    check_plan("record_task_progress", progress, 20'000);
    CHECK(progress.find("Index Scan using pk_bundles on bundles") != std::string::npos);
    CHECK(progress.find("Rows Removed by Join Filter") == std::string::npos);
    check_plan("find_handlers", plan(queue, "find_handlers", "'{1}', '{1}'"), 20);
    check_plan("set_hungry", plan(queue, "set_hungry", me + ", true"), 20);
    check_plan("record_heartbeat", plan(queue, "record_heartbeat", me), 20);
    check_plan("look", plan(queue, "look", me + ", 3000, 0, 0, 0"), 100);
    check_plan("rescue_jobs", plan(queue, "rescue_jobs", "100"), 6'000);
    check_plan("promote_jobs", plan(queue, "promote_jobs", "0, 100"), 20);
    check_plan("claim_suspect", plan(queue, "claim_suspect", fmt::format("{}, 9, {}", me, lanes)), 100);
    check_plan("is_suspect_waiting", plan(queue, "is_suspect_waiting", lanes), 100);
    check_plan("complete_job", plan(queue, "complete_job", me_completes), 100);
    check_plan("prune_workers", plan(queue, "prune_workers", "0, 10"), 40);
    check_plan(
        "read_depth", plan(queue, "read_depth", fmt::format("{}, {}, 100, 100", lanes, numbers(0, 0, 10))), 2'500
    );
}

// One value fills the leading column of an index, and the planner knows it: the primary key's order must not tempt it.
TEST_CASE("hot statements keep their indexes when all rows are of one lane", "[queue][plans][db]") {
    if (tests::skipped_without_direct("plans of prepared statements stay with a session")) return;
    tests::QueueFixture queue;
    queue.session = queue.database.direct_session(queue.context);
    const WorkerId worker = queue.add_worker();
    queue.add_rows({.rows = 100'000});
    queue.database.psql("vacuum analyze task_queue.bundles");
    run_every_statement(queue, worker);
    const std::string me = std::to_string(static_cast<long>(worker));
    const std::string lanes = numbers(1, 0, 10) + ", " + numbers(0, 1, 10);
    const std::string all_ends = numbers(std::numeric_limits<std::int64_t>::max(), 0, 10);
    const std::string begin = fmt::format("{}, 99, {}, {}, {}", me, lanes, numbers(0, 0, 10), all_ends);
    check_claim(queue, "claim_bundles", begin + ", 20, 20, '{}', false, '{99}'", 600);
    check_claim(queue, "claim_whole_bundles", begin + ", 4000, 20, '{99}', false", 600);
    check_plan("read_depth", plan(queue, "read_depth", fmt::format("{}, {}, 100, 100", lanes, numbers(0, 0, 10))), 500);

    SECTION("a dead worker had them all") {
        queue.database.psql(fmt::format(
            "insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues, dead_at) "
            "values "
            "(1001, 1, 1, 1, '', '', '{{}}', '{{}}', now()), (1002, 1, 1, 1, '', '', '{{}}', '{{}}', now());"
            "update task_queue.bundles set state = 2, worker_id = 1002, claim_number = 1"
        ));
        queue.database.psql("vacuum analyze task_queue.bundles");
        check_plan("rescue_jobs", plan(queue, "rescue_jobs", "20"), 1'000);
    }
    SECTION("this worker runs them all, and they report") {
        queue.database.psql("update task_queue.bundles set state = 2, worker_id = " + me + ", claim_number = 7");
        queue.database.psql("vacuum analyze task_queue.bundles");
        const std::string ids = numbers(12'800, 128, 1'000);
        const std::string sevens = numbers(7, 0, 1'000);
        const std::string progress = plan(
            queue,
            "record_task_progress",
            fmt::format("{}, {}, {}, {}, {}, {}, {}", me, ids, ids, sevens, sevens, sevens, sevens)
        );
        check_plan("record_task_progress", progress, 8'000);
        CHECK(progress.find("Index Scan using pk_bundles on bundles") != std::string::npos);
        CHECK(progress.find("Rows Removed by Join Filter") == std::string::npos);
    }
    SECTION("they wait for their time") {
        queue.database.psql("update task_queue.bundles set state = 0, worker_id = null, run_at = now() + interval '1 h'"
        );
        queue.database.psql("vacuum analyze task_queue.bundles");
        check_plan("promote_jobs", plan(queue, "promote_jobs", "0, 100"), 40);
    }
}
