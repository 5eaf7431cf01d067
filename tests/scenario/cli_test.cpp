// The command line as a user meets it: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/temporary_folder.hpp"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using tests::Command;
using tests::Finished;
using tests::TestDatabase;

namespace {

using Words = std::vector<std::string>;

// A folder with a config.yml, and the program started in it.
class Shell {
public:
    explicit Shell(std::string url) : url_(std::move(url)) {}

    Command command(Words words, std::string input = {}) const {
        words.insert(words.begin(), TASK_WORKER_BINARY);
        std::map<std::string, std::string> environment;
        if (!url_.empty()) environment["DATABASE_URL"] = url_;
        return {
            .words = std::move(words), .input = std::move(input), .environment = environment, .folder = folder.path()
        };
    }
    Finished run(Words words, std::string input = {}) const {
        return tests::run_command(command(std::move(words), std::move(input)));
    }
    // One line on standard error that holds the text, nothing on standard output, and that exit code.
    void refuses(const Words& words, int code, const std::string& text, const std::string& input = {}) const {
        const Finished finished = run(words, input);
        INFO("output: " << finished.output << "errors: " << finished.errors);
        CHECK(finished.code == code);
        CHECK(finished.output.empty());
        CHECK(finished.errors.starts_with("task-worker: "));
        CHECK(finished.errors.find(text) != std::string::npos);
        CHECK(std::ranges::count(finished.errors, '\n') == 1);
    }

    tests::TemporaryFolder folder;

private:
    std::string url_;
};

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string with_user(std::string url, const std::string& user_and_password) {
    return url.replace(url.find("postgres@"), 8, user_and_password);
}

// Finishes every job of the database as a worker would, so that the batches can end.
void complete_all(const TestDatabase& database) {
    database.psql(
        "insert into task_queue.batch_changes (batch_id, completed) "
        "select batch_id, sum(task_queue.count_jobs(pending)) from task_queue.bundles where batch_id is not null group "
        "by 1; "
        "delete from task_queue.bundles; select task_queue.fold_batch_changes(0, 10000)"
    );
}

}  // namespace

TEST_CASE("commands refuse a wrong configuration with every problem and exit code 2", "[worker][cli][scenario]") {
    const Shell shell("");
    shell.refuses({"check", "--config", "nowhere.yml", "-q"}, 2, "nowhere.yml: cannot be read");
    shell.refuses({"batch", "list", "--url", "mysql://h/d"}, 2, "database.url");
    shell.refuses({"batch", "list", "--set", "worker.thread=1"}, 2, "did you mean worker.threads?");

    shell.folder.write("config.yml", "database:\n  pol_size: 5\nworker:\n  concurrency: many\n");
    const Finished two = shell.run({"run"});
    CHECK(two.code == 2);
    CHECK(holds(two.errors, "the configuration has 2 problems:"));
    CHECK(holds(two.errors, "config.yml:2: database.pol_size: unknown key; did you mean pool_size?"));
    CHECK(holds(two.errors, "config.yml:4: worker.concurrency"));

    shell.folder.write("config.yml", "database: [\n");
    shell.refuses({"job", "list"}, 2, "config.yml:2: is not YAML");
}

TEST_CASE(
    "commands tell an unreachable database from a refused login, both with exit code 3", "[worker][cli][scenario]"
) {
    const TestDatabase database;
    const Shell shell("");
    shell.refuses({"batch", "list"}, 3, "start the embedded one with task-worker dev");
    shell.refuses(
        {"batch", "list", "--url", "postgresql://postgres@127.0.0.1:1/d"}, 3, "the database cannot be reached"
    );
    shell.refuses({"batch", "list", "--url", tests::server_url("nowhere")}, 3, "database \"nowhere\" does not exist");
    shell.refuses(
        {"batch", "list", "--url", with_user(database.url(), "nobody_here")}, 3, "the database refused the login"
    );
}

TEST_CASE("commands name a wrong password without showing it", "[worker][cli][scenario]") {
    const TestDatabase database;
    database.psql("create role cli_test_user login password 'right'; grant usage on schema task_queue to cli_test_user"
    );
    const std::string file = database.value("show hba_file");
    std::string rules;
    {
        std::ifstream before(file);
        rules.assign(std::istreambuf_iterator<char>(before), {});
    }
    std::ofstream(file) << "local all cli_test_user scram-sha-256\n" + rules;
    database.psql("select pg_reload_conf()");
    const Shell shell("");
    // The new rules hold for connections that begin after the server has read them.
    const Words words{"batch", "list", "--url", with_user(database.url(), "cli_test_user:wr0ng")};
    for (int attempt = 0; attempt < 50 && shell.run(words).code != 3; ++attempt) {
    }
    shell.refuses(words, 3, "password authentication failed");
    CHECK_FALSE(holds(shell.run(words).errors, "wr0ng"));
    std::ofstream(file) << rules;
    database.psql("select pg_reload_conf(); drop owned by cli_test_user; drop role cli_test_user");
}

