// Programs and servers that do wrong, in a real worker: each ends in a clear error on its job, nothing of it is left,
// and the worker goes on.
#include "tests/support/catch.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/http_run.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/shop.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace tests;

namespace {

struct Wrong {
    std::string kind;
    std::string handler;  // its keys in config.yml
    std::string error;    // how the job's error begins
    std::string args = "'{}'";
};

const std::string stream = "mode: stream, ";
const std::string large_args = "to_json(repeat('x', 1000000))";

std::string sh(const std::string& script) {
    return "exec: [sh, -c, \"" + script + "\"], ";
}

std::vector<Wrong> wrong_programs(const std::string& folder) {
    const std::string ignores = "trap '' TERM; while :; do sleep 3600; done";
    const std::string before = "the program ended before it answered: ";
    const std::string closed = "the program closed its standard ";
    return {
        {"gone", "exec: [/no/such/program]", "cannot run /no/such/program: No such file or directory"},
        {"dies", sh("echo why >&2; kill -SEGV $$"), "killed by SIGSEGV\nwhy"},
        {"hangs", sh("exec sleep 3600") + "timeout: 300ms", "timed out after 0."},
        {"ignores", sh(ignores) + "timeout: 300ms, kill_after: 100ms", "timed out after 0."},
        {"leaves-child", sh("sleep 3600 & exit 3"), "exit code 3"},
        {"leaves-group", sh("setsid sh -c 'echo $$ >>" + folder + "/left; exec sleep 3600' & exit 3"), "exit code 3"},
        {"pours", sh("head -c 50000000 /dev/zero; exit 3"), "exit code 3"},
        {"garbles", sh("echo '{\\\"result\\\": {'"), "the program's \"result\" line is not JSON: incomplete JSON"},
        {"deaf", sh("exec <&-; exit 3"), "exit code 3", large_args},
        {"stream-gone", stream + "exec: [/no/such/program]", "cannot run /no/such/program: No such file or directory"},
        {"stream-dies", stream + sh("read -r job; echo why >&2; exit 3"), before + "exit code 3\nwhy"},
        {"stream-hangs", stream + sh("read -r job; exec sleep 3600") + "timeout: 300ms", "timed out after 0."},
        {"stream-ignores", stream + sh(ignores) + "timeout: 300ms, kill_after: 100ms", "timed out after 0."},
        {"stream-leaves", stream + sh("read -r job; sleep 3600 & exit 3"), before + "exit code 3"},
        {"stream-pours", stream + sh("read -r job; head -c 50000000 /dev/zero; exit 3"), before + "exit code 3"},
        {"stream-garbles",
         stream + sh("read -r job; echo '{\\\"result\\\": {'; exec sleep 3600"),
         "the program's \"result\" line is not JSON: incomplete JSON"},
        {"stream-deaf",
         stream + sh("head -c 100 >/dev/null; exec <&-; exec sleep 3600"),
         closed + "input before it answered",
         large_args},
        {"stream-mute", stream + sh("read -r job; exec >&-; exec sleep 3600"), closed + "output before it answered"},
    };
}

std::vector<Wrong> wrong_servers(const HttpServer& server, const HttpServer& unknown, const std::string& refusing) {
    const auto at = [&](const std::string& path) { return "http: '" + server.url(path) + "', "; };
    const auto failed = [&](const std::string& path) { return "POST " + server.url(path) + ": "; };
    const std::string secret = unknown.url("/args", "localhost");
    return {
        {"http-refuses", "http: '" + refusing + "'", "POST " + refusing + ": Failed to connect"},
        {"http-hangs", at("/hang") + "timeout: 300ms", "timed out after 0."},
        {"http-hangs-later", at("/hang-in-body") + "timeout: 300ms", "timed out after 0."},
        {"http-redirects",
         at("/status?status=302&Location=/args"),
         "HTTP 302 Found: a redirect to \"/args\", not followed"},
        {"http-wrong-certificate",
         "http: '" + secret + "'",
         "POST " + secret + ": SSL certificate problem: unable to get local issuer certificate"},
        {"http-endless", at("/endless"), "the answer is over the limit of 65536 bytes"},
        {"http-endless-headers", at("/endless-headers"), failed("/endless-headers") + "its headers are over"},
        {"http-bad-retry-after",
         at("/status?status=503&Retry-After=soon"),
         "HTTP 503 Service Unavailable, its Retry-After cannot be understood: \"soon\""},
        {"http-breaks-off", at("/break-off"), failed("/break-off") + "the connection was closed in the middle"},
        {"http-garbage", at("/garbage"), failed("/garbage") + "its answer is not HTTP/1.1"},
        {"http-no-answer", at("/nothing"), failed("/nothing") + "the connection was closed without an answer"},
    };
}

// One that nobody listens at any more.
std::string refusing_url() {
    return HttpServer().url("/args");
}

std::unique_ptr<HttpServer> server_of_unknown_authority(const TemporaryFolder& folder) {
    const Authority authority;
    const Authority::Certificate issued = authority.issue("localhost");
    folder.write("certificate", issued.certificate);
    folder.write("key", issued.key);
    return std::make_unique<HttpServer>(folder.path() + "/certificate", folder.path() + "/key");
}

class Office {
public:
    Office() {
        std::string config = "worker: {concurrency: 4}\nhandlers:\n";
        wrong_ = wrong_programs(folder_.path());
        std::ranges::move(wrong_servers(server_, *unknown_, refusing_url()), std::back_inserter(wrong_));
        for (const Wrong& one : wrong_) config += "  " + one.kind + ": {max_attempts: 1, " + one.handler + "}\n";
        config += "  right: {" + sh("read -r job; echo '{\\\"result\\\": 1}'") + "}\n";
        config += "  stream-right: {" + stream + sh("while read -r job; do echo '{\\\"result\\\": 1}'; done") + "}\n";
        config += "  http-right: {http: '" + server_.url("/args") + "'}\n";
        folder_.write("config.yml", config);
    }
    ~Office() {
        std::ifstream left(folder_.path() + "/left");
        for (pid_t process = 0; left >> process;) ::kill(process, SIGKILL);
    }
    Office(const Office&) = delete;
    Office& operator=(const Office&) = delete;

