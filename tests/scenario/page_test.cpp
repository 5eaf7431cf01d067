// The live page at `/`, in a real browser.
#include "jobs/unique_fd.hpp"
#include "tests/support/browser.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/shop.hpp"
#include "tests/support/skip.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

// What a job that runs `flock -s FILE true` waits for, until the object is gone.
class Gate {
public:
    explicit Gate(const std::string& file) : file_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
        if (flock(file_.get(), LOCK_EX) != 0) throw std::runtime_error("cannot lock " + file);
    }

private:
    jobs::UniqueFd file_;
};

constexpr const char* no_browser = "no chromium here: deploy/dependencies browser installs it";

std::string url_of(WorkerProcess& worker) {
    const std::string ready = worker.wait_for_line("\"message\":\"ready\"");
    return "http://127.0.0.1:" + std::to_string(worker.http_port()) + "/";
}

// What the page says of the batch with this id; empty: nothing.
std::string batch_text(const std::string& id) {
    return "(document.querySelector('[data-batch=\"" + id + "\"]')?.innerText ?? '')";
}

}  // namespace

TEST_CASE("the live page follows a batch to its end, and shows what fails, as text", "[page][scenario]") {
    if (!Browser::is_installed()) return skip(no_browser);
    const Shop shop("flock -s $FOLDER/gate true; grep -q fail && exit 1; exit 0\n");
    std::optional<Gate> gate(shop.folder.path() + "/gate");
    const std::string id = "00000000-0000-0000-0000-000000000001";
    const std::string hostile = "<img src=x onerror=document.title=1>";
    shop.database.psql(
        "select task_queue.create_batch('" + id + "', name => '" + hostile +
        "');"
        "insert into task_queue.queues (name, paused) values ('later', true)"
    );
    WorkerProcess worker(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "3"}}, shop.arguments());
    Browser browser(1200, 900);
    browser.open(url_of(worker));
    browser.await_text("Nothing failed lately.");
    browser.await_text("0% · open");  // of nothing
    CHECK(browser.evaluate(batch_text(id) + ".includes('0 of 0 jobs')") == true);

    shop.enqueue("work", 8, "'{}'", ", batch_id => '" + id + "'");
    shop.enqueue("echo", 2, "'{}'", ", queue => 'later', delay => '1 h'");
    shop.database.psql("select task_queue.enqueue('work', '{\"word\": \"fail\"}', max_attempts => 1)");
    browser.await(batch_text(id) + ".includes('0 of 8 jobs · 3 running · 5 waiting')");
    browser.await("[...document.querySelectorAll('#queues tr')].some((row) => /later.*paused/s.test(row.innerText))");
    browser.await("document.querySelector('#tiles').innerText.includes('2\\nscheduled')");

    gate.reset();
    browser.await(batch_text(id) + ".includes('8 of 8 jobs')");
    browser.await_text("dead letter");
    browser.await("/work.*exit code 1/s.test(document.querySelector('#failures').innerText)");
    browser.await("/completed\\s*8/.test(document.querySelector('#ended').innerText)");
    shop.database.psql("select task_queue.seal_batch('" + id + "')");
    browser.await(batch_text(id) + ".includes('100% · finished')");

    CHECK_THAT(browser.text(), Contains(hostile));
    CHECK(
        browser.evaluate("document.images.length + document.title.length > 5 && document.images.length === 0") == true
    );
    CHECK(browser.complaints() == Strings{});
}

