// enqueue: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

#include <signal.h>

#include <fstream>
#include <string>

using namespace tests;

TEST_CASE("enqueue adds one job and answers its number", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const Finished first = shell.run({"enqueue", "echo", "--args", R"({"text": "[1]"})", "--unique-key", "u", "-q"});
    CHECK(first.code == 0);
    CHECK(first.output == "128\n");
    CHECK(database.value("select args ->> 'text' from task_queue.job(128)") == "[1]");
    CHECK(
        shell.run({"enqueue", "echo", "--unique-key", "u", "--json"}).output ==
        "{\"job\": 128, \"existed\": true, \"batch\": null}\n"
    );
    CHECK(shell.run({"enqueue", "echo", "--at", "2030-01-01T00:00:00+01:00"}).code == 0);
    CHECK(database.value("select count(*) from task_queue.jobs where run_at = '2029-12-31T23:00:00Z'") == "1");

    const Finished shown = shell.run({"job", "show", "128"});
    CHECK(shown.code == 0);
    CHECK(holds(shown.output, "unique key  u"));
    CHECK(holds(shown.output, R"({"text": "[1]"})"));
    CHECK(holds(shell.run({"job", "list"}).output, "echo"));
    CHECK(shell.run({"job", "cancel", "128"}).output == "job 128 cancelled\n");
    shell.refuses({"job", "show", "1"}, 1, "there is no job 1");
    shell.refuses({"job", "cancel", "1"}, 1, "there is no job 1");
}

TEST_CASE("enqueue refuses bad arguments with exit code 2 and adds nothing", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    shell.refuses({"enqueue", "echo", "--args", "{text: hi}"}, 2, "is not JSON");
    shell.refuses({"enqueue", "ehco"}, 2, "knows the kind \"ehco\": did you mean echo?");
    shell.refuses({"enqueue", "echo", "--batch", "b", "--on-finish", "noope"}, 2, "did you mean noop?");
    shell.refuses({"enqueue", "echo", "--queue", "mail"}, 2, "queue \"mail\" does not exist: Declare it in config.yml");
    shell.refuses({"enqueue", "echo", "nowhere.txt"}, 2, "\"nowhere.txt\": no such file");
    shell.refuses({"enqueue", "echo", "--file", "nowhere.ndjson"}, 2, "nowhere.ndjson cannot be read");
    shell.refuses({"enqueue", "echo", "--open", "--watch", "--batch", "b"}, 2, "--watch would wait for ever");
    shell.refuses({"enqeue", "echo"}, 2, "did you mean enqueue?");
    CHECK(database.value("select count(*) from task_queue.jobs") == "0");
    CHECK(database.value("select count(*) from task_queue.batches") == "0");
    CHECK(shell.run({"enqueue", "ehco", "--new-kind"}).code == 0);
}

TEST_CASE("enqueue takes a file whole or not at all", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    std::string lines;
    for (int line = 1; line <= 3000; ++line)
        lines += line == 1700 ? "{\"n\": 1700\n" : "{\"n\": " + std::to_string(line) + "}\n";
    shell.folder.write("jobs.ndjson", lines);
    shell.refuses({"enqueue", "noop", "--file", "jobs.ndjson", "--batch", "b"}, 2, "jobs.ndjson: line 1700: not JSON");
    CHECK(database.value("select count(*) from task_queue.jobs") == "0");
    CHECK(database.value("select count(*) from task_queue.batches") == "0");

    const Finished skipped =
        shell.run({"enqueue", "noop", "--file", "-", "--batch", "b", "--skip-invalid", "--json"}, lines);
    INFO(skipped.errors);
    CHECK(skipped.code == 0);
    CHECK(holds(skipped.errors, "standard input: line 1700: not JSON"));
    CHECK(holds(
        skipped.output,
        "\"name\": \"b\", \"jobs\": 2999, \"skipped\": 1, \"first_job\": 128, \"existed\": false, \"sealed\": true"
    ));
    CHECK(database.value("select count(*) from task_queue.jobs") == "2999");
}

