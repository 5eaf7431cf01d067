// The exec handler with real programs, most of them a few lines for sh.

#include "jobs/exec.hpp"

#include "jobs/process.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>
#include <thread>

using namespace jobs;
using namespace std::chrono_literals;
using tests::outcome_text;

namespace {

namespace fs = std::filesystem;

ExecSpec sh(const std::string& script) {
    ExecSpec spec;
    spec.command = {"sh", "-c", script};
    return spec;
}

Job a_job(std::string_view args = "{}") {
    Job job;
    job.id = queue::JobId{256};
    job.kind = "test";
    job.args = boost::json::parse(boost::json::string_view(args.data(), args.size()));
    return job;
}

// What the hooks saw. The hooks run on the strand of one run; `on_line` can act on a line while the program runs.
struct Seen {
    std::vector<std::string> progress;  // "DONE/TOTAL MESSAGE"
    std::vector<std::string> log;       // "i LINE" from stdout, "w LINE" from stderr
    std::function<void(std::string_view)> on_line;

    ContextHooks hooks() {
        return {
            .on_progress =
                [this](const Job&, const Progress& update) {
                    progress.push_back(
                        std::to_string(update.done) + "/" + std::to_string(update.total) + " " + update.message
                    );
                },
            .on_log =
                [this](const Job&, LogLevel level, std::string_view line) {
                    log.push_back((level == LogLevel::warning ? "w " : "i ") + std::string(line));
                    if (on_line) on_line(line);
                },
            .checkout = {},
        };
    }
};

std::string run_in(JobContext& context, const ExecSpec& spec) {
    const Handler handler = make_exec_handler(spec);
    return outcome_text(tests::run([&] { return handler(context); }));
}

std::string run_spec(const ExecSpec& spec, Seen* seen = nullptr, std::string_view args = "{}") {
    Seen unseen;
    JobContext context(a_job(args), (seen ? *seen : unseen).hooks());
    return run_in(context, spec);
}

std::string run_script(const std::string& script, Seen* seen = nullptr) {
    return run_spec(sh(script), seen);
}

using Lines = std::vector<std::string>;

bool is_alive(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(status, text);
    const std::size_t name_end = text.rfind(')');
    return name_end != std::string::npos && text.compare(name_end, 3, ") Z") != 0;  // a zombie is dead
}

// Waits until a killed process is gone: its end is the kernel's work, a moment after the signal.
bool ends(pid_t pid) {
    for (int step = 0; step < 500 && is_alive(pid); ++step) std::this_thread::sleep_for(10ms);
    return !is_alive(pid);
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

// A folder that is there as long as the test.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "exec_test_XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string file(
        const std::string& name, const std::string& content, fs::perms permissions = fs::perms::owner_all
    ) {
        const fs::path path = path_ / name;
        std::ofstream(path) << content;
        fs::permissions(path, permissions);
        return path.string();
    }
    std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

}  // namespace

TEST_CASE("exec maps how a program ends to an outcome", "[jobs][exec]") {
    struct Row {
        std::string script;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {"exit 0", "complete"},
        {"echo hello", "complete"},
        {R"(echo '{"result": {"n": 1}}')", R"(complete {"n":1})"},
        {R"(echo '{"result": 1}'; echo '{"result": 2}')", "complete 2"},
        {R"(printf '{"result": 3}')", "complete 3"},
        {R"(echo '{"result": 1}'; exit 1)", "retry: exit code 1"},
        {R"(echo '{"result": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
         "retry: the program's \"result\" line is not JSON: incomplete JSON"},
        {"echo out; echo why >&2; exit 3", "retry: exit code 3\nwhy"},
        {"echo out; exit 3", "retry: exit code 3\nout"},
        {"printf 'no\\377end' >&2; exit 4",
         "retry: exit code 4\nno\xEF\xBF\xBD"
         "end"},
        {"exit 65", "discard: exit code 65"},
        {"echo gone >&2; exit 65", "discard: exit code 65\ngone"},
        {"exit 75", "snooze 60000 ms: exit code 75"},
        {"exit 255", "retry: exit code 255"},
        {"kill -SEGV $$", "retry: killed by SIGSEGV"},
        {"kill -KILL $$", "retry: killed by SIGKILL, not by this worker: out of memory, perhaps"},
        {"kill -TERM $$", "retry: killed by SIGTERM"},
        {R"(echo '{"retry": {"after": 2, "error": "busy"}}')", "retry after 2000 ms: busy"},
        {R"(echo '{"snooze": 5}'; exit 1)", "snooze 5000 ms: the program asked for it"},
        {R"(echo '{"discard": "never"}'; exit 75)", "discard: never"},
        {R"(echo '{"discard": "never"}'; kill -KILL $$)",
         "retry: killed by SIGKILL, not by this worker: out of memory, perhaps"},
    }));
    INFO(row.script);
    CHECK(run_script(row.script) == row.expected);
}

