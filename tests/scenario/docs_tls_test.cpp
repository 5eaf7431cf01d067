// docs/tls.md: its certificates, its server and its PgBouncer, and what a worker says when one of them is wrong.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/guide.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/psql.hpp"
#include "worker/embedded_postgres_child.hpp"
#include "worker/embedded_postgres_folder.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>

using namespace tests;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string page = "docs/tls.md";

std::string replaced(const std::string& text, const std::string& what, const std::string& by) {
    return std::regex_replace(text, std::regex(what), by);
}

// The names of the page are this machine's here.
std::string here(const std::string& text) {
    return replaced(text, R"((db|pooler)\.internal)", "localhost");
}

std::string snippet(const std::string& mark, const std::string& name) {
    for (const Snippet& one : snippets_of(read_page(page), mark)) {
        if (one.name == name) return here(one.text);
    }
    throw std::runtime_error("no " + mark + " " + name);
}

// Certificates in a folder, as the page makes them.
struct Certificates {
    TemporaryFolder folder;

    explicit Certificates(const std::string& authority = "our authority") {
        const std::string commands = replaced(here(blocks_of(read_page(page), "sh").at(0)), "our authority", authority);
        const Finished made = run_command(guide_command(folder, "", commands));
        INFO(made.errors);
        REQUIRE(made.code == 0);
    }
    std::string file(const std::string& name) const { return folder.path() + "/" + name; }
};

struct Secure {
    Certificates certificates;
    OwnServer server;

    Secure()
        : server({
              .server_settings = settings(),
              .tcp = true,
              .files =
                  {{"server.crt", text_of(certificates.file("server.crt"))},
                   {"server.key", text_of(certificates.file("server.key"))},
                   {"authority.crt", text_of(certificates.file("authority.crt"))},
                   {"pg_hba.conf", "local all all trust\n" + snippet("file", "pg_hba.conf")}},
          }) {
        psql(server.url(), "create database app");
        const Finished roles = run_command(
            {.words = {"/usr/bin/env", "psql", server.url("app"), "-qf", TASK_WORKER_SOURCE_DIR "/deploy/roles.sql"}}
        );
        REQUIRE(roles.code == 0);
        psql(
            server.url(),
            "create role migrator login in role task_worker_owner password 'right'; "
            "create role shop login in role task_worker_app; create role other login in role task_worker_app"
        );
    }
    static std::vector<std::string> settings() {
        std::vector<std::string> settings;
        for (const std::string& line : lines_of(snippet("file", "postgresql.conf")))
            settings.push_back(replaced(replaced(line, " = '?", "="), "'$", ""));
        return settings;
    }
    std::string url(const std::string& name, int pooler_port = 0) const {
        std::string text = replaced(snippet("url", name), "\n", "");
        text = replaced(text, ":5432/", ":" + std::to_string(server.port()) + "/");
        text = replaced(text, ":6432/", ":" + std::to_string(pooler_port) + "/");
        return replaced(text, "/etc/task-worker/", certificates.file(""));
    }
    static Finished run(std::vector<std::string> words, std::map<std::string, std::string> environment) {
        words.insert(words.begin(), TASK_WORKER_BINARY);
        environment.insert({"ENVIRONMENT", "production"});
        return run_command({.words = std::move(words), .environment = std::move(environment), .folder = "/"});
    }
    // What `check` answers with a URL that is not right.
    static std::string refusal(const std::string& url) {
        const Finished finished = run({"check"}, {{"DATABASE_URL", url}});
        INFO(finished.output << finished.errors);
        CHECK(finished.code == 3);
        return finished.output + finished.errors;
    }
    void migrate() const {
        certificates.folder.write("password", "right\n");
        const Finished up =
            run({"migrate", "up"},
                {{"DATABASE_URL", url("password")}, {"DB_PASSWORD_FILE", certificates.file("password")}});
        INFO(up.errors);
        REQUIRE(up.code == 0);
    }
};

