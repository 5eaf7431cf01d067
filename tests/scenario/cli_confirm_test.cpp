// What destroys asks first: on a terminal a question is answered, elsewhere --yes is wanted.

#include "tests/support/catch.hpp"
#include "tests/support/cli_office.hpp"
#include "tests/support/on_terminal.hpp"

#include <string>

using namespace tests;

namespace {

// What a command says when this is typed at its question.
Finished answer(const CliOffice& office, const Words& words, const std::string& typed) {
    return run_command(on_terminal(office.shell.command(words, typed), 80));
}

}  // namespace

TEST_CASE("batch cancel counts with --dry-run, and changes nothing then", "[worker][cli][confirm][scenario]") {
    const CliOffice office;
    CHECK(office.shell.run({"batch", "cancel", "photos", "--dry-run"}).output == "batch photos: would cancel 1 job\n");
    office.database.psql(
        "update task_queue.bundles set state = 2, worker_id = 7, claim_number = 1, claimed_at = now() where id = 512"
    );
    CHECK(
        office.shell.run({"batch", "cancel", "photos", "--dry-run"}).output ==
        "batch photos: would ask 1 running job to stop\n"
    );
    CHECK(
        office.shell.run({"batch", "cancel", "photos", "--dry-run", "--json"}).output ==
        R"({"id": "00000000-0000-0000-0000-000000000001", "cancelled": 0, "stopping": 1, "dry_run": true})"
        "\n"
    );
    CHECK(office.database.value("select state from task_queue.batches where name = 'photos'") == "open");
    CHECK(office.database.value("select cancel_requested from task_queue.bundles where id = 512") == "0");
    CHECK(
        office.shell.run({"batch", "cancel", "photos", "--yes"}).output == "batch photos: asked 1 running job to stop\n"
    );
    CHECK(office.database.value("select cancel_requested from task_queue.bundles where id = 512") == "1");
}

TEST_CASE(
    "batch cancel wants --yes where nobody can be asked, but not for nothing", "[worker][cli][confirm][scenario]"
) {
    const CliOffice office;
    office.shell.refuses(
        {"batch", "cancel", "photos"}, 2, "batch cancel would cancel 1 job in the batch photos: confirm with --yes"
    );
    CHECK(office.database.value("select state from task_queue.batches where name = 'photos'") == "open");
    CHECK(
        office.shell.run({"batch", "cancel", "ended"}).output == "batch ended had finished before: nothing to cancel\n"
    );
    CHECK(office.shell.run({"batch", "cancel", "photos", "--yes"}).output == "batch photos: cancelled 1 job\n");
    CHECK(office.shell.run({"batch", "cancel", "photos"}).output == "batch photos: cancelled 0 jobs\n");
}

TEST_CASE("what destroys does so when yes is typed, and not otherwise", "[worker][cli][confirm][scenario]") {
    struct Case {
        Words words;
        const char* question;
        const char* done;
        const char* left;  // the answer of a query that tells whether it was done
        const char* before;
        const char* after;
        const char* nothing;
    };
    const Case one = GENERATE(
        Case{
            {"batch", "cancel", "photos"},
            "This would cancel 1 job in the batch photos. Type yes: ",
            "batch photos: cancelled 1 job",
            "select state from task_queue.batches where name = 'photos'",
            "open",
            "cancelled",
            "nothing cancelled"
        },
        Case{
            {"job", "cancel", "--kind", "echo"},
            "This would cancel 2 jobs. Type yes: ",
            "cancelled 2 jobs",
            "select count(*) from task_queue.jobs j where j.state = 'available'",
            "2",
            "0",
            "nothing cancelled"
        },
        Case{
            {"dead", "purge", "--all"},
            "Delete 2 dead letters for good? Type yes: ",
            "purged 2 dead letters",
            "select count(*) from task_queue.dead_jobs",
            "2",
            "0",
            "nothing deleted"
        }
    );
    const CliOffice office;
    for (const char* typed : {"no\n", "\n", "y\n", "yes please\n", "\x04"}) {
        const Finished refused = answer(office, one.words, typed);
        INFO(refused.output << refused.errors);
        CHECK(refused.code == 1);
        CHECK(holds(refused.output, one.question));
        CHECK(holds(refused.output, one.nothing));
        CHECK(office.database.value(one.left) == one.before);
    }
    const Finished done = answer(office, one.words, "yes\n");
    INFO(done.output << done.errors);
    CHECK(done.code == 0);
    CHECK(holds(done.output, one.question));
    CHECK(holds(done.output, one.done));
    CHECK(office.database.value(one.left) == one.after);
}
