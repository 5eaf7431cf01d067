#include "tests/support/database.hpp"

#include "db/connection.hpp"
#include "db/migrations.hpp"
#include "tests/support/private_server.hpp"
#include "tests/support/run.hpp"
#include "tests/support/skip.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace tests {

namespace {

const std::string template_name = "template_migrated";

enum class Route { direct, pooler, pooler_and_direct };

Route route() {
    static const Route chosen = [] {
        const char* const text = std::getenv("TASK_WORKER_TEST_ROUTE");
        const std::string_view name = text == nullptr ? "" : text;
        if (name.empty()) return Route::direct;
        if (name == "pooler") return Route::pooler;
        if (name == "pooler+direct") return Route::pooler_and_direct;
        throw std::runtime_error("TASK_WORKER_TEST_ROUTE is pooler, pooler+direct or not set");
    }();
    return chosen;
}

PrivateServer& server() {
    static PrivateServer only(route() != Route::direct);
    return only;
}

db::Session open_session(boost::asio::io_context& context, const db::ConnectionSettings& settings) {
    return db::Session(run(context, [&] { return db::Connection::open(context.get_executor(), settings); }));
}

// The template is migrated once a process; nobody may be connected to it while it is cloned.
const std::string& migrated_template() {
    static const std::string name = [] {
        psql(server_url(), "create database " + template_name);
        boost::asio::io_context context;
        db::Session session = open_session(context, {.url = server_url(template_name)});
        run(context, [&] { return db::migrate_up(session); });
        return template_name;
    }();
    return name;
}

}  // namespace

std::string server_url(std::string_view database) {
    return server().url(database);
}

std::string server_socket() {
    static const std::string folder = psql(server_url(), "show unix_socket_directories").at(0).at(0);
    return folder + "/.s.PGSQL.5432";
}

TestDatabase::TestDatabase(Content content) {
    static std::atomic<int> counter{0};
    name_ = fmt::format("test_{}", ++counter);
    url_ = server_url(name_);
    const std::string& source = content == Content::migrated ? migrated_template() : "template0";
    tests::psql(server_url(), fmt::format("create database {} template {}", name_, source));
}

TestDatabase::~TestDatabase() {
    try {
        tests::psql(server_url(), fmt::format("drop database if exists {} with (force)", name_));
    } catch (const std::exception& error) {
        fmt::print(stderr, "cannot drop {}: {}\n", name_, error.what());  // the whole cluster goes soon anyway
    }
}

db::ConnectionSettings TestDatabase::settings(db::ConnectionSettings settings) const {
    settings.url = route() == Route::direct ? url_ : server().pooler_url(name_);
    if (route() != Route::direct) settings.pooler = db::Pooler::transaction;
    return settings;
}

db::ConnectionSettings TestDatabase::direct_settings() const {
    if (route() == Route::pooler) throw std::runtime_error("this route has no direct way");
    return {.url = url_, .application_name = "task-worker tests"};
}

db::Session TestDatabase::session(boost::asio::io_context& context) const {
    return open_session(context, settings({.url = {}, .application_name = "task-worker tests"}));
}

db::Session TestDatabase::direct_session(boost::asio::io_context& context) const {
    return open_session(context, direct_settings());
}

std::string TestDatabase::value(const std::string& sql) const {
    const TextRows rows = psql(sql);
    if (rows.size() != 1 || rows.front().size() != 1) throw std::runtime_error("not one value: " + sql);
    return rows.front().front();
}

bool skipped_without_direct(std::string_view why) {
    if (route() != Route::pooler) return false;
    skip(why);
    return true;
}

}  // namespace tests
