// The package for Debian: made, installed in a fresh one, run there as its service does, and taken away again.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/psql.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/small_disk.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/version.hpp"

#include <fmt/format.h>

#include <sys/mount.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string source = TASK_WORKER_SOURCE_DIR;

std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

Finished run_to_end(std::vector<std::string> words, const std::map<std::string, std::string>& environment = {}) {
    Finished done = run_command(
        {.words = std::move(words), .environment = environment, .folder = source, .limit = std::chrono::seconds(300)}
    );
    if (done.code != 0) throw std::runtime_error(done.output + done.errors);
    return done;
}

// The package of build/release: its path in the folder.
std::string make_package(const TemporaryFolder& folder) {
    run_to_end({"/usr/bin/env", "cpack", "--config", "build/release/CPackConfig.cmake", "-B", folder.path()});
    return fmt::format("{}/task-worker_{}_amd64.deb", folder.path(), worker::version);
}

// A fresh Debian, in memory.
class Debian {
public:
    Debian() {
        if (!disk_.why_not().empty()) throw std::runtime_error(disk_.why_not());
        run_to_end({source + "/tests/deploy/debian_root", tar_});
        run_to_end({"/usr/bin/tar", "-xf", tar_, "-C", folder()});
        fs::permissions(folder(), fs::perms(0755));
        fs::copy_file("/etc/resolv.conf", path("/etc/resolv.conf"), fs::copy_options::overwrite_existing);
        if (mount("proc", path("/proc").c_str(), "proc", 0, nullptr) != 0) throw std::runtime_error("no /proc");
    }

    std::string folder() const { return disk_.folder(); }
    std::string path(const std::string& inside) const { return folder() + inside; }
    // As a user of it.
    std::vector<std::string> words(const std::string& user, const std::vector<std::string>& command) const {
        std::vector<std::string> all{
            "/usr/sbin/chroot",
            folder(),
            "/usr/bin/setpriv",
            "--reuid=" + user,
            "--regid=" + user,
            "--init-groups",
            "--pdeathsig=KILL"
        };
        all.insert(all.end(), command.begin(), command.end());
        return all;
    }
    std::string run(
        const std::vector<std::string>& command,
        const std::string& user = "root",
        std::map<std::string, std::string> environment = {}
    ) const {
        environment.insert({{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"DEBIAN_FRONTEND", "noninteractive"}});
        return run_to_end(words(user, command), environment).output;
    }

private:
    const std::string tar_ = source + "/build/deploy/bookworm.tar";
    SmallDisk disk_{"1g"};
};

// What the service runs, by its unit.
std::vector<std::string> service_command(const std::string& unit) {
    const std::string mark = "ExecStart=";
    const std::size_t start = unit.find(mark) + mark.size();
    std::istringstream line(unit.substr(start, unit.find('\n', start) - start));
    return {std::istream_iterator<std::string>(line), {}};
}

}  // namespace

TEST_CASE("the package has the program with its manual pages and completions and no headers", "[deploy][package]") {
    const TemporaryFolder folder;
    const std::string package = make_package(folder);
    const std::string contents = run_to_end({"/usr/bin/dpkg-deb", "--contents", package}).output;
    for (const char* const file :
         {"./usr/bin/enqueue -> task-worker",
          "man1/task-worker.1.gz",
          "man5/task-worker-config.5.gz",
          "bash-completion/completions/enqueue",
          "zsh/site-functions/_task-worker",
          "doc/task-worker/handlers.md"}) {
        CHECK_THAT(contents, Contains(file));
    }
    CHECK_THAT(contents, !Contains("/include/") && !Contains(".a\n"));
}

TEST_CASE("Debian's checker finds nothing wrong in the package", "[deploy][package]") {
    if (!fs::exists("/usr/bin/lintian")) return skip("no lintian here");
    const TemporaryFolder folder;
    const std::string package = make_package(folder);
    // Who publishes a package says who it is: TASK_WORKER_MAINTAINER.
    const Finished checked = run_command(
        {.words =
             {"/usr/bin/lintian",
              "--allow-root",
              "--suppress-tags=bogus-mail-host,bogus-mail-host-in-debian-changelog",
              package}}
    );
    CHECK(checked.output == "");
}

TEST_CASE("the package runs a job on a fresh Debian, keeps what was configured, and goes", "[deploy][package]") {
    const Finished check = run_command({.words = {source + "/tests/deploy/debian_root", "--check"}});
    if (check.code != 0) return skip(check.output);
    const TemporaryFolder folder;
    const Debian debian;
    fs::copy_file(make_package(folder), debian.path("/task-worker.deb"));
    debian.run({"apt-get", "update", "--quiet"});
    const std::vector<std::string> install{
        "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--reinstall", "/task-worker.deb"
    };
    debian.run(install);
    CHECK(debian.run({"task-worker", "--version"}) == fmt::format("task-worker {}\n", worker::version));
    CHECK_THAT(debian.run({"getent", "passwd", "task-worker"}), Contains(":/nonexistent:/usr/sbin/nologin"));

    // As the service: its user, its command, its credential.
    const OwnServer server({.tcp = true});
    const std::string secret = debian.path("/etc/task-worker/database_url");
    CHECK(debian.run({"stat", "--format=%U %a", "/etc/task-worker/database_url"}) == "root 600\n");
    std::ofstream(secret) << fmt::format("postgresql://postgres@127.0.0.1:{}/postgres\n", server.port());
    debian.run({"install", "-m", "400", "-o", "task-worker", "/etc/task-worker/database_url", "/tmp/database_url"});
    const std::map<std::string, std::string> environment{
        {"PATH", "/usr/bin:/bin"},
        {"DATABASE_URL_FILE", "/tmp/database_url"},
        {"ENVIRONMENT", "production"},
        {"TASK_WORKER_ALLOW", "sslmode"},
        {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"}
    };
    const std::string unit = read(debian.path("/usr/lib/systemd/system/task-worker.service"));
    CHECK(unit == read(source + "/deploy/systemd/task-worker.service"));
    debian.run({"task-worker", "migrate", "up"}, "task-worker", environment);
    std::vector<std::string> words = debian.words("task-worker", service_command(unit));
    const std::string program = words.front();
    words.erase(words.begin());
    Process worker(program, words, environment);
    worker.wait_for_line("\"message\":\"ready\"");
    std::string job = debian.run({"enqueue", "count-words", "/etc/os-release", "--quiet"}, "task-worker", environment);
    job.pop_back();
    debian.run({"task-worker", "job", "wait", job}, "task-worker", environment);
    CHECK(psql(server.url(), "select state from task_queue.job(" + job + ")").at(0).at(0) == "completed");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);

    std::ofstream(debian.path("/etc/task-worker/config.yml"), std::ios::app) << "# ours\n";
    debian.run(install);
    CHECK_THAT(read(debian.path("/etc/task-worker/config.yml")), Contains("# ours"));
    CHECK_THAT(read(secret), Contains("postgresql://"));
    debian.run({"apt-get", "remove", "--yes", "--quiet", "task-worker"});
    CHECK_FALSE(fs::exists(debian.path("/usr/bin/task-worker")));
    CHECK_THAT(read(debian.path("/etc/task-worker/config.yml")), Contains("# ours"));
    debian.run({"apt-get", "purge", "--yes", "--quiet", "task-worker"});
    CHECK_FALSE(fs::exists(debian.path("/etc/task-worker")));
}
