// Jobs that complete in their handlers' transactions: their effects happen once, whatever happens to the worker, the
// connection or the job meanwhile.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/process_facts.hpp"

#include <fmt/format.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct Ledger : WorkerProcess {
    explicit Ledger(const LedgerBed& bed, const Process::Environment& more = {}, const std::string& url = "")
        : WorkerProcess(
              url.empty() ? bed.database().url() : url, LedgerBed::environment(more), {}, ledger_worker_path()
          ) {}
};

std::string waits(const LedgerBed& bed, const char* where, const char* file) {
    return fmt::format(R"({{"{}": "{}"}})", where, bed.file(file));
}

const std::string ended = "select count(*) from task_queue.jobs where state in ('completed', 'cancelled', 'discarded')";

}  // namespace

TEST_CASE("witnesses can be added, and not changed or taken back", "[scenario][complete_in]") {
    const LedgerBed bed;
    bed.sql("insert into public.witness values (128, 1, 1)");
    const std::string change = GENERATE(
        "update public.witness set job_id = 192",
        "update public.witness set job_id = 192 where false",
        "delete from public.witness",
        "truncate public.witness",
        "insert into public.witness values (128, 1, 1); delete from public.witness"
    );
    CAPTURE(change);
    CHECK_THROWS_WITH(bed.sql(change), Contains("witnesses are only added"));
    CHECK(bed.value("select format('%s %s', count(*), min(job_id)) from public.witness") == "1 128");
}

TEST_CASE("jobs complete in their handlers' transactions, however they were enqueued", "[scenario][complete_in]") {
    const LedgerBed bed;
    const std::string batch = "'11111111-1111-1111-1111-111111111111'";
    bed.sql("select task_queue.create_batch(id => " + batch + ", on_success => 'noop')");
    const auto enqueue = [&](const std::string& rest) {
        bed.sql(
            "select count(*) from task_queue.enqueue_many('ledger', (select array_agg(json_build_object('how', "
            "(array['complete', 'result', 'again', 'swallow', 'late'])[n % 5 + 1])) from generate_series(1, 100) n)" +
            rest + ")"
        );
    };
    enqueue(", bundle => 30");  // no worker has said yet that they need rows of their own
    const Ledger worker(bed);
    enqueue(", bundle => 30, batch_id => " + batch);
    enqueue("");
    bed.sql("select task_queue.seal_batch(" + batch + ")");
    bed.await(ended, "301");  // with the callback
    CHECK(bed.trouble() == "");
    CHECK(bed.value("select count(*) from public.witness") == "300");
    CHECK(bed.value("select count(*) from task_queue.jobs where kind = 'ledger' and attempt = 2") == "120");
    CHECK(
        bed.value("select string_agg(distinct result::text, ',') from task_queue.finished_bundles") ==
        R"({"attempt":1})"
    );
    CHECK(bed.value("select count(*) from task_queue.finished_bundles where result is not null") == "60");
    CHECK(bed.value("select total || ' ' || completed from task_queue.batches") == "100 100");
    CHECK(
        bed.value("select string_agg(distinct errors -> 0 ->> 'error', '; ' order by errors -> 0 ->> 'error') "
                  "from task_queue.finished_bundles where errors is not null"
        ) == "asked to fail; the transaction in which the handler completed the job did not commit"
    );
    CHECK_THAT(worker.output(), !Contains("\"level\":\"error"));
}

TEST_CASE("complete_in of a kind that did not declare own_row says so", "[scenario][complete_in]") {
    const LedgerBed bed;
    const std::string job = bed.enqueue("{}", ", max_attempts => 1", "undeclared");
    const Ledger worker(bed);
    bed.await_state(job, "discarded");
    CHECK_THAT(bed.value("select error from task_queue.dead_jobs"), Contains("kind undeclared must declare own_row"));
    CHECK(bed.value("select count(*) from public.witness") == "0");
}