// A PgBouncer with the page's configuration.
class SecurePooler {
public:
    explicit SecurePooler(const Secure& secure)
        : folder_(worker::make_socket_folder(worker::server_user())), port_(free_port()) {
        std::string ini =
            replaced(snippet("file", "pgbouncer.ini"), "port=5432", "port=" + std::to_string(secure.server.port()));
        ini = replaced(ini, "listen_port = 6432", "listen_port = " + std::to_string(port_));
        write("pgbouncer.ini", ini + "unix_socket_dir = " + folder_.string() + "\n");
        write("users.txt", snippet("file", "users.txt"));
        for (const char* name : {"authority.crt", "pooler.crt", "pooler.key", "shop.crt", "shop.key"})
            write(name, text_of(secure.certificates.file(name)));
        process_ = worker::start_child({
            .words = {"/usr/sbin/pgbouncer", folder_ / "pgbouncer.ini"},
            .folder = folder_,
            .log = folder_ / "pgbouncer.log",
            .user = worker::server_user(),
            .signal_when_parent_dies = SIGKILL,
        });
        await_server(process_, secure.url("pooler", port_), folder_ / "pgbouncer.log");
    }
    ~SecurePooler() {
        kill(process_, SIGKILL);
        worker::wait_child(process_, std::chrono::seconds(10));
        worker::remove_socket_folder(folder_);
    }
    SecurePooler(const SecurePooler&) = delete;
    SecurePooler& operator=(const SecurePooler&) = delete;
    int port() const { return port_; }

private:
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        hand_over(folder_ / name, 0600);
    }

    fs::path folder_;
    int port_;
    pid_t process_ = -1;
};

}  // namespace

TEST_CASE("docs/tls.md: a worker works by certificate, directly and through a PgBouncer", "[scenario][docs][tls]") {
    const Secure secure;
    secure.migrate();
    const std::string direct = secure.url("certificate");
    const auto work = [&](const Process::Environment& environment) {
        const Finished check = Secure::run({"check"}, {environment.begin(), environment.end()});
        INFO(check.output << check.errors);
        CHECK(check.code == 0);
        WorkerProcess worker(environment.at("DATABASE_URL"), environment);
        const std::string id = psql(secure.server.url("app"), "select task_queue.enqueue('noop', '{}')").at(0).at(0);
        await_value(secure.server.url("app"), "select state from task_queue.job(" + id + ")", "completed");
        worker.signal(SIGTERM);
        CHECK(worker.wait_exit() == 0);
        CHECK_THAT(worker.output(), !Contains("\"level\":\"warn\""));
    };
    work({{"DATABASE_URL", direct}});
    const SecurePooler pooler(secure);
    work(
        {{"DATABASE_URL", secure.url("pooler", pooler.port())},
         {"DB_POOLER", "transaction"},
         {"DATABASE_DIRECT_URL", direct}}
    );
    // PgBouncer keeps its connections to the server.
    CHECK(
        psql(
            secure.server.url(),
            "select count(*) > 0 and bool_and(s.ssl) and bool_and(a.usename = 'shop') "
            "from pg_stat_ssl s join pg_stat_activity a using (pid) where a.client_port > 0"
        )
            .at(0)
            .at(0) == "t"
    );
}

TEST_CASE("docs/tls.md: what is refused says why, and what to set", "[scenario][docs][tls]") {
    const Secure secure;
    const Certificates others("another authority");
    const std::string good = secure.url("certificate");
    const std::string documented = read_page(page);
    const auto refuses = [&](const std::string& url, const std::string& words, const std::string& way_out) {
        INFO(url);
        const std::string said = Secure::refusal(url);
        CHECK_THAT(said, Contains(words) && Contains(way_out) && Contains("database.url"));
        CHECK_THAT(documented, Contains("`" + words));
    };
    refuses(
        replaced(good, "sslrootcert=[^&]*", "sslrootcert=" + others.file("authority.crt")),
        "certificate verify failed",
        "sslrootcert"
    );
    refuses(replaced(good, "@localhost", "@127.0.0.1"), "does not match host name", "connect by a name");
    refuses(replaced(good, "&sslcert=.*", ""), "connection requires a valid client certificate", "sslcert and sslkey");
    refuses(replaced(good, "/shop[.](crt|key)", "/server.$1"), "certificate authentication failed", "pg_ident.conf");
    const auto with_certificate_of = [&](const Certificates& other) {
        return replaced(good, secure.certificates.file("shop"), other.file("shop"));
    };
    refuses(with_certificate_of(others), "alert unknown ca", "ssl_ca_file");
    refuses(with_certificate_of(Certificates()), "alert decrypt error", "ssl_ca_file");  // another of the same name
    fs::permissions(secure.certificates.file("shop.key"), fs::perms{0644});
    refuses(good, "private key file", "u=rw (0600)");
    fs::permissions(secure.certificates.file("shop.key"), fs::perms{0600});
}