// As README shows it: UPDATE_GOLDEN=1 takes the picture anew.
TEST_CASE("the live page of a busy fleet fits wide and narrow windows", "[page][scenario]") {
    if (!Browser::is_installed()) return skip(no_browser);
    const Shop shop(
        "flock -s $FOLDER/gate true\n",
        "  mail: {exec: [sh, -c, 'echo \"no route to mail.example.org\" >&2; exit 1'], backoff: {first: 1h}}\n"
        "  scan: {exec: [sh, -c, 'echo \"{\\\"discard\\\": \\\"the picture is damaged: unexpected end of "
        "file\\\"}\"']}\n"
    );
    std::optional<Gate> gate(shop.folder.path() + "/gate");
    const std::string photos = "00000000-0000-0000-0000-000000000001";
    const std::string invoices = "00000000-0000-0000-0000-000000000002";
    shop.database.psql(
        "insert into task_queue.queues (name, paused) values ('mail', false), ('reports', true);"
        "select task_queue.create_batch('" +
        photos +
        "', name => 'photos of the summer');"
        "select task_queue.create_batch('" +
        invoices + "', name => 'invoices of November')"
    );
    shop.enqueue("echo", 86, "'{}'", ", batch_id => '" + photos + "'");
    shop.enqueue("scan", 4, "'{}'", ", batch_id => '" + photos + "'");
    shop.enqueue("echo", 120, "'{}'", ", batch_id => '" + invoices + "'");
    shop.database.psql("select task_queue.seal_batch('" + photos + "')");
    WorkerProcess first(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "8"}}, shop.arguments());
    WorkerProcess second(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "8"}}, shop.arguments());
    Browser browser(1200, 1080);
    browser.open(url_of(first));
    browser.await(batch_text(photos) + ".includes('finished')");
    browser.await(batch_text(invoices) + ".includes('120 of 120 jobs')");
    shop.enqueue("mail", 3, "'{}'", ", queue => 'mail'");
    shop.enqueue("echo", 25, "'{}'", ", queue => 'reports'");
    shop.enqueue("echo", 12'000, "'{}'", ", queue => 'reports', delay => '8 h'");
    browser.await("/mail.*and 2 more/.test(document.querySelector('#failures').innerText)");
    browser.await("/12K/.test(document.querySelector('#queues').innerText)");
    shop.enqueue("work", 140, "'{}'", ", batch_id => '" + invoices + "'");
    browser.await(batch_text(invoices) + ".includes('running')");
    for (const bool dark : {true, false}) {
        browser.prefer_dark(dark);
        for (const int width : {360, 700, 1200}) {
            browser.resize(width, 1080);
            INFO(width);
            // Nothing stands out to the right: tables scroll by themselves.
            CHECK(browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth") == true);
        }
    }
    if (std::getenv("UPDATE_GOLDEN") != nullptr) browser.save_picture(TASK_WORKER_SOURCE_DIR "/docs/page.png");
    CHECK(browser.complaints() == Strings{});
    gate.reset();
    shop.database.await("select count(*) from task_queue.jobs where kind = 'work' and state = 'completed'", "140");
}

TEST_CASE("the live page of any worker shows the fleet, and says when one is gone", "[page][scenario]") {
    if (!Browser::is_installed()) return skip(no_browser);
    const TestDatabase database;
    WorkerProcess leader(database.url());
    leader.wait_for_line("leading: this worker does the maintenance");
    WorkerProcess other(database.url());
    Browser browser(1000, 800);
    browser.open(url_of(other));
    browser.await("document.querySelectorAll('#workers tbody tr').length === 2");
    browser.await("document.querySelector('#tiles').innerText.includes('2\\nworkers')");
    CHECK(browser.text().find("leads the fleet") == std::string::npos);
    browser.await_text("2 (this)");

    leader.signal(SIGTERM);
    CHECK(leader.wait_exit() == 0);
    browser.await_text("stopped");
    browser.await_text("leads the fleet");
    other.signal(SIGTERM);
    CHECK(other.wait_exit() == 0);
    browser.await_text("This worker does not answer");
    CHECK(browser.evaluate("document.querySelector('#state').innerText") == "gone");
}

TEST_CASE("the live page keeps what it knows while the database is away", "[page][scenario]") {
    if (!Browser::is_installed()) return skip(no_browser);
    OwnServer server;
    server.migrate();
    WorkerProcess worker(server.url(), {{"DB_POOL_TIMEOUT", "1s"}});
    Browser browser(1000, 800);
    browser.open(url_of(worker));
    browser.await_text("1 (this)");
    server.stop(OwnServer::Stop::immediate);
    browser.await_text("The database did not answer");
    CHECK(browser.evaluate("/what is below is [0-9.]+ (s|ms) old/.test(document.body.innerText)") == true);
    CHECK_THAT(browser.text(), Contains("1 (this)"));
    server.start();
    browser.await("document.querySelector('#trouble').hidden");
}

TEST_CASE("the fleet is read only when somebody asks", "[page][scenario]") {
    const TestDatabase database;
    WorkerProcess worker(database.url());
    const std::string read = "statement=\"list_recent_failures\"";
    worker.wait_for_line("leading: this worker does the maintenance");
    CHECK(http_get(worker, "/metrics").find(read) == std::string::npos);
    CHECK_THAT(http_get(worker, "/status"), Contains("\"fleet\":{\"age_seconds\":null,\"trouble\":null}"));
    while (http_get(worker, "/status").find("\"failures\":[]") == std::string::npos) {
    }
    CHECK_THAT(http_get(worker, "/metrics"), Contains(read));
}
