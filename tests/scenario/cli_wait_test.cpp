// `job wait`.

#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <string>

using namespace tests;

TEST_CASE("job wait ends with the job: 0 when it completed, else 1", "[worker][cli][wait][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    REQUIRE(shell.run({"enqueue", "echo", "--args", "{}"}).code == 0);
    shell.refuses({"job", "wait", "128", "--timeout", "0"}, 1, "is available: see task-worker job why 128");
    Child waiting(shell.command({"job", "wait", "128"}));
    const WorkerProcess worker(database.url());
    const Finished completed = waiting.wait();
    CHECK(completed.code == 0);
    CHECK(completed.output == "job 128 completed\n");

    const std::string later = shell.run({"enqueue", "echo", "-q", "--at", "2040-01-01"}).output;
    Child until(shell.command({"job", "wait", "256", "--json"}));
    REQUIRE(later == "256\n");
    REQUIRE(shell.run({"job", "cancel", "256"}).code == 0);
    const Finished cancelled = until.wait();
    CHECK(cancelled.code == 1);
    CHECK(cancelled.output == "{\"job\": 256, \"state\": \"cancelled\"}\n");
    shell.refuses({"job", "wait", "1"}, 1, "there is no job 1");
}