TEST_CASE("a result over the limit is a discard, and its transaction is rolled back", "[scenario][complete_in]") {
    const LedgerBed bed;
    const std::string job = bed.enqueue(R"({"how": "result"})");
    const Ledger worker(bed, {{"TASK_WORKER_LIMITS_RESULT", "10"}});
    bed.await_state(job, "discarded");
    CHECK_THAT(bed.value("select error from task_queue.dead_jobs"), Contains("limits.result is 10"));
    CHECK(bed.trouble() == "");
}

TEST_CASE("a worker killed in a handler's transaction leaves nothing of it", "[scenario][complete_in]") {
    const LedgerBed bed;
    const char* const where = GENERATE("before", "after");
    const std::string job = bed.enqueue(waits(bed, where, "go"));
    {
        Ledger first(bed);
        bed.await_reached("go");
        first.signal(SIGKILL);
        first.wait_exit();
    }
    bed.create("go");
    const Ledger second(bed);
    bed.await_state(job, "completed");
    CHECK(bed.trouble() == "");
    CHECK(bed.value("select pid from public.witness") == std::to_string(second.pid()));
    CHECK(bed.value("select attempt from task_queue.job(" + job + ")") == "1");
}

TEST_CASE(
    "a worker that was paused in a handler's transaction changes nothing when it wakes up", "[scenario][complete_in]"
) {
    const LedgerBed bed;
    const char* const where = GENERATE("before", "after");
    const std::string job = bed.enqueue(waits(bed, where, "go"));
    Ledger first(bed);
    bed.await_reached("go");
    first.signal(SIGSTOP);
    await_stopped(first.pid());  // before the file is there
    bed.create("go");
    const Ledger second(bed);
    bed.await_state(job, "completed");
    CHECK(bed.value("select pid from public.witness") == std::to_string(second.pid()));
    first.signal(SIGCONT);
    first.wait_for_line("going on as a new worker");
    const std::string next = bed.enqueue("{}");
    bed.await_state(next, "completed");
    CHECK(bed.trouble() == "");
    first.signal(SIGTERM);
    CHECK(first.wait_exit() == 0);
    CHECK(bed.trouble() == "");
}

TEST_CASE("a cancel waits for the handler's transaction and answers by how it ended", "[scenario][complete_in]") {
    const LedgerBed bed;
    const bool commits = GENERATE(true, false);
    const std::string job =
        bed.enqueue(fmt::format(R"({{"how": "{}", "after": "{}"}})", commits ? "complete" : "again", bed.file("go")));
    const Ledger worker(bed);
    bed.await_reached("go");
    auto answer = std::async(std::launch::async, [&] { return bed.value("select task_queue.cancel(" + job + ")"); });
    await_blocked(bed.database());
    bed.create("go");
    // After a rollback the cancel and the outcome "retry" go for the free row at once; whoever is first, no other run
    // follows.
    CHECK_THAT(answer.get(), Catch::Matches(commits ? "finished" : "stopping|cancelled"));
    bed.await_state(job, commits ? "completed" : "cancelled");
    CHECK(bed.value("select attempt from task_queue.job(" + job + ")") == "1");
    CHECK(bed.trouble() == "");
}

TEST_CASE("while a handler keeps its transaction open, the others' outcomes are written", "[scenario][complete_in]") {
    const LedgerBed bed;
    const std::string job = bed.enqueue(waits(bed, "after", "go"));
    const Ledger worker(bed);
    bed.await_reached("go");
    bed.sql("select count(*) from task_queue.enqueue_many('noop', array_fill('{}'::json, array[500]))");
    bed.await(ended, "500");
    bed.create("go");
    bed.await_state(job, "completed");
    CHECK(bed.trouble() == "");
}