    void enqueue_wrong() const {
        std::string calls;
        for (const Wrong& one : wrong_)
            calls += "select task_queue.enqueue('" + one.kind + "', " + one.args + "::json);";
        database_.psql(calls);
    }
    void enqueue_right() const {
        for (const std::string kind : {"right", "stream-right", "http-right"})
            database_.psql("select task_queue.enqueue('" + kind + "')");
    }
    void await_ended() const { database_.await("select count(*) from task_queue.bundles", "0"); }
    void check_errors(std::size_t times) const {
        for (const Wrong& one : wrong_) {
            INFO(one.kind);
            const std::string found = database_.value(
                "select count(*) || ' ' || min(errors -> 0 ->> 'error') from task_queue.dead_jobs "
                "join task_queue.kinds k on k.id = kind_id where k.name = '" +
                one.kind + "'"
            );
            CHECK_THAT(found, Catch::StartsWith(std::to_string(times) + " " + one.error));
        }
    }
    std::string completed() const {
        return database_.value("select count(*) from task_queue.jobs where state = 'completed'");
    }
    const std::string& url() const { return database_.url(); }
    std::vector<std::string> arguments() const { return {"--config", folder_.path() + "/config.yml"}; }

private:
    TestDatabase database_;
    TemporaryFolder folder_;
    HttpServer server_;
    std::unique_ptr<HttpServer> unknown_ = server_of_unknown_authority(folder_);
    std::vector<Wrong> wrong_;
};

// Reads it until it is no more than this; its last value.
template <class Read>
std::size_t await_at_most(std::size_t wanted, Read read) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::size_t value = read();
    while (value > wanted && std::chrono::steady_clock::now() < limit) value = read();
    return value;
}

}  // namespace

TEST_CASE(
    "what programs and servers do wrong ends in a clear error, leaves nothing, and the worker goes on",
    "[scenario][handlers][wrong]"
) {
    const Office office;
    const WorkerProcess worker(office.url(), {}, office.arguments());
    const auto round = [&] {
        office.enqueue_wrong();
        office.enqueue_right();
        office.await_ended();
    };
    round();  // what is opened once is open now
    const std::size_t descriptors = descriptors_of(worker.pid()).size();
    const std::size_t threads = threads_of(worker.pid());
    constexpr std::size_t slack = 6;  // connections that are kept, to the database and to the servers
    constexpr std::size_t stays = 1;  // the program of stream-right
    for (int turn = 0; turn < 3; ++turn) round();
    office.check_errors(4);
    CHECK(office.completed() == "12");
    CHECK(await_at_most(stays, [&] { return children_of(worker.pid()); }) == stays);
    CHECK(await_at_most(threads, [&] { return threads_of(worker.pid()); }) <= threads);
    CHECK(await_at_most(descriptors + slack, [&] {
              return descriptors_of(worker.pid()).size();
          }) <= descriptors + slack);
}
