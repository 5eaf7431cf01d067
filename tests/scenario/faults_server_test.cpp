// What a worker does when the server, or the pooler in front of it, goes away and comes back.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/pgbouncer.hpp"

#include <libpq-fe.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// Every connection that the server has left.
class Hoard {
public:
    void take(const std::string& url) {
        for (;;) {
            Connection connection(PQconnectdb(url.c_str()), PQfinish);
            if (PQstatus(connection.get()) != CONNECTION_OK) return;
            connections_.push_back(std::move(connection));
        }
    }
    // Ends all sessions of the worker and takes their places before it can.
    void take_from_worker(const std::string& url) {
        PQclear(PQexec(
            connections_.front().get(),
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'task-worker'"
        ));
        take(url);
    }
    std::size_t size() const { return connections_.size(); }

private:
    using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
    std::vector<Connection> connections_;
};

}  // namespace

TEST_CASE("a crash and restart of the server costs no job and no worker", "[scenario][faults]") {
    OwnServer server;
    server.migrate();
    FaultBed bed(server.url());
    WorkerProcess worker(server.url(), FaultBed::environment(), bed.arguments());
    for (const OwnServer::Stop how : {OwnServer::Stop::immediate, OwnServer::Stop::fast}) {
        bed.enqueue(100);
        bed.await_running();
        server.stop(how);
        server.start();
        const auto since = FaultBed::now();
        bed.enqueue(10);
        bed.await_recovery("server restart", since);
    }
    CHECK(bed.loss().empty());
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
}

// The leader looks first when the server is back, and sees the other's beat of before: older than a lease, and unmoved.
TEST_CASE("a server that is away longer than a lease kills nobody", "[scenario][faults]") {
    OwnServer server;
    server.migrate();
    FaultBed bed(server.url());
    const auto environment = FaultBed::environment({{"TASK_WORKER_WORKER_LEASE_TIMEOUT", "4s"}});
    WorkerProcess leader(server.url(), environment, bed.arguments());
    bed.await("select count(*) from task_queue.leaders", "1");
    WorkerProcess other(server.url(), environment, bed.arguments());
    bed.enqueue(500);
    bed.await_running();
    other.signal(SIGSTOP);
    const std::string seen = bed.value("select expires_at from task_queue.leaders");
    bed.await("select expires_at > '" + seen + "' from task_queue.leaders", "t");
    server.stop(OwnServer::Stop::fast);
    const auto away = FaultBed::now();
    leader.wait_for_line("Is the server running");
    leader.wait_for_line("maintenance failed, it will be tried again");
    leader.wait_for_line("no heartbeat was accepted for two thirds of lease_timeout: stopping every handler");
    std::this_thread::sleep_until(away + 4s);  // time itself is what is tested: a lease, and longer than a leader's
    server.start();
    leader.wait_for_line("maintenance works again");
    other.signal(SIGCONT);
    const auto since = FaultBed::now();
    bed.enqueue(20);
    bed.await_recovery("server away", since);
    CHECK(bed.loss().empty());
    for (WorkerProcess* worker : {&leader, &other})
        worker->wait_for_line("the lease had ended: going on as a new worker");
    CHECK(bed.declared_dead() == "0");
}

TEST_CASE("backends killed while they work cost no job", "[scenario][faults]") {
    const TestDatabase database;
    FaultBed bed(database.url());
    const WorkerProcess worker(database.url(), FaultBed::environment(), bed.arguments());
    for (int i = 0; i < 20; ++i) {
        bed.enqueue(20);
        bed.await_running();
        bed.sql(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        );
    }
    const auto since = FaultBed::now();
    bed.enqueue(10);
    bed.await_recovery("killed backends", since);
    CHECK(bed.loss().empty());
    CHECK_THAT(worker.output(), Contains("terminating connection due to administrator command"));
}

TEST_CASE("a server without a free connection is waited for, and the log says what is short", "[scenario][faults]") {
    OwnServer server({.server_settings = {"max_connections=20", "superuser_reserved_connections=0"}});
    server.migrate();
    FaultBed bed(server.url());
    WorkerProcess worker(server.url(), FaultBed::environment(), bed.arguments());
    bed.enqueue(500);
    bed.await_running();
    {
        Hoard hoard;
        hoard.take(server.url());
        do {
            hoard.take_from_worker(server.url());
        } while (hoard.size() < 20);
        worker.wait_for_line("too many clients already");
        CHECK_THAT(worker.wait_for_line("heartbeat not accepted"), Contains("terminating connection"));
    }
    const auto since = FaultBed::now();
    bed.enqueue(10);
    bed.await_recovery("exhausted server", since);
    CHECK(bed.loss().empty());
}

TEST_CASE("a restart of PgBouncer costs no job and no worker", "[scenario][faults][pooler]") {
    const TestDatabase database;
    FaultBed bed(database.url());
    PgBouncer pooler(psql(server_url(), "show unix_socket_directories").at(0).at(0));
    Process::Environment environment = FaultBed::environment({{"DB_POOLER", "transaction"}});
    SECTION("with direct_url") {
        environment["DATABASE_DIRECT_URL"] = database.url();
    }
    SECTION("without") {}
    WorkerProcess worker(pooler.url(database.name()), environment, bed.arguments());
    for (int i = 0; i < 3; ++i) {
        bed.enqueue(100);
        bed.await_running();
        pooler.stop();
        worker.wait_for_line("Is the server running");
        pooler.start();
        const auto since = FaultBed::now();
        bed.enqueue(10);
        bed.await_recovery("PgBouncer restart", since);
    }
    CHECK(bed.loss().empty());
}
