// `doctor` on a database with one trouble planted after the other.

#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

#include <algorithm>
#include <string>

using namespace tests;

namespace {

constexpr const char* a_worker =
    "insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues, heartbeat_at, "
    "dead_at) ";

struct Patient {
    TestDatabase database;
    Shell shell{database.url()};

    // What doctor says of one check; its exit code tells whether that is a problem.
    std::string examine(const std::string& check, bool healthy, const Words& more = {}) const {
        Words words{"doctor", "--json"};
        words.insert(words.end(), more.begin(), more.end());
        const Finished finished = shell.run(words);
        INFO(finished.output << finished.errors);
        CHECK(finished.code == (healthy ? 0 : 1));
        const std::string mark = "{\"check\": \"" + check + "\", \"ok\": " + (healthy ? "true" : "false");
        CHECK(holds(finished.output, mark));
        const std::size_t begin = std::min(finished.output.find(mark), finished.output.size());
        return finished.output.substr(begin, finished.output.find('}', begin) - begin);
    }
};

}  // namespace

TEST_CASE("doctor finds nothing on a healthy database, and says what it looked at", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    const Finished healthy = patient.shell.run({"doctor"});
    INFO(healthy.output << healthy.errors);
    CHECK(healthy.code == 0);
    for (const char* check : {"connections", "horizon", "heads", "leases", "batches", "clock", "indexes", "schema"}) {
        CHECK(holds(healthy.output, std::string("ok       ") + check));
    }
    CHECK(patient.shell.run({"doctor", "-q"}).output.empty());
}

TEST_CASE("doctor tells connections over the budget", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    patient.database.psql(std::string(a_worker) + "values (1, 500, 1, 1, 'h', 'v', '{}', '{}', now(), null)");
    const std::string found = patient.examine("connections", false);
    CHECK(holds(found, "too many"));
    CHECK(holds(found, "lower database.pool_size"));
}

TEST_CASE("doctor names who holds the horizon", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    OpenTransaction old(patient.database, "repeatable read");
    old.execute("select 1");
    patient.examine("horizon", true);  // not for long
    const std::string pid = patient.database.value(
        "select pid from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
    );
    const std::string found = patient.examine("horizon", false, {"--patience", "0s"});
    CHECK(holds(found, "task-worker tests (pid " + pid + ", idle in transaction)"));
    CHECK(holds(found, "pg_terminate_backend(" + pid + ")"));
}

TEST_CASE("doctor tells dead rows before the head of a line", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    OpenTransaction old(patient.database, "repeatable read");
    old.execute("select 1");
    patient.database.psql(
        "select count(*) from task_queue.enqueue_many('noop', (select array_agg('{}'::json) from generate_series(1, "
        "40000)), bundle => 1)"
    );
    patient.examine("heads", true);
    patient.database.psql("delete from task_queue.bundles where id < (select max(id) from task_queue.bundles)");
    CHECK(holds(patient.examine("heads", false), "vacuum"));
}

TEST_CASE("doctor tells leases of the dead, the silent and the unknown", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    REQUIRE(patient.shell.run({"enqueue", "echo"}).code == 0);
    patient.database.psql("update task_queue.bundles set state = 2, worker_id = 7, claimed_at = now()");
    CHECK(holds(patient.examine("leases", false), "a worker that is not known, 7, holds 1 job since"));
    patient.database.psql(std::string(a_worker) + "values (7, 1, 1, 12, 'here', 'v', '{}', '{}', now(), null)");
    patient.examine("leases", true);
    patient.database.psql("update task_queue.workers set heartbeat_at = now() - interval '2 min'");
    CHECK(holds(patient.examine("leases", false), "worker 7 (here, process 12) holds 1 job since"));
    patient.examine("leases", true, {"--patience", "10m"});
    patient.database.psql("update task_queue.workers set dead_at = now() - interval '90 s'");
    CHECK(holds(patient.examine("leases", false), "is dead and holds 1 job since"));
}

TEST_CASE("doctor tells batches that cannot finish", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    REQUIRE(patient.shell.run({"enqueue", "echo", "--batch", "forgotten", "--open"}).code == 0);
    patient.examine("batches", true);
    patient.database.psql("update task_queue.batches set created_at = now() - interval '2 days'");
    CHECK(holds(patient.examine("batches", false), "batch forgotten ("));
    patient.database.psql("update task_queue.batches set seal_after = now()");
    patient.examine("batches", true);

    REQUIRE(patient.shell.run({"batch", "seal", "forgotten"}).code == 0);
    patient.examine("batches", true);
    patient.database.psql("delete from task_queue.bundles");
    CHECK(holds(patient.examine("batches", false), "waits for 1 job, found nowhere"));

    patient.database.psql("delete from task_queue.batches; delete from task_queue.batch_changes");
    patient.examine("batches", true);
    patient.database.psql(
        "insert into task_queue.bundles (id, members, pending, kind_id, queue_id, batch_id, args) "
        "values (nextval('task_queue.base_ids'), 1, 1, 1, 1, '11111111-1111-1111-1111-111111111111', '[1]')"
    );
    CHECK(holds(
        patient.examine("batches", false),
        "the batch 11111111-1111-1111-1111-111111111111 is not there, but named by 1 job"
    ));
}