TEST_CASE("enqueue loads 100,000 lines in one batch", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    std::string lines;
    for (int line = 1; line <= 100'000; ++line) lines += "{\"n\": " + std::to_string(line) + "}\n";
    const Finished finished = shell.run({"enqueue", "noop", "--file", "-", "--batch", "many", "--open"}, lines);
    INFO(finished.errors);
    CHECK(finished.code == 0);
    CHECK(holds(finished.output, "enqueued 100000 jobs of noop in "));
    CHECK(holds(finished.output, "(open)"));
    CHECK(database.value("select sum(task_queue.count_jobs(members)) from task_queue.bundles") == "100000");
    CHECK(database.value("select total from task_queue.batch_status((select id from task_queue.batches))") == "100000");
}

TEST_CASE(
    "enqueue loads a million lines in the memory that it needs for a hundred thousand", "[worker][cli][scenario]"
) {
    const TestDatabase database;
    const Shell shell(database.url());
    const auto peak_kb = [&](int jobs) {
        std::ofstream lines(shell.folder.path() + "/jobs.ndjson");
        for (int line = 1; line <= jobs; ++line) lines << "{\"n\": " << line << "}\n";
        lines.close();
        Command command{
            .words =
                {TASK_WORKER_SOURCE_DIR "/tests/support/peak_memory.py",
                 shell.folder.path() + "/peak",
                 TASK_WORKER_BINARY,
                 "enqueue",
                 "noop",
                 "--file",
                 "jobs.ndjson",
                 "--quiet"},
            .environment = {{"DATABASE_URL", database.url()}},
            .folder = shell.folder.path(),
        };
        // What the sanitizer keeps back of freed memory is not the program's.
        command.environment["ASAN_OPTIONS"] = "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
        const Finished finished = run_command(command);
        INFO(finished.errors);
        REQUIRE(finished.code == 0);
        long peak = 0;
        std::ifstream(shell.folder.path() + "/peak") >> peak;
        REQUIRE(peak > 0);
        return peak;
    };
    const long few = peak_kb(100'000);
    const long many = peak_kb(1'000'000);
    INFO(few << " kB for a hundred thousand, " << many << " kB for a million");
    CHECK(many < few + 12 * 1024);  // 900,000 lines of 14 bytes each would not fit
    CHECK(database.value("select sum(task_queue.count_jobs(members)) from task_queue.bundles") == "1100000");
}

TEST_CASE("enqueue makes one job per path, and an enqueue key makes it safe to repeat", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    shell.folder.write("a b.txt", "x");
    shell.folder.write("c.txt", "x");
    shell.folder.write("list", "a b.txt\nc.txt\n");
    const Words words{"enqueue", "echo", "--files-from", "list", "--batch", "paths", "--enqueue-key", "once", "--json"};
    CHECK(holds(shell.run(words).output, "\"jobs\": 2, \"skipped\": 0"));
    CHECK(holds(shell.run(words).output, "\"existed\": true"));
    CHECK(database.value("select count(*) from task_queue.batches") == "1");
    CHECK(database.value("select count(*) from task_queue.jobs") == "2");
    CHECK(database.value("select args ->> 'path' from task_queue.job(128)") == shell.folder.path() + "/a b.txt");
    CHECK(shell.run({"enqueue", "echo", "a b.txt", "c.txt"}).output.starts_with("enqueued 2 jobs of echo"));
}

TEST_CASE("enqueue adds to an open batch by its id, and to no other", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    std::string id = shell.run({"enqueue", "echo", "--batch", "b", "--open", "-q"}).output;
    id.pop_back();
    CHECK(id.size() == 36);
    CHECK(shell.run({"enqueue", "noop", "--batch", id}).code == 0);
    CHECK(database.value("select state || total from task_queue.batch_status('" + id + "')") == "sealed2");
    shell.refuses({"enqueue", "noop", "--batch", id}, 1, "is sealed: no more jobs can enter it");
    shell.refuses({"enqueue", "noop", "--batch", "00000000-0000-0000-0000-000000000000"}, 1, "there is no batch");
}

TEST_CASE("enqueue interrupted while it reads a file adds nothing", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const std::string pipe = shell.folder.path() + "/pipe";
    REQUIRE(run_command({.words = {"/usr/bin/mkfifo", pipe}}).code == 0);
    Child reading(shell.command({"enqueue", "echo", "--file", pipe, "--batch", "b"}));
    std::ofstream writer(pipe);  // waits for the reader
    writer << "1\n2\n" << std::flush;
    reading.signal(SIGINT);
    CHECK(reading.wait().code == 130);
    CHECK(database.value("select count(*) from task_queue.batches") == "0");
}

TEST_CASE("the program called enqueue takes the arguments of enqueue", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    Command command = shell.command({"echo", "-q"});
    command.words.front() =
        std::string(TASK_WORKER_BINARY).replace(std::string(TASK_WORKER_BINARY).rfind('/') + 1, 20, "enqueue");
    CHECK(run_command(command).output == "128\n");
}
