// What every command refuses: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

#include <fstream>
#include <iterator>
#include <string>

using namespace tests;

namespace {

std::string with_user(std::string url, const std::string& user_and_password) {
    return url.replace(url.find("postgres@"), 8, user_and_password);
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
    if (shell.run({"batch", "list"}).code == 0) {
        WARN("not tried without a database that is named: a task-worker dev runs on this machine");
    } else {
        shell.refuses({"batch", "list"}, 3, "start the embedded one with task-worker dev");
    }
    shell.refuses(
        {"batch", "list", "--url", "postgresql://postgres@127.0.0.1:1/d"}, 3, "the database cannot be reached"
    );
    shell.refuses({"batch", "list", "--url", server_url("nowhere")}, 3, "database \"nowhere\" does not exist");
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

TEST_CASE(
    "commands, and workers, refuse a missing, older or newer schema with exit code 4", "[worker][cli][scenario]"
) {
    const TestDatabase database(TestDatabase::Content::empty);
    const Shell shell(database.url());
    const auto refuses_to_run = [&](const std::string& text) {
        const Finished finished = shell.run({"run", "--set", "http.listen=127.0.0.1:0"});
        INFO(finished.errors);
        CHECK(finished.code == 4);
        CHECK(holds(finished.errors, text));
    };
    shell.refuses({"enqueue", "echo"}, 4, "task-worker migrate up");
    refuses_to_run("task-worker migrate up");
    CHECK(database.value("select to_regnamespace('task_queue') is null") == "t");
    REQUIRE(shell.run({"migrate", "up", "--to", "1"}).code == 0);
    shell.refuses({"enqueue", "echo"}, 4, "older than this task-worker");
    refuses_to_run("older than this task-worker");
    CHECK(database.value("select max(version) from task_queue.migrations") == "1");
    REQUIRE(shell.run({"migrate", "up"}).code == 0);
    CHECK(shell.run({"enqueue", "echo"}).code == 0);
    database.psql("insert into task_queue.migrations (version, name, checksum) values (9999, '9999_later', 'x')");
    shell.refuses({"enqueue", "echo"}, 4, "newer than this task-worker");
    refuses_to_run("newer than this task-worker");
    shell.refuses({"migrate", "up"}, 4, "newer than this task-worker");
    CHECK(holds(shell.run({"migrate", "status"}).output, "applied by a newer task-worker"));
}
