// Jobs that complete in their handlers' transactions, behind a PgBouncer in transaction mode.
#include "tests/support/catch.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/pgbouncer.hpp"

#include <string>

using namespace tests;

TEST_CASE("jobs complete in their handlers' transactions behind a pooler", "[pooler][complete_in]") {
    const LedgerBed bed;
    const PgBouncer pooler(psql(server_url(), "show unix_socket_directories").at(0).at(0));
    const bool direct = GENERATE(true, false);
    INFO("direct_url " << direct);
    Process::Environment environment = LedgerBed::environment({{"DB_POOLER", "transaction"}});
    if (direct) environment["DATABASE_DIRECT_URL"] = bed.database().url();
    const WorkerProcess one(pooler.url(bed.database().name()), environment, {}, ledger_worker_path());
    const WorkerProcess two(pooler.url(bed.database().name()), environment, {}, ledger_worker_path());
    bed.sql(
        "select count(*) from task_queue.enqueue_many('ledger', (select array_agg(json_build_object('how', "
        "(array['complete', 'result', 'again', 'swallow', 'late', 'slow'])[n % 6 + 1])) from generate_series(1, 300) "
        "n))"
    );
    bed.await("select count(*) from task_queue.jobs where state = 'completed'", "300");
    CHECK(bed.trouble() == "");
    CHECK(bed.value("select max(attempt) from task_queue.jobs") == "2");
}