TEST_CASE("doctor tells missing and invalid indexes", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    patient.database.psql("drop index task_queue.ix_bundles_run_at");
    const std::string index = patient.examine("indexes", false);
    CHECK(holds(index, "the index ix_bundles_run_at is missing"));
    CHECK(holds(index, "create index ix_bundles_run_at on task_queue.bundles (run_at)"));
    patient.database.psql("create index ix_bundles_run_at on task_queue.bundles (run_at) where state in (0, 3)");
    patient.examine("indexes", true);
    patient.database.psql(
        "update pg_index set indisvalid = false where indexrelid = 'task_queue.uq_queues_name'::regclass"
    );
    CHECK(holds(patient.examine("indexes", false), "uq_queues_name"));
    patient.database.psql(
        "update pg_index set indisvalid = true where indexrelid = 'task_queue.uq_queues_name'::regclass"
    );
}

TEST_CASE("doctor tells what of the schema is missing or another", "[worker][cli][doctor][scenario]") {
    struct Case {
        const char* breaks;
        const char* found;
        const char* mends;
    };
    const Case one = GENERATE(
        Case{
            "alter function task_queue.report_progress rename to elsewhere",
            "the function task_queue.report_progress is missing",
            "alter function task_queue.elsewhere rename to report_progress"
        },
        Case{
            "drop function task_queue.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, text, "
            "uuid, json)",
            "the function task_queue.enqueue is missing",
            nullptr
        },
        Case{
            "create or replace function task_queue.tell_queues_changed() returns trigger language plpgsql as "
            "'begin return null; end'",
            "the function task_queue.tell_queues_changed has another body",
            nullptr
        },
        Case{
            "create or replace function task_queue.count_jobs(mask bigint) returns integer "
            "language sql immutable strict parallel safe as 'select bit_count(mask::bit(64))::integer'",
            "the function task_queue.count_jobs has another body",
            nullptr
        },
        Case{
            "alter trigger tell_queues_changed on task_queue.queues rename to elsewhere",
            "the trigger task_queue.tell_queues_changed is missing or disabled",
            "alter trigger elsewhere on task_queue.queues rename to tell_queues_changed"
        },
        Case{
            "alter table task_queue.queues disable trigger tell_queues_changed",
            "the trigger task_queue.tell_queues_changed is missing or disabled",
            "alter table task_queue.queues enable trigger tell_queues_changed"
        },
        Case{
            "alter table task_queue.bundles drop constraint ck_bundles_state",
            "the constraint task_queue.bundles.ck_bundles_state is missing",
            nullptr
        },
        Case{
            "alter table task_queue.batches drop constraint fk_batches_on_finish_kind_id_kinds",
            "the constraint task_queue.batches.fk_batches_on_finish_kind_id_kinds is missing",
            nullptr
        },
        Case{
            "alter table task_queue.workers rename column host to machine",
            "the column task_queue.workers.host is missing",
            "alter table task_queue.workers rename column machine to host"
        },
        Case{
            "alter view task_queue.jobs rename to elsewhere",
            "the view task_queue.jobs is missing",
            "alter view task_queue.elsewhere rename to jobs"
        }
    );
    INFO(one.breaks);
    const Patient patient;
    patient.examine("schema", true);
    patient.database.psql(one.breaks);
    CHECK(holds(patient.examine("schema", false), one.found));
    if (one.mends == nullptr) return;
    patient.database.psql(one.mends);
    patient.examine("schema", true);
}

TEST_CASE(
    "doctor tells migrations that are pending, or were applied with another text", "[worker][cli][doctor][scenario]"
) {
    const Patient patient;
    REQUIRE(patient.shell.run({"migrate", "down", "--to", "3"}).code == 0);
    CHECK(holds(patient.examine("schema", false), "is pending"));
    REQUIRE(patient.shell.run({"migrate", "up"}).code == 0);
    patient.database.psql("update task_queue.migrations set checksum = 'x' where version = 2");
    CHECK(holds(patient.examine("schema", false), "applied with another text"));
}

TEST_CASE("doctor goes on where a constraint is missing", "[worker][cli][doctor][scenario]") {
    const Patient patient;
    patient.database.psql("alter table task_queue.bundles drop constraint ck_bundles_state");
    const Finished finished = patient.shell.run({"doctor"});
    INFO(finished.output << finished.errors);
    CHECK(finished.code == 1);
    CHECK(holds(finished.output, "ok       leases"));
}
