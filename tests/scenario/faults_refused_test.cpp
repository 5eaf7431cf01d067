// A server that refuses what the worker asks of it: it is read-only, or forbids it, or ends a deadlock. The worker says
// so, goes on, and works again when the cause is gone.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

namespace {

// Of the log, where the message is followed by what the server said.
std::string refused(const std::string& loop, const std::string& reason) {
    return loop + "\",\"error\":\"" + reason;
}
const std::string heartbeat = "heartbeat not accepted";
const std::string claimer = "claiming and writing failed, it will be tried again";
const std::string listener = "not listening, polling instead";

void wait_for_recovery(WorkerProcess& worker) {
    worker.wait_for_line("heartbeat accepted again");
    worker.wait_for_line("claiming and writing work again");
}

// A login of its own for the worker.
struct OwnRole {
    explicit OwnRole(const TestDatabase& of) : database(of), name("of_" + of.name()) {
        database.psql("create role " + name + " login");
    }
    // The rights that migrations give to task_worker_app.
    void grant() const {
        database.psql(fmt::format(
            "grant usage on schema task_queue to {0}; "
            "grant select, insert, update, delete on all tables in schema task_queue to {0}; "
            "grant usage, select on all sequences in schema task_queue to {0}; "
            "grant execute on all functions in schema task_queue to {0}",
            name
        ));
    }
    ~OwnRole() { database.psql("drop owned by " + name + "; drop role " + name); }
    OwnRole(const OwnRole&) = delete;
    OwnRole& operator=(const OwnRole&) = delete;

    std::string url() const {
        const std::string other = "postgres@";
        std::string url = database.url();
        return url.replace(url.find(other), other.size(), name + "@");
    }
    void cut() const {
        database.psql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '" + name + "'");
    }

    const TestDatabase& database;
    std::string name;
};

// Two sessions that each hold what the other wants: the worker waits for a table first, this one for its row then. So
// the worker's session is the one that finds the circle and is ended, in a second from when it began to wait.
class Deadlock {
public:
    explicit Deadlock(const TestDatabase& database) : database_(database), other_(database) {
        other_.execute("set local deadlock_timeout = '1h'");
    }
    // The circle closes around a session that has changed a row of `changed` and waits for `table`.
    void close(const std::string& table, const std::string& changed) {
        await_waiting(table, changed);
        other_.execute("select from " + changed + " for update");
        other_.rollback();
    }
    // Such a session is ended by an administrator instead.
    void terminate(const std::string& table, const std::string& changed) {
        const std::string pid = await_waiting(table, changed);
        database_.psql("select pg_terminate_backend(" + pid + ", 5000)");
        other_.rollback();
    }
    void lock(const std::string& table) { other_.execute("lock table " + table + " in access exclusive mode"); }

    // Long enough for the circle to close in time on a slow machine.
    static void prepare(const TestDatabase& database) {
        database.psql("alter database " + database.name() + " set deadlock_timeout = '2s'");
    }
    // What waits so long gives up by no deadline of its own.
    static Process::Environment environment(Process::Environment more = {}) {
        more.insert({{"DB_STATEMENT_TIMEOUT", "20s"}, {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "60s"}});
        return FaultBed::environment(std::move(more));
    }

private:
    std::string await_waiting(const std::string& table, const std::string& changed) const {
        const auto limit = FaultBed::now() + 30s;
        const std::string waiting = fmt::format(
            "select coalesce(min(pid), 0) from pg_locks w join pg_locks h using (pid) join pg_locks x using (pid) "
            "where not w.granted and w.relation = '{}'::regclass and h.granted and h.relation = '{}'::regclass "
            "and h.mode = 'RowExclusiveLock' and x.granted and x.locktype = 'transactionid'",
            table,
            changed
        );
        for (;;) {
            if (const std::string pid = database_.value(waiting); pid != "0") return pid;
            if (FaultBed::now() > limit) throw std::runtime_error("nobody who has changed " + changed + " waits");
        }
    }

    const TestDatabase& database_;
    OpenTransaction other_;
};

}  // namespace

// Every host is tried, as by a name that leads to the standby before it was promoted: heartbeat, claims and LISTEN are
// refused there. It lasts longer than the lease.
TEST_CASE("a failover to a standby costs no job, and needs nobody", "[scenario][faults][refused]") {
    OwnServer primary;
    primary.migrate();
    const OwnServer standby({.standby_of = primary.url()});
    psql(primary.url(), "alter system set synchronous_standby_names = '*'");
    psql(primary.url(), "alter system set synchronous_commit = 'remote_apply'");
    psql(primary.url(), "select pg_reload_conf()");
    const std::string both = fmt::format(
        "postgresql://postgres@/postgres?host={},{}", primary.socket_folder().string(), standby.socket_folder().string()
    );
    FaultBed bed(both + "&target_session_attrs=read-write");
    bed.await("show synchronous_standby_names", "*");
    WorkerProcess worker(both, FaultBed::environment({{"TASK_WORKER_WORKER_LEASE_TIMEOUT", "6s"}}), bed.arguments());
    bed.enqueue(500);
    bed.await_running();
    primary.stop(OwnServer::Stop::immediate);
    worker.wait_for_line(refused(heartbeat, "cannot execute UPDATE in a read-only transaction"));
    worker.wait_for_line(refused(claimer, "cannot execute"));
    worker.wait_for_line(refused(listener, "cannot execute LISTEN during recovery"));
    worker.wait_for_line("no heartbeat was accepted for two thirds of lease_timeout: stopping every handler");
    psql(standby.url(), "select pg_promote()");
    const auto since = FaultBed::now();
    bed.enqueue(10);
    bed.await_recovery("failover", since);
    worker.wait_for_line("heartbeat accepted again");
    worker.wait_for_line("listening again");
    CHECK(bed.loss().empty());
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
}

