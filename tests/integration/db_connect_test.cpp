// The forms of a database URL, against a real server.
#include "db/connect.hpp"
#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/session.hpp"
#include "db/url.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/this_coro.hpp>

#include <libpq-fe.h>

#include <chrono>
#include <map>
#include <string>

using Catch::Contains;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const db::Statement database_sql{"test_database", "select current_database()"};

// The database that answers at this URL, or what went wrong.
std::string answer_of(const std::string& given, std::chrono::milliseconds connect_timeout = 10s) {
    const auto url = db::parse_url(given);
    if (!url) return url.error().what;
    return tests::run([&]() -> asio::awaitable<std::string> {
        try {
            db::ConnectionSettings settings;
            settings.url = url->text;
            settings.connect_timeout = connect_timeout;
            db::Session session(co_await db::Connection::open(co_await asio::this_coro::executor, settings));
            const db::Rows rows = co_await session.execute(database_sql);
            co_return rows.front().get<std::string>(0);
        } catch (const db::Error& error) {
            co_return error.what();
        }
    });
}

// What libpq is told for a connection to this URL.
std::map<std::string, std::string> told_to_libpq(const std::string& url) {
    PGconn* connection = tests::run([&]() -> asio::awaitable<PGconn*> {
        co_return (co_await db::ConnectTarget::resolve(co_await asio::this_coro::executor, {.url = url})).start();
    });
    PQconninfoOption* options = PQconninfo(connection);
    std::map<std::string, std::string> told;
    for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
        if (option->val != nullptr) told[option->keyword] = option->val;
    }
    PQconninfoFree(options);
    PQfinish(connection);
    return told;
}

// The private server as the value of a query key, and the role that owns it.
struct Server {
    std::string host = db::parse_url(tests::server_url())->hosts.front().name;
    std::string user = db::parse_url(tests::server_url())->user;
    std::string socket = host + "/.s.PGSQL.5432";
};

// These hosts with these ports, lists as libpq has them.
std::string url_of(const std::string& hosts, const std::string& ports, const std::string& database) {
    return "postgresql://" + Server().user + "@/" + database + "?host=" + hosts + "&port=" + ports;
}

}  // namespace

TEST_CASE("a connection opens by each form of URL that an API may have", "[db][connect][setting]") {
    const tests::TestDatabase database;
    const Server server;
    const std::string rest = database.name() + "?host=" + server.host;
    CHECK(answer_of(database.url()) == database.name());
    for (const std::string scheme :
         {"postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"}) {
        INFO(scheme);
        CHECK(answer_of(scheme + "://" + server.user + "@/" + rest) == database.name());
    }
    CHECK(answer_of("host=" + server.host + " user=" + server.user + " dbname=" + database.name()) == database.name());
}

TEST_CASE("a percent-encoded name reaches the server decoded", "[db][connect]") {
    const Server server;
    const std::string name = "we ird/%@:?";
    tests::psql(tests::server_url(), "create database \"" + name + "\"");
    const std::string tail = "?host=" + server.host;
    CHECK(answer_of("postgresql://" + server.user + "@/we%20ird%2F%25%40%3A%3F" + tail) == name);
    CHECK(answer_of("postgresql+asyncpg://" + server.user + "@/we%20ird%2F%25%40%3A%3F" + tail) == name);
    tests::psql(tests::server_url(), "drop database \"" + name + "\" with (force)");
}

TEST_CASE("of several hosts the first that answers as asked is taken", "[db][connect]") {
    const tests::TestDatabase database;
    const Server server;
    const std::string tail = "@/" + database.name() + "?host=/nowhere,127.0.0.1," + server.host + "&port=5432,1,5432";
    const std::string start = "postgresql://" + server.user;
    CHECK(answer_of(start + tail) == database.name());
    CHECK(answer_of(start + tail + "&target_session_attrs=read-write") == database.name());
    CHECK_THAT(
        answer_of(start + tail + "&target_session_attrs=standby"), Contains("server is not in hot standby mode")
    );
}

TEST_CASE("of several hosts a name that nobody knows is left out", "[db][connect]") {
    const tests::TestDatabase database;
    const Server server;
    const tests::FaultProxy network(server.socket);
    const std::string port = std::to_string(network.port());
    CHECK(answer_of(url_of("no-such-host.invalid,127.0.0.1", "1," + port, database.name())) == database.name());
    CHECK(answer_of(url_of("127.0.0.1,no-such-host.invalid", port + ",1", database.name())) == database.name());
    CHECK(answer_of(url_of("no-such-host.invalid," + server.host, "5432", database.name())) == database.name());
    CHECK_THAT(
        answer_of(url_of("no-such-host.invalid,nor-this.invalid", "1,2", database.name())),
        Contains("host no-such-host.invalid is not known")
    );
    CHECK_THAT(
        answer_of(url_of("no-such-host.invalid,127.0.0.1", "2,1", database.name())),
        Contains("127.0.0.1") && Contains("port 1 ")
    );
}

TEST_CASE("of several hosts one that says nothing is left out at connect_timeout", "[db][connect]") {
    const tests::TestDatabase database;
    const Server server;
    tests::FaultProxy hole(server.socket);
    tests::FaultProxy other_hole(server.socket);
    hole.black_hole();
    other_hole.black_hole();
    const std::string port = std::to_string(hole.port());
    const std::string other_port = std::to_string(other_hole.port());
    const auto answer = [&](const std::string& hosts, const std::string& ports, const std::string& more = "") {
        return answer_of(url_of(hosts, ports, database.name()) + more, 500ms);
    };
    CHECK(answer("127.0.0.1," + server.host, port + ",5432") == database.name());
    CHECK(answer("127.0.0.1,127.0.0.1," + server.host, port + "," + other_port + ",5432") == database.name());
    CHECK(answer("localhost," + server.host, port + ",5432") == database.name());
    // The others stay: the first is taken after all, since no standby answered.
    CHECK(
        answer(server.host + ",127.0.0.1", "5432," + port, "&target_session_attrs=prefer-standby") == database.name()
    );
    CHECK_THAT(
        answer("127.0.0.1,127.0.0.1", port + "," + other_port),
        Contains("no connection to 127.0.0.1:" + port + " within 500 ms")
    );
    CHECK_THAT(answer("127.0.0.1,127.0.0.1", port + ",1"), Contains("port 1 "));
}

TEST_CASE("a server that is not there is named", "[db][connect]") {
    CHECK_THAT(answer_of("postgresql://app@127.0.0.1:1/jobs"), Contains("127.0.0.1") && Contains("port 1"));
    CHECK_THAT(answer_of("postgresql://app@/jobs?host=/nowhere"), Contains("/nowhere"));
    CHECK_THAT(
        answer_of("postgresql://app@no-such-host.invalid/jobs"), Contains("host no-such-host.invalid is not known")
    );
}

TEST_CASE(
    "a connection is told to notice in seconds that the other side vanished; the URL may say otherwise", "[db][connect]"
) {
    auto told = told_to_libpq("postgresql://app@127.0.0.1:1/jobs");
    CHECK(told["keepalives_idle"] == "10");
    CHECK(told["keepalives_interval"] == "5");
    CHECK(told["keepalives_count"] == "3");
    CHECK(told["tcp_user_timeout"] == "15000");
    told = told_to_libpq("postgresql://app@127.0.0.1:1/jobs?keepalives_idle=60&tcp_user_timeout=0");
    CHECK(told["keepalives_idle"] == "60");
    CHECK(told["tcp_user_timeout"] == "0");
}
