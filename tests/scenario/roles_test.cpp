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
          "create schema mine"}) {
        roles.refuses(sql, "shop");
    }
}

TEST_CASE(
    "the owner's role sets up documents, the application's ingests, the reading one searches", "[scenario][roles]"
) {
    const Roles roles;
    const TemporaryFolder folder;
    folder.write("a.txt", "a walrus");
    const auto documents = [&](std::vector<std::string> words, const std::string& user) {
        words.insert(words.begin(), {TASK_WORKER_BINARY, "documents"});
        words.insert(words.end(), {"--set", "documents.root=" + folder.path()});
        const Finished done = roles.command(words, user);
        INFO(done.errors);
        CHECK(done.code == 0);
        return done.output;
    };
    CHECK(roles.command({TASK_WORKER_BINARY, "documents", "setup"}, "shop").code == 1);
    for (int time = 0; time < 2; ++time) documents({"setup"}, "migrator");
    CHECK(
        roles.value("select pg_get_userbyid(relowner) from pg_class where oid = 'documents.chunks'::regclass") ==
        "task_worker_owner"
    );
    const WorkerProcess worker(roles.url("shop"), {{"TASK_WORKER_DOCUMENTS_ROOT", folder.path()}});
    documents({"ingest", folder.path(), "--watch"}, "shop");
    CHECK_THAT(documents({"search", "walrus"}, "reports"), Contains("**walrus**"));
    roles.refuses("drop table documents.chunks", "shop");
    roles.refuses("delete from documents.files", "reports");
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
          "create table task_queue.mine (n int)"}) {
        roles.refuses(sql, "reports");
    }
    psql(roles.server.url(), "create role stranger login");
    roles.refuses("select count(*) from task_queue.jobs", "stranger");
}