// As where an address leads to the old primary for a while after a failover: who goes on with those connections stays
// with it for ever. There is one connection, so that no other takes its place.
TEST_CASE("connections to a server that takes no writes are given up for new ones", "[scenario][faults][refused]") {
    const TestDatabase database;
    const OwnRole role(database);
    role.grant();
    FaultBed bed(database.url());
    const auto environment = FaultBed::environment({{"DB_POOL_SIZE", "1"}, {"DB_MAX_OVERFLOW", "0"}});
    WorkerProcess worker(role.url(), environment, bed.arguments());
    bed.enqueue(100);
    bed.await_running();
    bed.sql("alter role " + role.name + " set default_transaction_read_only = on");
    role.cut();
    worker.wait_for_line(refused(heartbeat, "cannot execute UPDATE in a read-only transaction"));
    worker.wait_for_line(refused(claimer, "cannot execute"));
    bed.sql("alter role " + role.name + " reset default_transaction_read_only");
    const auto since = FaultBed::now();
    bed.enqueue(10);
    bed.await_recovery("read-only server", since);
    wait_for_recovery(worker);
    CHECK(bed.loss().empty());
}

TEST_CASE("a worker whose rights are taken goes on when it has them again", "[scenario][faults][refused]") {
    const TestDatabase database;
    const OwnRole role(database);
    role.grant();
    FaultBed bed(database.url());
    WorkerProcess worker(role.url(), FaultBed::environment(), bed.arguments());
    bed.enqueue(100);
    bed.await_running();
    const std::string rights = "update on task_queue.bundles, task_queue.workers, task_queue.leaders";
    const std::string look = "maintenance failed, it will be tried again\",\"step\":\"look";
    bed.sql("revoke " + rights + " from " + role.name);
    worker.wait_for_line(refused(heartbeat, "permission denied for table workers"));
    worker.wait_for_line(refused(claimer, "permission denied for table"));
    worker.wait_for_line("no heartbeat was accepted for two thirds of lease_timeout: stopping every handler");
    worker.wait_for_line(refused(look, "permission denied for table leaders"));
    bed.sql("grant " + rights + " to " + role.name);
    const auto since = FaultBed::now();
    bed.enqueue(10);
    bed.await_recovery("lost rights", since);
    wait_for_recovery(worker);
    worker.wait_for_line("maintenance works again");
    CHECK(bed.loss().empty());
}

TEST_CASE("a heartbeat that a deadlock ends is sent again", "[scenario][faults][refused]") {
    const TestDatabase database;
    Deadlock::prepare(database);
    const FaultBed bed(database.url());
    // Behind a pooler it reads the queues with each beat: that makes two locks.
    WorkerProcess worker(database.url(), Deadlock::environment({{"DB_POOLER", "transaction"}}), bed.arguments());
    Deadlock deadlock(database);
    deadlock.lock("task_queue.queues");
    deadlock.close("task_queue.queues", "task_queue.workers");
    worker.wait_for_line(refused(heartbeat, "deadlock detected"));
    worker.wait_for_line("heartbeat accepted again");
}

TEST_CASE(
    "outcomes that a deadlock, or the end of a backend, keeps from being written are written again",
    "[scenario][faults][refused]"
) {
    const TestDatabase database;
    Deadlock::prepare(database);
    FaultBed bed(database.url());
    const TemporaryFolder folder;
    const std::string pipe = folder.path() + "/pipe";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    folder.write("config.yml", fmt::format("handlers: {{wait: {{exec: [cat, {}]}}}}", pipe));
    // With its only slot taken it claims nothing meanwhile.
    const auto environment = Deadlock::environment({{"TASK_WORKER_WORKER_CONCURRENCY", "1"}});
    WorkerProcess worker(database.url(), environment, {"--config", folder.path() + "/config.yml"});
    const std::string job = bed.value("select task_queue.enqueue('wait')");
    std::ofstream end(pipe);  // the program has opened the other end
    Deadlock deadlock(database);
    deadlock.lock("task_queue.workers");
    end.close();
    // The claim, which asks whether the worker lives, goes out behind the outcome.
    SECTION("deadlock") {
        deadlock.close("task_queue.workers", "task_queue.bundles");
        worker.wait_for_line(refused(claimer, "deadlock detected"));
    }
    SECTION("end of the backend") {
        deadlock.terminate("task_queue.workers", "task_queue.bundles");
        worker.wait_for_line(refused(claimer, "terminating connection due to administrator command"));
    }
    bed.await("select state from task_queue.job(" + job + ")", "completed");
    CHECK(bed.value("select attempt from task_queue.job(" + job + ")") == "1");
    worker.wait_for_line("claiming and writing work again");
}

TEST_CASE("a start that the server refuses says what to do", "[scenario][faults][refused][start]") {
    const TestDatabase database;
    const OwnRole role(database);
    std::string remedy;
    SECTION("without rights") {
        remedy = "grant it the role task_worker_app";
    }
    SECTION("where it may not write") {
        role.grant();
        database.psql("alter role " + role.name + " set default_transaction_read_only = on");
        remedy = "target_session_attrs=read-write";
    }
    Process worker(TASK_WORKER_BINARY, {"run", "--url", role.url(), "--set", "http.listen=127.0.0.1:0"});
    CHECK(worker.wait_exit() == 1);
    CHECK_THAT(worker.output(), Catch::Contains(remedy));
    CHECK(database.value("select count(*) from task_queue.workers") == "0");
}
