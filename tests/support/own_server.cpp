#include "tests/support/own_server.hpp"

#include "db/connection.hpp"
#include "db/migrations.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/run.hpp"
#include "worker/embedded_postgres.hpp"
#include "worker/embedded_postgres_child.hpp"
#include "worker/embedded_postgres_folder.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include <libpq-fe.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fs = std::filesystem;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr auto patience = 60s;

}  // namespace

void hand_over(const fs::path& path, mode_t mode) {
    const std::optional<worker::ServerUser> user = worker::server_user();
    const bool done = chmod(path.c_str(), mode) == 0 && (!user || chown(path.c_str(), user->uid, user->gid) == 0);
    if (!done) throw std::system_error(errno, std::generic_category(), "cannot hand over " + path.string());
}

void await_server(pid_t server, const std::string& url, const fs::path& log) {
    const auto limit = std::chrono::steady_clock::now() + patience;
    while (PQping(url.c_str()) != PQPING_OK) {
        const bool ended = worker::wait_child(server, 10ms).has_value();
        if (!ended && std::chrono::steady_clock::now() < limit) continue;
        throw std::runtime_error("a server of the tests did not start; its log ends:\n" + worker::last_lines(log));
    }
}

OwnServer::OwnServer(OwnServerSettings settings) : settings_(std::move(settings)) {
    hand_over(folder_.path(), 0755);
    if (!settings_.folder.empty()) hand_over(settings_.folder, 0755);
    make_cluster();
    socket_folder_ = worker::make_socket_folder(worker::server_user());
    if (settings_.tcp) port_ = free_port();
    for (const auto& [name, text] : settings_.files) write(name, text);
    start();
}

OwnServer::~OwnServer() {
    if (server_ > 0) stop(Stop::immediate);
    worker::remove_socket_folder(socket_folder_);
}

void OwnServer::make_cluster() const {
    const std::string program = settings_.standby_of.empty() ? "initdb" : "pg_basebackup";
    std::vector<std::string> words{worker::find_postgres_binaries() / program, "-D", data(), "--no-sync"};
    if (settings_.standby_of.empty()) {
        for (const char* word :
             {"--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"})
            words.emplace_back(word);
    } else {
        for (const char* word : {"--checkpoint=fast", "--write-recovery-conf", "--dbname"}) words.emplace_back(word);
        words.push_back(settings_.standby_of);
    }
    const pid_t child = worker::start_child({
        .words = std::move(words),
        .folder = folder_.path(),
        .log = log(),
        .user = worker::server_user(),
        .signal_when_parent_dies = SIGKILL,
    });
    if (worker::wait_child(child, patience) != 0) {
        throw std::runtime_error(program + " failed:\n" + worker::last_lines(log()));
    }
}

void OwnServer::start() {
    std::vector<std::string> words{"/usr/bin/env"};
    for (const auto& [name, value] : settings_.environment) words.push_back(fmt::format("{}={}", name, value));
    words.insert(words.end(), {worker::find_postgres_binaries() / "postgres", "-D", data()});
    const auto add = [&](std::string setting) {
        words.emplace_back("-c");
        words.push_back(std::move(setting));
    };
    // What was committed survives a crash of the server, not one of the machine.
    for (const char* setting : {"fsync=off", "full_page_writes=off", "max_wal_size=256MB"}) add(setting);
    add("unix_socket_directories=" + socket_folder_.string());
    add(settings_.tcp ? "listen_addresses=127.0.0.1" : "listen_addresses=");
    add(fmt::format("port={}", settings_.tcp ? port_ : 5432));
    for (const std::string& setting : settings_.server_settings) add(setting);
    server_ = worker::start_child({
        .words = std::move(words),
        .folder = folder_.path(),
        .log = log(),
        .user = worker::server_user(),
        .signal_when_parent_dies = SIGQUIT,
    });
    await_server(server_, url(), log());
}

void OwnServer::stop(Stop how) {
    kill(server_, how == Stop::fast ? SIGINT : SIGQUIT);
    if (!worker::wait_child(server_, patience)) kill(server_, SIGKILL);
    FakeClock::clear(server_);
    server_ = -1;
}

std::string OwnServer::url(std::string_view database) const {
    return fmt::format(
        "postgresql://postgres@/{}?host={}&port={}", database, socket_folder_.string(), settings_.tcp ? port_ : 5432
    );
}

std::string OwnServer::socket() const {
    return fmt::format("{}/.s.PGSQL.{}", socket_folder_.string(), settings_.tcp ? port_ : 5432);
}

void OwnServer::migrate(std::string_view database) const {
    asio::io_context context;
    db::Session session(run(context, [&] {
        return db::Connection::open(context.get_executor(), {.url = url(database)});
    }));
    run(context, [&] { return db::migrate_up(session); });
}

void OwnServer::write(std::string_view name, std::string_view text) const {
    const fs::path path = data() / name;
    std::ofstream(path, std::ios::binary) << text;
    hand_over(path, 0600);
}

fs::path OwnServer::data() const {
    return (settings_.folder.empty() ? fs::path(folder_.path()) : settings_.folder) / "data";
}

fs::path OwnServer::log() const {
    return fs::path(folder_.path()) / "postgres.log";
}

}  // namespace tests