TEST_CASE("commands refuse a missing, older or newer schema with exit code 4", "[worker][cli][scenario]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Shell shell(database.url());
    shell.refuses({"enqueue", "echo"}, 4, "task-worker migrate up");
    REQUIRE(shell.run({"migrate", "up", "--to", "1"}).code == 0);
    shell.refuses({"enqueue", "echo"}, 4, "older than this task-worker");
    REQUIRE(shell.run({"migrate", "up"}).code == 0);
    CHECK(shell.run({"enqueue", "echo"}).code == 0);
    database.psql("insert into task_queue.migrations (version, name, checksum) values (9999, '9999_later', 'x')");
    shell.refuses({"enqueue", "echo"}, 4, "newer than this task-worker");
    shell.refuses({"migrate", "up"}, 4, "newer than this task-worker");
    CHECK(holds(shell.run({"migrate", "status"}).output, "applied by a newer task-worker"));
}

TEST_CASE("migrate goes up, shows where it is, and down", "[worker][cli][scenario]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Shell shell(database.url());
    CHECK(holds(shell.run({"migrate", "status"}).output, "pending"));
    const Finished up = shell.run({"migrate", "up"});
    CHECK(up.code == 0);
    CHECK(holds(up.output, "applying 0001_create_queue\n"));
    CHECK(shell.run({"migrate", "up"}).output == "nothing to apply\n");
    CHECK_FALSE(holds(shell.run({"migrate", "status"}).output, "pending"));
    CHECK(holds(shell.run({"migrate", "status", "--json"}).output, "{\"version\": 1, \"name\": \"0001_create_queue\""));
    CHECK(holds(shell.run({"migrate", "down"}).output, "taking back 00"));
    CHECK(holds(shell.run({"migrate", "status"}).output, "pending"));
    CHECK(shell.run({"migrate", "down", "--to", "0"}).code == 0);
    CHECK(shell.run({"migrate", "down"}).output == "nothing to take back\n");
}

TEST_CASE("migrate sql prints what migrate up does", "[worker][cli][scenario]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Shell shell(database.url());
    const Finished sql = Shell("").run({"migrate", "sql"});
    REQUIRE(sql.code == 0);
    database.psql(sql.output);
    CHECK(shell.run({"migrate", "up"}).output == "nothing to apply\n");
    CHECK_FALSE(holds(shell.run({"migrate", "status"}).output, "another text"));
    CHECK(shell.run({"enqueue", "echo"}).code == 0);
}

TEST_CASE("check shows values with their sources, the schema and the budget", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    shell.folder.write("config.yml", "database:\n  pool_size: 3\n  max_overflow: 4\n");
    const Finished fits = shell.run({"check"});
    INFO(fits.output << fits.errors);
    CHECK(fits.code == 0);
    CHECK(holds(fits.output, "config.yml:2"));
    CHECK(holds(fits.output, "environment variable DATABASE_URL"));
    CHECK(holds(fits.output, "PostgreSQL 15."));
    CHECK(holds(fits.output, "schema current"));
    CHECK(holds(fits.output, "one more worker with this configuration takes 9: it fits"));
    CHECK(holds(shell.run({"check", "--json"}).output, "\"schema\": \"current\""));

    CHECK(shell.run({"check", "--set", "database.max_connections=5"}).code == 5);
    CHECK(shell.run({"check", "--set", "database.max_connections=5", "--set", "database.budget=warn"}).code == 0);
    CHECK(Shell("").run({"check"}).code == 0);
    CHECK(Shell("").run({"check", "--url", "postgresql://postgres:secret@127.0.0.1:1/d"}).code == 3);
    CHECK_FALSE(holds(Shell("").run({"check", "--url", "postgresql://postgres:secret@127.0.0.1:1/d"}).output, "secret")
    );
}

