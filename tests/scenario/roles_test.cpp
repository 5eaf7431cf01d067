// deploy/roles.sql: everything works for the role that is meant for it, and nothing more.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/psql.hpp"
#include "tests/support/temporary_folder.hpp"

#include <csignal>
#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;

namespace {

// A server with the roles, a login for each, and the schema, which the migrator made.
struct Roles {
    OwnServer server;

    Roles() {
        for (int time = 0; time < 2; ++time) {  // again is harmless
            const Finished made = run_command(
                {.words =
                     {"/usr/bin/env",
                      "psql",
                      server.url(),
                      "-v",
                      "ON_ERROR_STOP=1",
                      "-f",
                      TASK_WORKER_SOURCE_DIR "/deploy/roles.sql"}}
            );
            INFO(made.errors);
            REQUIRE(made.code == 0);
        }
        psql(
            server.url(),
            "create role migrator login in role task_worker_owner; create role shop login in role task_worker_app; "
            "create role reports login in role task_worker_read"
        );
        const Finished up = command({TASK_WORKER_BINARY, "migrate", "up"}, "migrator");
        INFO(up.errors);
        REQUIRE(up.code == 0);
    }
    std::string url(const std::string& user) const { return server.url() + "&user=" + user; }
    Finished command(std::vector<std::string> words, const std::string& user) const {
        return run_command({.words = std::move(words), .environment = {{"DATABASE_URL", url(user)}}, .folder = "/"});
    }
    std::string value(const std::string& sql, const std::string& user = "reports") const {
        return psql(url(user), sql).at(0).at(0);
    }
    void refuses(const std::string& sql, const std::string& user) const {
        INFO(sql << " by " << user);
        CHECK_THROWS_WITH(psql(url(user), sql), Contains("permission denied") || Contains("must be owner"));
    }
};

}  // namespace

TEST_CASE("what a member of the owner's role migrates is the owner's", "[scenario][roles]") {
    const Roles roles;
    CHECK(
        roles.value("select string_agg(distinct pg_get_userbyid(owner), ',') from ("
                    "select nspowner from pg_namespace where nspname = 'task_queue' "
                    "union all select relowner from pg_class where relnamespace = 'task_queue'::regnamespace "
                    "union all select proowner from pg_proc where pronamespace = 'task_queue'::regnamespace) o (owner)"
        ) == "task_worker_owner"
    );
    CHECK(roles.command({TASK_WORKER_BINARY, "migrate", "down"}, "migrator").code == 0);
    const Finished refused = roles.command({TASK_WORKER_BINARY, "migrate", "up"}, "shop");
    CHECK(refused.code == 1);
    CHECK_THAT(refused.errors, Contains("task_worker_owner"));
}

TEST_CASE("the application's role enqueues and works, and can neither create nor drop", "[scenario][roles]") {
    const Roles roles;
    // An old partition, to be dropped.
    psql(
        roles.server.url(),
        "set role task_worker_owner; create table task_queue.finished_bundles_2026_01_01 partition of "
        "task_queue.finished_bundles for values from ('2026-01-01') to ('2026-01-02')"
    );
    WorkerProcess worker(roles.url("shop"), {});
    const Finished enqueued = roles.command(
        {TASK_WORKER_BINARY, "enqueue", "noop", "--batch", "b", "--watch", "--on-finish", "echo"}, "shop"
    );
    INFO(enqueued.errors);
    CHECK(enqueued.code == 0);
    await_value(roles.url("reports"), "select count(*) from task_queue.jobs where state = 'completed'", "2");
    await_value(roles.url("reports"), "select to_regclass('task_queue.finished_bundles_2026_01_01') is null", "t");
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"job", "list"},
             {"batch", "list"},
             {"queue", "pause", "default"},
             {"worker", "list"},
             {"doctor"},
             {"check"}
         }) {
        std::vector<std::string> all{TASK_WORKER_BINARY};
        all.insert(all.end(), words.begin(), words.end());
        const Finished done = roles.command(all, "shop");
        INFO(words.front() << ": " << done.errors);
        CHECK_THAT(done.output + done.errors, !Contains("permission denied"));
    }
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    CHECK_THAT(worker.output(), !Contains("permission denied") && !Contains("\"level\":\"error"));
    for (const char* sql :
         {"create table task_queue.mine (n int)",
          "drop table task_queue.dead_jobs",
          "truncate task_queue.bundles",
          "alter table task_queue.bundles add n int",
          "drop function task_queue.job(bigint)",
          "create function task_queue.mine() returns integer language sql as 'select 1'",
          "create or replace function task_queue.keeps(outcome text) returns boolean language sql as 'select true'",
          "create index mine on task_queue.bundles (id)",
          "create trigger mine before insert on task_queue.bundles execute function task_queue.tell_queues_changed()",
          "alter table task_queue.bundles disable trigger all",
          "delete from task_queue.migrations",
          "update task_queue.migrations set checksum = ''",
          "insert into task_queue.migrations (version, name, checksum) values (9, 'mine', '')",
          "set role task_worker_owner",
          "drop schema task_queue cascade",
          "create schema mine"}) {
        roles.refuses(sql, "shop");
    }
}