TEST_CASE("a commit whose answer is lost counts as what it was", "[scenario][complete_in]") {
    const LedgerBed bed;
    FaultProxy proxy(server_socket());
    // The commit takes its time on the server, which goes on when its client is gone.
    bed.sql(
        "create function public.take_time() returns trigger language plpgsql as $$ begin perform "
        "pg_advisory_xact_lock(1); return null; "
        "end $$; create constraint trigger take_time after insert on public.witness deferrable initially deferred "
        "for each row execute function public.take_time()"
    );
    OpenTransaction hold(bed.database());
    hold.execute("select pg_advisory_xact_lock(1)");
    const std::string job = bed.enqueue("{}");
    Ledger worker(bed, {{"DB_STATEMENT_TIMEOUT", "20s"}}, proxy.url(bed.database().name()));
    bed.await(
        "select count(*) from pg_stat_activity where datname = current_database() and query = 'commit' "
        "and wait_event = 'advisory'",
        "1"
    );
    proxy.cut();
    // The others' outcomes do not wait for what nobody knows.
    bed.sql("select count(*) from task_queue.enqueue_many('noop', array_fill('{}'::json, array[100]))");
    bed.await(ended, "100");
    hold.rollback();
    bed.await_state(job, "completed");
    CHECK(bed.trouble() == "");
    // Nor does the outcome that the worker writes, not knowing: it waits for the row and finds it gone.
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    CHECK(bed.trouble() == "");
    CHECK(bed.value("select count(*) from task_queue.bundles") == "0");
    CHECK(bed.value("select attempt from task_queue.job(" + job + ")") == "1");
}

TEST_CASE(
    "a transaction whose client vanished without a word is rolled back, and its job runs again",
    "[scenario][complete_in]"
) {
    const LedgerBed bed;
    FaultProxy proxy(server_socket());
    const std::string job = bed.enqueue(waits(bed, "after", "go"));
    Ledger worker(bed, {}, proxy.url(bed.database().name()));
    bed.await_reached("go");
    proxy.half_open();
    bed.create("go");  // its commit never arrives
    bed.sql("select count(*) from task_queue.enqueue_many('noop', array_fill('{}'::json, array[100]))");
    bed.await(ended, "101");
    CHECK(bed.trouble() == "");
    CHECK(bed.value("select state from task_queue.job(" + job + ")") == "completed");
}

TEST_CASE("a stopping worker does not wait for the row of an open transaction", "[scenario][complete_in]") {
    const LedgerBed bed;
    const std::string job = bed.enqueue(waits(bed, "after", "go"));
    std::optional<Ledger> worker;
    worker.emplace(
        bed, Process::Environment{{"TASK_WORKER_SHUTDOWN_SOFT", "100ms"}, {"TASK_WORKER_SHUTDOWN_HARD", "100ms"}}
    );
    bed.await_reached("go");
    bed.enqueue(waits(bed, "before", "never"));
    bed.await_reached("never");
    worker->signal(SIGTERM);
    CHECK(worker->wait_exit() == 0);
    CHECK_THAT(worker->output(), !Contains("could not be written"));
    // The other was handed back; this one is, by who finds the worker gone.
    CHECK(bed.value("select attempt from task_queue.bundles where state = 1") == "0");
    bed.create("go");
    bed.create("never");
    const Ledger second(bed);
    bed.await(ended, "2");
    CHECK(bed.trouble() == "");
    CHECK(bed.value("select max(attempt) from task_queue.finished_bundles") == "1");
}

TEST_CASE("a transaction that commits while its worker stops has completed its job", "[scenario][complete_in]") {
    const LedgerBed bed;
    const std::string job = bed.enqueue(waits(bed, "after", "go"));
    Ledger worker(bed);
    bed.await_reached("go");
    worker.signal(SIGTERM);
    worker.wait_for_line("signal: stopping");
    bed.create("go");
    CHECK(worker.wait_exit() == 0);
    CHECK(bed.value("select state || ' ' || attempt from task_queue.job(" + job + ")") == "completed 1");
    CHECK(bed.trouble() == "");
}