TEST_CASE("exec reports progress and log lines while the program runs", "[jobs][exec]") {
    Seen seen;
    CHECK(
        run_script(
            R"(echo start; echo '{"progress": {"done": 1, "total": 2, "message": "half"}}'; echo '{"progress": 100}'
               echo '{"progress": "most"}'; echo careful >&2; echo '{"a": 1, "result": 5}')",
            &seen
        ) == "complete"
    );
    CHECK(seen.progress == Lines{"1/2 half", "100/100 "});
    std::ranges::sort(seen.log);  // the two streams are not ordered against each other
    CHECK(
        seen.log ==
        Lines{
            "i start",
            R"(i {"a": 1, "result": 5})",
            R"(i {"progress": "most"})",
            R"(w "progress" takes a percentage or {"done": 3, "total": 10, "message": "..."})",
            "w careful",
        }
    );
}

TEST_CASE("exec gives the job on stdin, whatever its size, and then the end", "[jobs][exec]") {
    Seen seen;
    CHECK(run_spec(sh("cat"), &seen, R"({"path": "a b"})") == "complete");
    REQUIRE(seen.log.size() == 1);
    const boost::json::value document = boost::json::parse(seen.log[0].substr(2));
    CHECK(document.at("id") == 256);
    CHECK(document.at("args").at("path") == "a b");
    const std::string large(std::size_t{1} << 20U, 'x');
    Seen count;
    CHECK(run_spec(sh("wc -c"), &count, "[\"" + large + "\"]") == "complete");
    REQUIRE(count.log.size() == 1);
    CHECK(std::stoul(count.log[0].substr(2)) > large.size());
}

TEST_CASE("exec does not mind a program that never reads its stdin", "[jobs][exec]") {
    const std::string large(std::size_t{1} << 20U, 'x');
    CHECK(run_spec(sh("exec <&-; exit 0"), nullptr, "[\"" + large + "\"]") == "complete");
    CHECK(run_spec(sh("head -c 10 >/dev/null"), nullptr, "[\"" + large + "\"]") == "complete");
}

TEST_CASE("exec gives a clean environment", "[jobs][exec]") {
    ::setenv("EXEC_TEST_SECRET", "hidden", 1);
    ::setenv("EXEC_TEST_PASSED", "shown", 1);
    ExecSpec spec;
    spec.command = {"env"};
    spec.env = {{"MODE", "fast"}};
    spec.pass_env = {"EXEC_TEST_PASSED"};
    Seen seen;
    CHECK(run_spec(spec, &seen, R"({"user-id": 7})") == "complete");
    const auto has = [&](const std::string& line) { return std::ranges::count(seen.log, "i " + line) == 1; };
    CHECK(has("JOB_ID=256"));
    CHECK(has("JOB_KIND=test"));
    CHECK(has("JOB_ATTEMPT=1"));
    CHECK(has("MODE=fast"));
    CHECK(has("EXEC_TEST_PASSED=shown"));
    CHECK(has("ARG_USER_ID=7"));
    CHECK(std::ranges::none_of(seen.log, [](const std::string& line) {
        return line.find("hidden") != std::string::npos;
    }));
}

TEST_CASE("exec never uses a shell", "[jobs][exec]") {
    ExecSpec spec;
    spec.command = {"printf", "%s", "$HOME; `id` $(id) * \"'"};
    Seen seen;
    CHECK(run_spec(spec, &seen) == "complete");
    CHECK(seen.log == Lines{"i $HOME; `id` $(id) * \"'"});
}