TEST_CASE("the application's role does everything that workers and commands do", "[scenario][roles]") {
    const Roles roles;
    const TemporaryFolder folder;
    folder.write(
        "config.yml",
        "retention: {completed: 1s, cancelled: 1s, discarded: 1s, batches: 1s}\n"
        "handlers:\n"
        "  fails: {exec: [sh, -c, 'echo \"{\\\"progress\\\": 1}\"; exit 1'], max_attempts: 2, backoff: {first: 10ms}}\n"
        "  gone: {exec: [sh, -c, 'exit 65']}\n"
        "  later: {exec: [sh, -c, 'exit 75']}\n"
        "  hangs: {exec: [sleep, '1000']}\n"
    );
    const std::vector<std::string> arguments{"--config", folder.path() + "/config.yml"};
    const auto ends_well = [&](std::vector<std::string> words) {
        words.insert(words.begin(), TASK_WORKER_BINARY);
        const Finished done = roles.command(words, "shop");
        INFO(words.at(1) << " " << words.at(2) << ": " << done.output << done.errors);
        CHECK(done.code == 0);
        return done.output;
    };
    const auto await = [&](const std::string& sql, const std::string& wanted) {
        await_value(roles.url("reports"), sql, wanted);
    };
    std::string logs;
    {
        WorkerProcess killed(roles.url("shop"), {}, arguments);
        ends_well({"enqueue", "hangs"});
        await("select count(*) from task_queue.jobs where kind = 'hangs' and state = 'running'", "1");
        WorkerProcess worker(roles.url("shop"), {}, arguments);
        killed.signal(SIGKILL);
        worker.wait_for_line("jobs of dead workers rescued");
        await("select count(*) from task_queue.jobs where kind = 'hangs' and state = 'running'", "1");
        ends_well({"job", "cancel", "--kind", "hangs", "--yes"});
        await("select count(*) from task_queue.jobs where kind = 'hangs' and state = 'running'", "0");
        ends_well({"enqueue", "fails"});
        ends_well({"enqueue", "later"});
        ends_well({"enqueue", "gone", "--batch", "b"});
        ends_well({"enqueue", "noop", "--delay", "1h"});
        await("select count(*) from task_queue.jobs where kind = 'noop'", "1");
        ends_well({"batch", "list"});
        ends_well({"queue", "resume", "default"});
        ends_well({"dead", "list"});
        worker.signal(SIGTERM);
        CHECK(worker.wait_exit() == 0);
        logs = killed.output() + worker.output();
    }
    await("select bool_and(died_at < now() - interval '1 s') from task_queue.dead_jobs", "t");
    {
        WorkerProcess next(roles.url("shop"), {}, arguments);  // leads, and prunes first of all
        await("select count(*) from task_queue.dead_jobs", "0");
        await("select count(*) from task_queue.batches", "0");
        next.signal(SIGTERM);
        CHECK(next.wait_exit() == 0);
        logs += next.output();
    }
    INFO(logs);
    CHECK_THAT(logs, !Contains("permission denied") && !Contains("must be owner") && !Contains("\"level\":\"error"));
    // Dead letters that are kept go back, or for ever.
    WorkerProcess worker(roles.url("shop"));
    psql(roles.url("shop"), "select task_queue.enqueue('echo', '{\"sleep_ms\": \"long\"}') from generate_series(1, 2)");
    await("select count(*) from task_queue.dead_jobs", "2");
    ends_well({"dead", "redrive", "--all"});
    await("select count(*) from task_queue.dead_jobs", "2");
    ends_well({"dead", "purge", "--all", "--yes"});
    CHECK(roles.value("select count(*) from task_queue.dead_jobs") == "0");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    CHECK_THAT(worker.output(), !Contains("permission denied"));
}

TEST_CASE("the reading role reads everything, for reports and backups, and cannot write", "[scenario][roles]") {
    const Roles roles;
    psql(roles.url("shop"), "select task_queue.create_partitions(20), task_queue.enqueue('noop', '{}')");
    CHECK(roles.value("select count(*) from task_queue.jobs") == "1");
    const Finished dump =
        roles.command({"/usr/bin/env", "pg_dump", roles.url("reports"), "--schema", "task_queue"}, "reports");
    INFO(dump.errors);
    CHECK(dump.code == 0);
    CHECK_THAT(dump.output, Contains("COPY task_queue.bundles"));
    for (const char* sql :
         {"select task_queue.enqueue('noop', '{}')",
          "delete from task_queue.dead_jobs",
          "update task_queue.queues set paused = true",
          "select nextval('task_queue.worker_ids')",
          "select task_queue.cancel(128)",
          "select task_queue.create_partitions(30)",
          "select task_queue.drop_partition('0')",
          "select task_queue.take_leadership(1, '1 s')",
          "begin; lock table task_queue.bundles",
          "drop view task_queue.jobs",
          "create table task_queue.mine (n int)"}) {
        roles.refuses(sql, "reports");
    }
    psql(roles.server.url(), "create role stranger login");
    roles.refuses("select count(*) from task_queue.jobs", "stranger");
}
