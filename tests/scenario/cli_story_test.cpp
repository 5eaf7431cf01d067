// A batch of which one job fails: seen, understood, mended, redriven, from the command line alone.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <filesystem>
#include <string>

using namespace tests;

TEST_CASE("a batch with one failing job is watched, explained, mended and redriven", "[worker][cli][batch][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const std::string folder = shell.folder.path();
    shell.folder.write(
        "thumb.sh",
        "[ $ARG_N != 42 ] || [ -e " + folder + "/fixed ] || { echo 'photo 42 has no pixels' >&2; exit 1; }\n"
    );
    shell.folder.write("config.yml", "handlers:\n  thumb: {exec: [sh, " + folder + "/thumb.sh], max_attempts: 1}\n");
    std::string lines;
    for (int n = 1; n <= 100; ++n) lines += "{\"n\": " + std::to_string(n) + "}\n";
    shell.folder.write("photos.ndjson", lines);
    const WorkerProcess worker(database.url(), {}, {"--config", folder + "/config.yml"});

    const Finished first =
        shell.run({"enqueue", "thumb", "--file", "photos.ndjson", "--batch", "photos", "--on-finish", "noop", "--watch"}
        );
    INFO(first.output << first.errors);
    CHECK(first.code == 1);
    CHECK(holds(first.output, "1 failed"));

    const Finished shown = shell.run({"batch", "show", "photos"});
    CHECK(shown.code == 0);
    CHECK(holds(shown.output, "photo 42 has no pixels"));
    const std::string dead = database.value("select id from task_queue.dead_jobs");
    CHECK(holds(shown.output, dead));
    CHECK(holds(shell.run({"job", "why", dead}).output, "discarded"));

    shell.folder.write("fixed", "");
    const Finished again = shell.run({"batch", "redrive", "photos", "--watch"});
    INFO(again.output << again.errors);
    CHECK(again.code == 0);
    CHECK(holds(again.output, "batch photos: 1 job redriven"));
    CHECK(
        database.psql("select state, round, completed from task_queue.batches") == TextRows{{"finished", "2", "100"}}
    );
    // Its callback once a round.
    CHECK(
        database.value("select count(*) from task_queue.jobs where kind = 'noop' and state in ('completed', "
                       "'available', 'running')") == "2"
    );
    CHECK(database.value("select count(*) from task_queue.dead_jobs") == "0");
}