TEST_CASE("exec says why a program cannot be started, and retries", "[jobs][exec]") {
    Folder folder;
    ExecSpec spec;
    spec.env = {{"PATH", "/nowhere:relative:" + folder.path()}};
    const auto run_program = [&](const std::string& program) {
        spec.command = {program};
        return run_spec(spec);
    };
    CHECK(
        run_program("no-such-program") ==
        "retry: cannot run no-such-program: no executable file of that name in PATH (" + spec.env["PATH"] + ")"
    );
    CHECK(run_program("/no/such/program") == "retry: cannot run /no/such/program: No such file or directory");
    const std::string plain = folder.file("plain", "#!/bin/sh\n", fs::perms::owner_read);
    CHECK(run_program(plain) == "retry: cannot run " + plain + ": Permission denied");
    CHECK(run_program("plain").starts_with("retry: cannot run plain: no executable file of that name in PATH"));
    const std::string no_magic = folder.file("no_magic", "exit 0\n");
    CHECK(
        run_program(no_magic) ==
        "retry: cannot run " + no_magic + ": not a program (a script must start with #! and its interpreter)"
    );
    const std::string lost = folder.file("lost", "#!/no/interpreter\n");
    CHECK(run_program(lost) == "retry: cannot run " + lost + ": the interpreter it names does not exist");
    folder.file("found", "#!/bin/sh\nexit 0\n");
    CHECK(run_program("found") == "complete");
    spec.cwd = "/no/such/folder";
    CHECK(
        run_program("found") ==
        "retry: cannot run found: cannot enter its folder /no/such/folder: No such file or directory"
    );
    CHECK_THROWS_AS(make_exec_handler({}), std::invalid_argument);
}

TEST_CASE("exec starts the program in its folder", "[jobs][exec]") {
    ExecSpec spec = sh("pwd");
    spec.cwd = "/usr";
    Seen seen;
    CHECK(run_spec(spec, &seen) == "complete");
    CHECK(seen.log == Lines{"i /usr"});
}

TEST_CASE("exec leaves no descriptor, signal setting or group of the worker to the program", "[jobs][exec]") {
    const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as careless code would
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t mask;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &mask);
    ExecSpec spec;
    spec.command = {"sh", "-c", "ls /proc/self/fd | wc -l; exec cat /proc/self/status"};
    Seen seen;
    CHECK(run_spec(spec, &seen) == "complete");
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    ::signal(SIGPIPE, before);

    const auto field = [&](const std::string& name) {
        const auto found = std::ranges::find_if(seen.log, [&](const std::string& line) {
            return line.starts_with("i " + name + ":\t");
        });
        return found == seen.log.end() ? "none" : found->substr(name.size() + 4);
    };
    CHECK(seen.log.at(0) == "i 4");  // the three streams, and what ls opens
    CHECK(field("NSpgid") == field("NSpid"));
    for (const char* signals : {"SigBlk", "SigIgn", "SigCgt"}) CHECK(field(signals) == "0000000000000000");
}

TEST_CASE("exec limits memory and processor time", "[jobs][exec]") {
    ExecSpec spec = sh("ulimit -v; ulimit -t");
    spec.memory_bytes = std::uint64_t{64} << 20U;
    spec.cpu = 7s;
    Seen seen;
    CHECK(run_spec(spec, &seen) == "complete");
    CHECK(seen.log == Lines{"i 65536", "i 7"});

    spec.command = {"sh", "-c", "x=x; while :; do x=$x$x; done"};
    CHECK(run_spec(spec).starts_with("retry: "));
    spec.memory_bytes.reset();
    spec.cpu = 1s;
    spec.command = {"sh", "-c", "while :; do :; done"};
    CHECK(run_spec(spec) == "retry: killed by SIGXCPU: its processor time is used up");
}

TEST_CASE("exec ends a program at its deadline with SIGTERM", "[jobs][exec]") {
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    context.set_deadline(std::chrono::steady_clock::now() + 300ms);
    const std::string outcome =
        run_in(context, sh("trap 'echo asked; exit 0' TERM; echo working >&2; while :; do :; done"));
    CHECK(outcome.starts_with("retry: timed out after 0."));
    CHECK(outcome.ends_with(" s\nworking"));
    CHECK(seen.log == Lines{"w working", "i asked"});
}

TEST_CASE("exec kills a program that ignores SIGTERM, its children included", "[jobs][exec]") {
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    seen.on_line = [&](std::string_view) { context.request_stop(StopReason::timeout); };
    ExecSpec spec = sh("trap '' TERM; sleep 3600 & echo $! $$; while :; do sleep 3600; done");
    spec.kill_after = 100ms;
    CHECK(run_in(context, spec).starts_with("retry: timed out after"));
    REQUIRE(seen.log.size() == 1);
    std::istringstream pids(seen.log[0].substr(2));
    pid_t child = 0;
    pid_t leader = 0;
    pids >> child >> leader;
    CHECK(ends(child));
    CHECK(ends(leader));
}

