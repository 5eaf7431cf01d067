// The private PostgreSQL of `task-worker dev`: start, stop, restart, and every way its owner can be killed.

#include "worker/embedded_postgres.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/process_end.hpp"
#include "tests/support/psql.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

namespace fs = std::filesystem;
using tests::ends;
using tests::psql;
using worker::EmbeddedPostgres;

namespace {

// A new folder for one test, which user postgres may pass.
struct Folder {
    Folder() { fs::permissions(path, fs::perms(0755)); }
    ~Folder() {
        // A killed owner leaves the socket's folder to the next start, which a test may not have.
        std::ifstream holder(path / "holder");
        std::string pid;
        std::string socket_folder;
        if (holder >> pid >> socket_folder) fs::remove_all(socket_folder);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    tests::TemporaryFolder folder;
    fs::path path = folder.path();
};

// A folder with a cluster that was stopped cleanly: copied, since making one costs a second.
struct ReadyFolder : Folder {
    ReadyFolder() {
        static const Folder made;
        static const bool once = [] {
            EmbeddedPostgres({.folder = made.path, .durable = false}).stop();
            return true;
        }();
        REQUIRE(once);
        REQUIRE(std::system(fmt::format("cp -a '{}/data' '{}'", made.path.string(), path.string()).c_str()) == 0);
    }
};

worker::EmbeddedPostgresSettings fast(const fs::path& folder) {
    return {.folder = folder, .durable = false};
}

// The message of what `function` throws; empty when it throws nothing.
std::string error_of(const std::function<void()>& function) {
    try {
        function();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

fs::path socket_folder_of(const EmbeddedPostgres& postgres) {
    return psql(postgres.url(), "show unix_socket_directories").at(0).at(0);
}

// A process that owns a server on `folder` and waits to be killed.
struct Owner {
    explicit Owner(const fs::path& folder) {
        std::array<int, 2> ends{};
        REQUIRE(pipe(ends.data()) == 0);
        pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const EmbeddedPostgres postgres({.folder = folder});
            const pid_t started = postgres.pid();
            if (write(ends[1], &started, sizeof started) == sizeof started) pause();
            _exit(1);
        }
        close(ends[1]);
        REQUIRE(read(ends[0], &server, sizeof server) == sizeof server);
        close(ends[0]);
    }
    ~Owner() {
        kill_it();
        ends(server);
    }
    void kill_it() {
        if (pid <= 0) return;
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        pid = -1;
    }
    pid_t pid = -1;
    pid_t server = -1;
};

}  // namespace

TEST_CASE("EmbeddedPostgres serves a socket that no other user can enter, and no TCP", "[worker][embedded][db]") {
    const Folder folder;
    const EmbeddedPostgres postgres(fast(folder.path));
    CHECK(psql(postgres.url(), "show listen_addresses") == tests::TextRows{{""}});
    CHECK(psql(postgres.url(), "show server_encoding") == tests::TextRows{{"UTF8"}});
    struct stat status{};
    REQUIRE(stat(socket_folder_of(postgres).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("EmbeddedPostgres applies further settings but keeps its door shut", "[worker][embedded][db]") {
    const ReadyFolder folder;
    const EmbeddedPostgres postgres(
        {.folder = folder.path, .durable = false, .server_settings = {"max_connections=17", "listen_addresses=*"}}
    );
    CHECK(psql(postgres.url(), "show max_connections") == tests::TextRows{{"17"}});
    CHECK(psql(postgres.url(), "show listen_addresses") == tests::TextRows{{""}});
    CHECK(psql(postgres.url(), "show fsync") == tests::TextRows{{"off"}});
}

TEST_CASE("EmbeddedPostgres is durable by default", "[worker][embedded][db]") {
    const ReadyFolder folder;
    const EmbeddedPostgres postgres({.folder = folder.path});
    CHECK(
        psql(postgres.url(), "select current_setting('fsync') || current_setting('synchronous_commit')") ==
        tests::TextRows{{"onon"}}
    );
}

TEST_CASE("EmbeddedPostgres serves several databases", "[worker][embedded][db]") {
    const ReadyFolder folder;
    const EmbeddedPostgres postgres(fast(folder.path));
    psql(postgres.url(), "create database \"odd name%\"");
    CHECK(psql(postgres.url("odd name%"), "select current_database()") == tests::TextRows{{"odd name%"}});
}

TEST_CASE(
    "EmbeddedPostgres::stop leaves no process and no socket, and the data is found again", "[worker][embedded][db]"
) {
    const ReadyFolder folder;
    EmbeddedPostgres first(fast(folder.path));
    psql(first.url(), "create table kept as select 7 as n");
    const pid_t server = first.pid();
    const fs::path socket_folder = socket_folder_of(first);
    first.stop();
    CHECK(kill(server, 0) != 0);
    CHECK_FALSE(fs::exists(socket_folder));
    CHECK_FALSE(fs::exists(folder.path / "data/postmaster.pid"));
    CHECK_FALSE(worker::read_embedded_holder(folder.path));

    const EmbeddedPostgres second(fast(folder.path));
    CHECK(psql(second.url(), "select n from kept") == tests::TextRows{{"7"}});
}

TEST_CASE("EmbeddedPostgres ends when its owner is killed, and the data is found again", "[worker][embedded][db]") {
    const ReadyFolder folder;
    Owner owner(folder.path);
    const auto holder = worker::read_embedded_holder(folder.path);
    REQUIRE(holder);
    psql(holder->url, "create table kept as select 7 as n");

    SECTION("after the server has gone") {
        owner.kill_it();
        CHECK(ends(owner.server));
    }
    SECTION("while the server is still going") {
        owner.kill_it();
    }
    SECTION("with the server killed as well, its pid file left") {
        kill(owner.server, SIGKILL);
        owner.kill_it();
        CHECK(ends(owner.server));
        CHECK(fs::exists(folder.path / "data/postmaster.pid"));
    }

    const EmbeddedPostgres next(fast(folder.path));
    CHECK(psql(next.url(), "select n from kept") == tests::TextRows{{"7"}});
    CHECK(ends(owner.server));
}

TEST_CASE("EmbeddedPostgres removes the socket folder of a killed owner", "[worker][embedded][db]") {
    const ReadyFolder folder;
    Owner owner(folder.path);
    const fs::path left = psql(worker::read_embedded_holder(folder.path)->url, "show unix_socket_directories")[0][0];
    owner.kill_it();
    REQUIRE(ends(owner.server));
    const EmbeddedPostgres next(fast(folder.path));
    CHECK_FALSE(fs::exists(left));
}

TEST_CASE("EmbeddedPostgres names the process that holds the folder", "[worker][embedded][db]") {
    const ReadyFolder folder;
    const Owner owner(folder.path);
    const std::string error = error_of([&] { EmbeddedPostgres second(fast(folder.path)); });
    CHECK_THAT(error, Catch::Contains("process " + std::to_string(owner.pid)) && Catch::Contains(folder.path.string()));
    CHECK(worker::read_embedded_holder(folder.path)->pid == owner.pid);
    CHECK(psql(worker::read_embedded_holder(folder.path)->url, "select 1") == tests::TextRows{{"1"}});
}

TEST_CASE("EmbeddedPostgres survives a pid file whose number another process has now", "[worker][embedded][db]") {
    const ReadyFolder folder;
    const fs::path pid_file = folder.path / "data/postmaster.pid";
    std::ofstream(pid_file) << getpid() << "\n" << (folder.path / "data").string() << "\n1\n5432\n/tmp\n\n";
    const EmbeddedPostgres next(fast(folder.path));
    CHECK(psql(next.url(), "select 1") == tests::TextRows{{"1"}});
}

TEST_CASE("EmbeddedPostgres redoes a cluster whose making was interrupted", "[worker][embedded][db]") {
    const Folder folder;
    fs::create_directories(folder.path / "data.new.1/base");
    std::ofstream(folder.path / "data.new.1/PG_VERSION") << "15\n";
    const EmbeddedPostgres postgres(fast(folder.path));
    CHECK(psql(postgres.url(), "select 1") == tests::TextRows{{"1"}});
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path)) names.insert(entry.path().filename());
    CHECK(names == std::set<std::string>{"data", "holder", "postgres.log"});
}

TEST_CASE("EmbeddedPostgres says what the server said when it does not start", "[worker][embedded][db]") {
    const Folder folder;
    const std::string error = error_of([&] {
        EmbeddedPostgres refused({.folder = folder.path, .durable = false, .server_settings = {"no_such_setting=1"}});
    });
    CHECK_THAT(error, Catch::Contains("no_such_setting") && Catch::Contains("postgres.log"));
    CHECK_FALSE(worker::read_embedded_holder(folder.path));
}

TEST_CASE("EmbeddedPostgres names the package for data of another version", "[worker][embedded][db]") {
    const Folder folder;
    fs::create_directory(folder.path / "data");
    std::ofstream(folder.path / "data/PG_VERSION") << "14\n";
    CHECK_THAT(error_of([&] { EmbeddedPostgres other(fast(folder.path)); }), Catch::Contains("postgresql-14"));
}

TEST_CASE("EmbeddedPostgres as root names a folder that user postgres cannot enter", "[worker][embedded][db]") {
    if (geteuid() != 0) return;  // an ordinary user runs the server itself
    const Folder folder;
    fs::permissions(folder.path, fs::perms(0700));
    CHECK_THAT(
        error_of([&] { EmbeddedPostgres closed(fast(folder.path / "inner")); }), Catch::Contains("cannot enter")
    );
}

TEST_CASE(
    "the data of dev stand below the current folder, for root where user postgres can enter", "[worker][embedded]"
) {
    if (geteuid() == 0) {
        CHECK(worker::default_embedded_folder() == "/var/lib/task-worker/dev");
        REQUIRE(seteuid(65534) == 0);
        const std::filesystem::path folder = worker::default_embedded_folder();
        REQUIRE(seteuid(0) == 0);
        CHECK(folder == std::filesystem::current_path() / ".task-worker");
    } else {
        CHECK(worker::default_embedded_folder() == std::filesystem::current_path() / ".task-worker");
    }
}

TEST_CASE("find_postgres_binaries finds the server that the tests use", "[worker][embedded]") {
    CHECK(fs::exists(worker::find_postgres_binaries() / "initdb"));
    CHECK_THAT(error_of([] { worker::find_postgres_binaries("7"); }), Catch::Contains("apt-get install postgresql-7"));
}
