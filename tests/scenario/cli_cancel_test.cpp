// job cancel and job list, by filter: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

#include <string>

using namespace tests;

namespace {

// 40 of kind echo in the queue mail, 30 of them scheduled; 25 of kind noop in the batch photos; one running.
struct Office {
    TestDatabase database;
    Shell shell;

    Office() : shell(database.url()) {
        database.psql(R"sql(
            insert into task_queue.queues (name) values ('mail');
            select task_queue.enqueue_many('echo', array_fill('{}'::json, array[10]), queue => 'mail');
            select task_queue.enqueue_many('echo', array_fill('{}'::json, array[30]), queue => 'mail', delay => '1 h');
            select task_queue.create_batch('00000000-0000-0000-0000-000000000001', name => 'photos');
            select task_queue.enqueue_many('noop', array_fill('{}'::json, array[25]),
                batch_id => '00000000-0000-0000-0000-000000000001');
            select task_queue.enqueue('running', '{}');
            insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues)
            values (7, 1, 1, 1, 'h', 'v', '{running}', '{1}');
            update task_queue.bundles set state = 2, worker_id = 7, claim_number = 1
            where kind_id = (select id from task_queue.kinds where name = 'running');
        )sql");
    }
    std::string live(const std::string& where = "true") const {
        return database.value(
            "select count(*) from task_queue.jobs where state in ('scheduled', 'available', 'running') and " + where
        );
    }
};

}  // namespace

TEST_CASE("job cancel by filter counts with --dry-run, and changes nothing then", "[worker][cli][cancel][scenario]") {
    const Office office;
    const Shell& shell = office.shell;
    CHECK(shell.run({"job", "cancel", "--kind", "echo", "--dry-run"}).output == "would cancel 40 jobs\n");
    CHECK(shell.run({"job", "cancel", "--state", "scheduled", "--dry-run"}).output == "would cancel 30 jobs\n");
    CHECK(shell.run({"job", "cancel", "--batch", "photos", "--dry-run"}).output == "would cancel 25 jobs\n");
    CHECK(
        shell.run({"job", "cancel", "--all", "--dry-run"}).output ==
        "would cancel 65 jobs and ask 1 running job to stop\n"
    );
    CHECK(
        shell.run({"job", "cancel", "--queue", "mail", "--dry-run", "--json"}).output ==
        R"({"cancelled": 40, "stopping": 0, "left": 0, "dry_run": true})"
        "\n"
    );
    const Finished none = shell.run({"job", "cancel", "--kind", "unheard", "--dry-run"});
    CHECK(none.output == "would cancel 0 jobs\n");
    CHECK(none.code == 1);
    CHECK(office.live() == "66");
}

TEST_CASE("job cancel by filter wants --yes, and cancels what matches alone", "[worker][cli][cancel][scenario]") {
    const Office office;
    const Shell& shell = office.shell;
    shell.refuses(
        {"job", "cancel", "--all"}, 2, "would cancel 65 jobs and ask 1 running job to stop: confirm with --yes"
    );
    shell.refuses({"job", "cancel"}, 2, "which jobs?");
    shell.refuses({"job", "cancel", "128", "--all"}, 2, "not both");
    shell.refuses({"job", "cancel", "128", "--dry-run"}, 2, "--dry-run");
    shell.refuses({"job", "cancel", "--batch", "photo", "--yes"}, 1, "did you mean photos?");
    CHECK(office.live() == "66");

    const Finished scheduled = shell.run({"job", "cancel", "--kind", "echo", "--state", "scheduled", "--yes"});
    CHECK(scheduled.code == 0);
    CHECK(scheduled.output == "cancelled 30 jobs\n");
    CHECK(office.live("state = 'scheduled'") == "0");
    CHECK(office.live() == "36");
    CHECK(
        shell.run({"job", "cancel", "--all", "--yes", "--json"}).output ==
        R"({"cancelled": 35, "stopping": 1, "left": 0, "dry_run": false})"
        "\n"
    );
    CHECK(office.live() == "1");
    CHECK(office.database.value("select cancel_requested from task_queue.bundles") == "1");
    CHECK(
        office.database.value("select cancelled from task_queue.batch_status((select id from task_queue.batches))") ==
        "25"
    );
    const Finished again = shell.run({"job", "cancel", "--all", "--yes"});
    CHECK(again.code == 1);
    CHECK(again.output == "cancelled 0 jobs\n");
}

TEST_CASE("job cancel by filter goes on until thousands of rows are done", "[worker][cli][cancel][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    database.psql("select count(*) from (select task_queue.enqueue('echo', '{}') from generate_series(1, 3500)) made");
    CHECK(shell.run({"job", "cancel", "--kind", "echo", "--yes"}).output == "cancelled 3500 jobs\n");
    CHECK(database.value("select count(*) from task_queue.bundles") == "0");
}

TEST_CASE("job cancel takes several numbers, and list the filters of cancel", "[worker][cli][cancel][scenario]") {
    const Office office;
    const Shell& shell = office.shell;
    CHECK(shell.run({"job", "cancel", "128", "256"}).output == "job 128 cancelled\njob 256 cancelled\n");
    const Finished again = shell.run({"job", "cancel", "128", "130", "384", "--json"});
    CHECK(again.code == 1);
    CHECK(holds(again.errors, "there is no job 130"));
    CHECK(again.output == "{\"job\": 128, \"answer\": \"finished\"}\n{\"job\": 384, \"answer\": \"cancelled\"}\n");
    const auto listed = [&](Words words) {
        words.insert(words.begin(), {"job", "list", "--limit", "100", "--json"});
        const std::string output = shell.run(words).output;
        std::size_t count = 0;
        for (std::size_t at = output.find("\"id\": "); at != std::string::npos; at = output.find("\"id\": ", at + 1))
            ++count;
        return count;
    };
    CHECK(listed({}) == 66);
    CHECK(listed({"--queue", "mail"}) == 40);
    CHECK(listed({"--queue", "mail", "--state", "cancelled"}) == 3);
    CHECK(listed({"--queue", "default"}) == 26);
    CHECK(listed({"--queue", "unheard"}) == 0);
    CHECK(listed({"--batch", "photos", "--kind", "noop"}) == 25);
}
