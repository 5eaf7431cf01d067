// The exec handler: whatever happens, no process and no descriptor is left behind.

#include "jobs/exec.hpp"
#include "jobs/process.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exec_run.hpp"
#include "tests/support/process_end.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("exec kills what a program leaves behind in its group", "[jobs][exec]") {
    Seen seen;
    CHECK(run_script("sleep 3600 & echo $!", &seen) == "complete");
    REQUIRE(seen.log.size() == 1);
    CHECK(ends(std::stoi(seen.log[0].substr(2))));
}

TEST_CASE("exec does not wait for a process that left the group with the output open", "[jobs][exec]") {
    const TemporaryFolder folder;
    Seen seen;
    const std::string fifo = folder.path() + "/left";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    // The program ends only once the other process has a session of its own.
    CHECK(run_script("setsid sh -c 'echo $$ >" + fifo + "; exec sleep 3600' & cat " + fifo, &seen) == "complete");
    REQUIRE(seen.log.size() == 1);
    const pid_t left = std::stoi(seen.log[0].substr(2));
    CHECK(is_alive(left));
    ::kill(left, SIGKILL);
}

TEST_CASE("exec runs many at once on several threads and leaves nothing behind", "[jobs][exec]") {
    run_script("exit 0");  // whatever is opened once is open now
    const std::size_t descriptors = open_descriptors();
    constexpr int runs = 3000;  // a readiness that belongs to a descriptor closed before shows about once in 500
    std::atomic<int> next = 0;
    std::atomic<int> right = 0;
    const Handler echo = make_exec_handler(sh(R"(read -r job; echo line >&2; echo '{"result":'$JOB_ID'}')"));
    ExecSpec nothing;
    nothing.command = {"true"};
    const Handler quick = make_exec_handler(nothing);
    const auto run_some = [&]() -> boost::asio::awaitable<void> {
        for (int run = next++; run < runs; run = next++) {
            Job job = a_job();
            job.id = queue::JobId{run};
            JobContext context(job);
            const bool is_echo = run % 10 == 0;
            const Handler& handler = is_echo ? echo : quick;
            const Outcome outcome = co_await handler(context);
            right += outcome_text(outcome) == (is_echo ? "complete " + std::to_string(run) : "complete") ? 1 : 0;
        }
    };
    {
        boost::asio::io_context context(4);
        for (int slot = 0; slot < 8; ++slot) {
            boost::asio::co_spawn(context, run_some, [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            });
        }
        // A thread's end would kill the programs it started: it goes on until all have ended.
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) threads.emplace_back([&] { context.run(); });
    }
    CHECK(right == runs);
    CHECK(open_descriptors() == descriptors);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("exec kills and collects a program whose context is destroyed", "[jobs][exec]") {
    Seen seen;
    const std::size_t descriptors = open_descriptors();
    JobContext job(a_job(), seen.hooks());
    const Handler handler = make_exec_handler(sh("echo $$; exec sleep 3600"));
    {
        boost::asio::io_context context;
        seen.on_line = [&](std::string_view) { context.stop(); };
        boost::asio::co_spawn(context, [&] { return handler(job); }, [](std::exception_ptr, Outcome) {});
        context.run();
    }
    REQUIRE(seen.log.size() == 1);
    CHECK(!is_alive(std::stoi(seen.log[0].substr(2))));
    CHECK(open_descriptors() == descriptors);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

// Of a worker of its own, which runs the script as a handler: a fork of this process. The script's first line is a
// process.
class KilledWorker {
public:
    explicit KilledWorker(const std::string& script) {
        REQUIRE(::fcntl(pipe_.reader.get(), F_SETFL, 0) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            Seen seen;
            seen.on_line = [&](std::string_view line) {
                const std::string text = std::string(line) + "\n";
                if (::write(pipe_.writer.get(), text.data(), text.size()) < 0) ::_exit(1);
            };
            JobContext context(a_job(), seen.hooks());
            run_in(context, sh(script));
            ::_exit(0);
        }
    }
    pid_t first_line() const {
        std::array<char, 32> text{};
        REQUIRE(::read(pipe_.reader.get(), text.data(), text.size() - 1) > 0);
        return std::atoi(text.data());
    }
    void kill() const {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

private:
    Pipe pipe_ = make_pipe();
    pid_t pid_ = -1;
};

TEST_CASE("exec's program, and what it has started, die with a worker that is killed", "[jobs][exec]") {
    const KilledWorker worker(GENERATE("echo $$; exec sleep 3600", "sleep 3600 & echo $!; wait"));
    const pid_t program = worker.first_line();
    REQUIRE(is_alive(program));
    worker.kill();
    CHECK(ends(program));
}
