#include "tests/support/pgbouncer.hpp"

#include "tests/support/own_server.hpp"
#include "worker/embedded_postgres_child.hpp"
#include "worker/embedded_postgres_folder.hpp"

#include <fmt/format.h>

#include <signal.h>

#include <chrono>
#include <fstream>
#include <stdexcept>

namespace fs = std::filesystem;

namespace tests {

namespace {

constexpr const char* program = "/usr/sbin/pgbouncer";  // not in the PATH of ordinary users

// server_login_retry: how long it takes a server that refused it for gone.
constexpr const char* configuration = R"ini([databases]
* = host={0} port={1} user=postgres
[pgbouncer]
unix_socket_dir = {2}
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = {3}
max_client_conn = 500
server_round_robin = 1
server_login_retry = 1
{4})ini";

}  // namespace

PgBouncer::PgBouncer(const std::string& server_socket_folder, const PgBouncerSettings& settings)
    : folder_(worker::make_socket_folder(worker::server_user())) {
    if (!fs::exists(program)) throw std::runtime_error("no pgbouncer is installed: run deploy/dependencies test");
    std::ofstream(folder_ / "pgbouncer.ini") << fmt::format(
        fmt::runtime(configuration),
        server_socket_folder,
        settings.server_port,
        folder_.string(),
        settings.pool_size,
        settings.more
    );
    start();
}

PgBouncer::~PgBouncer() {
    stop();
    worker::remove_socket_folder(folder_);
}

void PgBouncer::start() {
    process_ = worker::start_child({
        .words = {program, folder_ / "pgbouncer.ini"},
        .folder = folder_,
        .log = folder_ / "pgbouncer.log",
        .user = worker::server_user(),
        .signal_when_parent_dies = SIGKILL,
    });
    await_server(process_, url("postgres"), folder_ / "pgbouncer.log");
}

void PgBouncer::stop() {
    if (process_ < 0) return;
    kill(process_, SIGKILL);
    worker::wait_child(process_, std::chrono::seconds(10));
    process_ = -1;
}

std::string PgBouncer::url_in(const fs::path& folder, std::string_view database) {
    return fmt::format("postgresql://postgres@/{}?host={}&port=6432", database, folder.string());
}

std::string PgBouncer::socket() const {
    return (folder_ / ".s.PGSQL.6432").string();
}

}  // namespace tests
