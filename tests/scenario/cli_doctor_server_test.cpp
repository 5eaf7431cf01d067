// `doctor` on what a server has but once: its clock, and what outlives sessions and keeps dead rows.

#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/psql.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/skip.hpp"

#include <string>

using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("doctor tells that the server's clock is another", "[worker][cli][doctor][scenario]") {
    if (!FakeClock::is_installed()) {
        skip("no libfaketime is installed");
        return;
    }
    FakeClock clock;
    OwnServer server({.environment = clock.environment()});
    server.migrate();
    const Shell shell(server.url());
    const Finished right = shell.run({"doctor"});
    CHECK(right.code == 0);
    CHECK(holds(right.output, "ok       clock"));
    clock.set(1h);
    const Finished ahead = shell.run({"doctor"});
    INFO(ahead.output);
    CHECK(ahead.code == 1);
    CHECK(holds(ahead.output, "PROBLEM  clock        the server's clock is "));
    CHECK(holds(ahead.output, " ahead of this machine's"));
    clock.set(-1h);
    const Finished behind = shell.run({"doctor"});
    INFO(behind.output);
    CHECK(behind.code == 1);
    CHECK(holds(behind.output, " behind this machine's"));
}

TEST_CASE(
    "doctor names a prepared transaction that was left, and its advice ends it", "[worker][cli][doctor][scenario]"
) {
    OwnServer server({.server_settings = {"max_prepared_transactions=2"}});
    server.migrate();
    const Shell shell(server.url());
    CHECK(shell.run({"doctor", "--patience", "0s"}).code == 0);
    psql(server.url(), "begin; create table forgotten (); prepare transaction 'receipts of May';");
    CHECK(shell.run({"doctor"}).code == 0);  // not for long
    const Finished found = shell.run({"doctor", "--patience", "0s"});
    INFO(found.output);
    CHECK(found.code == 1);
    CHECK(holds(found.output, "PROBLEM  horizon      prepared transaction receipts of May began "));
    CHECK(holds(found.output, "-> finish it: rollback prepared 'receipts of May'\n"));
    psql(server.url(), "rollback prepared 'receipts of May'");
    CHECK(shell.run({"doctor", "--patience", "0s"}).code == 0);
}

TEST_CASE(
    "doctor names a replication slot that nobody reads, and its advice drops it", "[worker][cli][doctor][scenario]"
) {
    OwnServer server({.server_settings = {"wal_level=logical"}});
    server.migrate();
    const Shell shell(server.url());
    psql(server.url(), "select pg_create_logical_replication_slot('reader', 'pgoutput')");
    CHECK(shell.run({"doctor"}).code == 0);  // not far behind
    // Each round of the loop is a subtransaction with an id of its own.
    psql(server.url(), R"sql(
        create table numbers (n integer);
        do $$
        begin
            for n in 1 .. 100000 loop
                begin
                    insert into numbers values (n);
                exception when others then
                    raise;
                end;
            end loop;
        end
        $$
    )sql");
    const Finished found = shell.run({"doctor"});
    INFO(found.output);
    CHECK(found.code == 1);
    CHECK(holds(found.output, "PROBLEM  horizon      replication slot reader keeps dead rows of the catalogues"));
    const std::string advice = "select pg_drop_replication_slot('reader')";
    CHECK(holds(found.output, advice));
    psql(server.url(), advice);
    CHECK(shell.run({"doctor"}).code == 0);
}
