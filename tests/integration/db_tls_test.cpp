// TLS and SCRAM against a server with certificates of the test's own: what is accepted, and what a refusal says.
#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/session.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/command.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/psql.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <optional>
#include <string>

namespace asio = boost::asio;
using Catch::Contains;

namespace {

const db::Statement tls_sql{
    "test_tls",
    "select s.ssl, a.usename::text from pg_stat_ssl s join pg_stat_activity a using (pid) "
    "where s.pid = pg_backend_pid()"
};

struct SecureServer {
    tests::Authority authority;
    tests::OwnServer server;

    // A server with a certificate for localhost, and user app with a password.
    explicit SecureServer(int days)
        : server({
              .server_settings = {"ssl=on"},
              .tcp = true,
              .files = files(authority.issue("localhost", days)),
          }) {
        tests::psql(server.url(), "create role app login password 'right'");
    }
    static std::map<std::string, std::string> files(const tests::Authority::Certificate& issued) {
        return {
            {"server.crt", issued.certificate},
            {"server.key", issued.key},
            {"pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"},
        };
    }
    std::string url(const std::string& host, const std::string& password, const std::string& query) const {
        return fmt::format("postgresql://app:{}@{}:{}/postgres?{}", password, host, server.port(), query);
    }
    std::string verified() const { return "sslmode=verify-full&sslrootcert=" + authority.file(); }
};

// "t app", or what the failure says.
struct Answer {
    std::string text;
    std::optional<db::Error> error;
};
Answer log_in(const std::string& url) {
    Answer answer;
    try {
        answer.text = tests::run([&]() -> asio::awaitable<std::string> {
            const auto executor = co_await asio::this_coro::executor;
            db::Session session(co_await db::Connection::open(executor, {.url = url}));
            const db::Rows rows = co_await session.execute(tls_sql);
            co_return fmt::format("{} {}", rows.front().get<bool>(0), rows.front().get<std::string>(1));
        });
    } catch (const db::Error& error) {
        answer.text = error.what();
        answer.error = error;
    }
    return answer;
}

}  // namespace

TEST_CASE("verify-full and SCRAM: a login says what is wrong with it, and the way out", "[db][tls]") {
    const SecureServer secure(2);
    const std::string good = secure.url("localhost", "right", secure.verified());

    {
        INFO("certificate, name and password are right");
        CHECK(log_in(good).text == "true app");
        CHECK(log_in(good + "&channel_binding=require").text == "true app");
    }
    {
        INFO("the password is wrong");
        const Answer answer = log_in(secure.url("localhost", "wrong", secure.verified()));
        CHECK_THAT(answer.text, Contains("password authentication failed for user \"app\""));
        CHECK(answer.error->is_login_refused());
    }
    {
        INFO("the password is missing");
        const Answer answer = log_in(secure.url("localhost", "", secure.verified()));
        CHECK_THAT(answer.text, Contains("no password supplied"));
        CHECK(answer.error->is_login_refused());
    }
    {
        INFO("the certificate is another host's");
        const Answer answer = log_in(secure.url("127.0.0.1", "right", secure.verified()));
        CHECK_THAT(answer.text, Contains("does not match host name \"127.0.0.1\""));
        CHECK_THAT(answer.text, Contains("connect by a name that the certificate carries"));
        CHECK_FALSE(answer.error->is_login_refused());
    }
    {
        INFO("the certificate is of an unknown authority");
        const tests::Authority other;
        const Answer answer =
            log_in(secure.url("localhost", "right", "sslmode=verify-full&sslrootcert=" + other.file()));
        CHECK_THAT(answer.text, Contains("certificate verify failed"));
        CHECK_THAT(answer.text, Contains("sslrootcert"));
    }
    {
        INFO("the authority's file is missing");
        const Answer answer =
            log_in(secure.url("localhost", "right", "sslmode=verify-full&sslrootcert=/no/such/file.crt"));
        CHECK_THAT(answer.text, Contains("\"/no/such/file.crt\" does not exist"));
        CHECK_THAT(answer.text, Contains("provide the file"));
    }
    {
        INFO("TLS is demanded by the server and refused by the client");
        const Answer answer = log_in(secure.url("localhost", "right", "sslmode=disable"));
        CHECK_THAT(answer.text, Contains("no pg_hba.conf entry") && Contains("no encryption"));
        CHECK(answer.error->is_login_refused());
    }
    {
        INFO("the command line adds where to set it");
        const auto check = [](const std::string& url) {
            return tests::run_command({
                .words = {TASK_WORKER_BINARY, "batch", "list"},
                .environment = {{"DATABASE_URL", url}},
                .folder = "/",
            });
        };
        const tests::Finished password = check(secure.url("localhost", "wrong", secure.verified()));
        CHECK(password.code == 3);
        CHECK_THAT(password.errors, Contains("check user and password in DATABASE_URL (database.url)"));
        const tests::Finished name = check(secure.url("127.0.0.1", "right", secure.verified()));
        CHECK(name.code == 3);
        CHECK_THAT(name.errors, Contains("connect by a name that the certificate carries"));
    }
}

TEST_CASE("verify-full: an expired certificate and a server without TLS are refused with the way out", "[db][tls]") {
    const SecureServer secure(-1);
    const Answer expired = log_in(secure.url("localhost", "right", secure.verified()));
    CHECK_THAT(expired.text, Contains("certificate verify failed"));
    CHECK_THAT(expired.text, Contains("has expired"));
    // Nobody looks at the certificate without verify.
    CHECK(log_in(secure.url("localhost", "right", "sslmode=require")).text == "true app");

    const tests::OwnServer plain({.tcp = true});
    const Answer none =
        log_in(fmt::format("postgresql://postgres@localhost:{}/postgres?{}", plain.port(), secure.verified()));
    CHECK_THAT(none.text, Contains("server does not support SSL") && Contains("turn on ssl"));
}