TEST_CASE("exec obeys a stop token that fires on another thread", "[jobs][exec]") {
    struct Row {
        StopReason reason;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {StopReason::cancelled, "cancel: cancelled while it ran"},
        {StopReason::lease_lost, "retry: stopped: the lease is lost\nup"},
        {StopReason::shutdown, "retry: stopped: the worker stops\nup"},
    }));
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    std::jthread stopper;
    seen.on_line = [&](std::string_view) { stopper = std::jthread([&] { context.request_stop(row.reason); }); };
    CHECK(run_in(context, sh("echo up >&2; exec sleep 3600")) == row.expected);
}

TEST_CASE("exec stops even a stopped program", "[jobs][exec]") {
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    seen.on_line = [&](std::string_view) { context.request_stop(StopReason::cancelled); };
    ExecSpec spec = sh("trap 'exit 0' TERM; echo up; kill -STOP $$; sleep 3600");
    spec.kill_after = 3600s;
    CHECK(run_in(context, spec) == "cancel: cancelled while it ran");
}

TEST_CASE("exec does not start a program for a job that is stopped already", "[jobs][exec]") {
    Folder folder;
    JobContext context(a_job());
    context.request_stop(StopReason::cancelled);
    CHECK(run_in(context, sh("touch " + folder.path() + "/started")) == "cancel: cancelled while it ran");
    CHECK(!fs::exists(folder.path() + "/started"));
}

TEST_CASE("exec kills what a program leaves behind in its group", "[jobs][exec]") {
    Seen seen;
    CHECK(run_script("sleep 3600 & echo $!", &seen) == "complete");
    REQUIRE(seen.log.size() == 1);
    CHECK(ends(std::stoi(seen.log[0].substr(2))));
}

TEST_CASE("exec does not wait for a process that left the group with the output open", "[jobs][exec]") {
    Folder folder;
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

TEST_CASE("exec drops output without bound in bounded memory", "[jobs][exec][slow]") {
    struct Row {
        std::string script;
        std::string first;
    };
    const auto row = GENERATE(values<Row>({
        {"head -c 300000000 /dev/zero", ""},
        {"head -c 300000000 /dev/zero >&2", ""},
        {"yes | head -c 10000000", "i y"},
    }));
    INFO(row.script);
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_SELF, &before);
    Seen seen;
    CHECK(run_script(row.script, &seen) == "complete");
    ::getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 32L * 1024);  // KiB
    std::size_t logged = 0;
    for (const std::string& line : seen.log) logged += line.size() - 1;
    CHECK(logged < std::size_t{300} * 1024);
    CHECK(std::ranges::any_of(seen.log, [](const std::string& line) {
        return line.find("left out]") != std::string::npos;
    }));
    if (!row.first.empty()) CHECK(seen.log.front() == row.first);
}

TEST_CASE("exec discards a result over the limit and says so", "[jobs][exec]") {
    ExecSpec spec = sh(R"(printf '{"result":"%01000d"}\n' 1)");
    spec.result_limit = 1002;
    CHECK(run_spec(spec).starts_with("complete \"000"));
    spec.result_limit = 1001;
    CHECK(run_spec(spec) == "discard: its result of 1002 bytes is over the limit of 1001 bytes");
    spec = sh(R"(printf '{"result":"'; head -c 10000000 /dev/zero | tr '\0' x; echo '"}')");
    CHECK(run_spec(spec) == "discard: its result of 10000013 bytes is over the limit of 65536 bytes");
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

TEST_CASE("exec's program dies with a worker that is killed", "[jobs][exec]") {
    // A worker of its own, which runs the handler until it is killed: a fork of this process.
    Pipe pipe = make_pipe();
    REQUIRE(::fcntl(pipe.reader.get(), F_SETFL, 0) == 0);
    const pid_t worker = ::fork();
    if (worker == 0) {
        Seen seen;
        seen.on_line = [&](std::string_view line) {
            const std::string text = std::string(line) + "\n";
            if (::write(pipe.writer.get(), text.data(), text.size()) < 0) ::_exit(1);
        };
        JobContext context(a_job(), seen.hooks());
        run_in(context, sh("echo $$; exec sleep 3600"));
        ::_exit(0);
    }
    std::array<char, 32> text{};
    REQUIRE(::read(pipe.reader.get(), text.data(), text.size() - 1) > 0);
    const pid_t program = std::atoi(text.data());
    REQUIRE(is_alive(program));
    ::kill(worker, SIGKILL);
    ::waitpid(worker, nullptr, 0);
    CHECK(ends(program));
}