TEST_CASE("enqueue adds one job and answers its number", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const Finished first = shell.run({"enqueue", "echo", "--args", R"({"text": "[1]"})", "--unique-key", "u", "-q"});
    CHECK(first.code == 0);
    CHECK(first.output == "128\n");
    CHECK(database.value("select args ->> 'text' from task_queue.job(128)") == "[1]");
    CHECK(
        shell.run({"enqueue", "echo", "--unique-key", "u", "--json"}).output == "{\"job\": 128, \"existed\": true}\n"
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

TEST_CASE("batch shows, lists, seals and cancels", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    REQUIRE(shell.run({"enqueue", "echo", "--batch", "photos", "--open", "--on-finish", "noop"}).code == 0);
    const Finished shown = shell.run({"batch", "show", "photos"});
    CHECK(shown.code == 0);
    CHECK(holds(shown.output, "0/1 0 %"));
    CHECK(holds(shown.output, "on finish     noop"));
    const Finished json = shell.run({"batch", "show", "photos", "--json"});
    CHECK(holds(json.output, "\"state\": \"open\", \"round\": 1, \"total\": 1, \"completed\": 0, \"discarded\": 0"));
    CHECK(holds(shell.run({"batch", "list"}).output, "photos"));
    shell.refuses({"batch", "show", "photo"}, 1, "there is no batch \"photo\": did you mean photos?");
    CHECK(shell.run({"batch", "seal", "photos"}).output == "batch photos sealed\n");
    CHECK(shell.run({"batch", "seal", "photos"}).output == "batch photos was sealed before\n");
    CHECK(holds(shell.run({"batch", "cancel", "photos"}).output, "1 jobs cancelled"));
    CHECK(database.value("select cancelled from task_queue.batch_status((select id from task_queue.batches))") == "1");
}

TEST_CASE("batch watch ends with the batch: 0, or 1 with failures", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    tests::Child watching(shell.command({"enqueue", "echo", "--args", "{}", "--batch", "good", "--watch"}));
    watching.wait_for("no worker is running");
    watching.wait_for("0/1 0 %");
    complete_all(database);
    const Finished good = watching.wait();
    CHECK(good.code == 0);
    CHECK(holds(good.output, "1/1 100 %"));

    REQUIRE(shell.run({"enqueue", "echo", "--batch", "bad"}).code == 0);
    REQUIRE(shell.run({"batch", "cancel", "bad"}).code == 0);
    database.psql("select task_queue.fold_batch_changes(0, 10000)");
    const Finished bad = shell.run({"batch", "watch", "bad", "--json"});
    CHECK(bad.code == 1);
    CHECK(holds(bad.output, "\"final\": true}\n"));
    CHECK(holds(bad.errors, "1 of 1 jobs failed: see task-worker batch show "));
}

TEST_CASE("batch watch at Ctrl-C says that the batch goes on", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    tests::Child watching(shell.command({"enqueue", "echo", "--batch", "b", "--watch"}));
    watching.wait_for("0/1 0 %");
    watching.signal(SIGINT);
    const Finished finished = watching.wait();
    INFO(finished.errors);
    CHECK(finished.code == 130);
    CHECK(holds(finished.errors, "the batch goes on: watch it again with task-worker batch watch "));
    CHECK(database.value("select count(*) from task_queue.jobs") == "1");
}

TEST_CASE("enqueue interrupted while it reads a file adds nothing", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const std::string pipe = shell.folder.path() + "/pipe";
    REQUIRE(tests::run_command({.words = {"/usr/bin/mkfifo", pipe}}).code == 0);
    tests::Child reading(shell.command({"enqueue", "echo", "--file", pipe, "--batch", "b"}));
    std::ofstream writer(pipe);  // waits for the reader
    writer << "1\n2\n" << std::flush;
    reading.signal(SIGINT);
    CHECK(reading.wait().code == 130);
    CHECK(database.value("select count(*) from task_queue.batches") == "0");
}

TEST_CASE("queue lists, creates, pauses and resumes", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    CHECK(shell.run({"queue", "create", "mail", "--concurrency", "5"}).code == 0);
    CHECK(shell.run({"enqueue", "echo", "--queue", "mail"}).code == 0);
    CHECK(shell.run({"queue", "pause", "mail"}).output == "queue mail is paused\n");
    CHECK(holds(
        shell.run({"queue", "list", "--json"}).output,
        "{\"name\": \"mail\", \"paused\": true, \"concurrency\": 5, \"available\": 1, \"scheduled\": 0, \"running\": 0"
    ));
    CHECK(shell.run({"queue", "resume", "mail"}).output == "queue mail is open\n");
    shell.refuses({"queue", "pause", "male"}, 1, "did you mean mail?");
    CHECK(holds(shell.run({"worker", "list"}).output, "no workers"));
}

TEST_CASE("dead lists, shows, redrives and purges discarded jobs", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    REQUIRE(shell.run({"enqueue", "echo", "--args", "[1]"}).code == 0);
    REQUIRE(shell.run({"enqueue", "echo", "--args", "[2]"}).code == 0);
    database.psql(
        "insert into task_queue.dead_jobs (id, kind_id, queue_id, priority, attempt, max_attempts, args, error, "
        "errors, "
        "created_at) select id, kind_id, queue_id, priority, 20, max_attempts, args -> 0, 'no disk', '[]', created_at "
        "from "
        "task_queue.bundles; delete from task_queue.bundles"
    );
    CHECK(holds(shell.run({"dead", "list"}).output, "no disk"));
    CHECK(holds(shell.run({"dead", "show", "128"}).output, "discarded"));
    shell.refuses({"dead", "redrive"}, 2, "which dead letters?");
    CHECK(shell.run({"dead", "redrive", "128"}).output == "redrove 1 job\n");
    CHECK(holds(shell.run({"job", "show", "128"}).output, "available"));
    CHECK(shell.run({"dead", "purge", "--all"}).output == "purged 1 dead letter\n");
    CHECK(shell.run({"dead", "list"}).output == "no dead letters\n");
}

TEST_CASE("the program called enqueue takes the arguments of enqueue", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    Command command = shell.command({"echo", "-q"});
    command.words.front() =
        std::string(TASK_WORKER_BINARY).replace(std::string(TASK_WORKER_BINARY).rfind('/') + 1, 20, "enqueue");
    CHECK(tests::run_command(command).output == "128\n");
}
