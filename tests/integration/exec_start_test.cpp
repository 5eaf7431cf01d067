// The exec handler: what a program gets when it starts.

#include "jobs/exec.hpp"
#include "jobs/unique_fd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exec_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

std::string program_file(
    const TemporaryFolder& folder,
    const std::string& name,
    const std::string& content,
    fs::perms permissions = fs::perms::owner_all
) {
    folder.write(name, content);
    const std::string path = folder.path() + "/" + name;
    fs::permissions(path, permissions);
    return path;
}

}  // namespace

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
    const TemporaryFolder folder;
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
    const std::string plain = program_file(folder, "plain", "#!/bin/sh\n", fs::perms::owner_read);
    CHECK(run_program(plain) == "retry: cannot run " + plain + ": Permission denied");
    CHECK(run_program("plain").starts_with("retry: cannot run plain: no executable file of that name in PATH"));
    const std::string no_magic = program_file(folder, "no_magic", "exit 0\n");
    CHECK(
        run_program(no_magic) ==
        "retry: cannot run " + no_magic + ": not a program (a script must start with #! and its interpreter)"
    );
    const std::string lost = program_file(folder, "lost", "#!/no/interpreter\n");
    CHECK(run_program(lost) == "retry: cannot run " + lost + ": the interpreter it names does not exist");
    program_file(folder, "found", "#!/bin/sh\nexit 0\n");
    CHECK(run_program("found") == "complete");
    spec.env["PATH"] = fs::relative(folder.path());
    CHECK(run_program("found").starts_with("retry: cannot run found: no executable file of that name in PATH"));
    spec.env["PATH"] = folder.path();
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
