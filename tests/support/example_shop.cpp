#include "tests/support/example_shop.hpp"

#include "tests/support/command.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/http_ask.hpp"
#include "tests/support/psql.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <stdexcept>

namespace tests {

namespace {

constexpr const char* access = R"(
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
)";

std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
}

std::string local(int port) {
    return fmt::format("127.0.0.1:{}", port);
}

}  // namespace

ExampleShop::ExampleShop() : server_({.tcp = true, .files = {{"pg_hba.conf", access}}}) {
    const std::string database = compose_.environment("postgres").at("POSTGRES_DB");
    psql(server_.url(), "create database " + database);
    for (const Compose::File& file : compose_.files("postgres")) {
        if (!file.there.starts_with("/docker-entrypoint-initdb.d/")) throw std::runtime_error(file.there);
        const Finished done =
            run_command({.words = {"/usr/bin/psql", server_.url(database), "-v", "ON_ERROR_STOP=1", "-f", file.here}});
        if (done.code != 0) throw std::runtime_error(done.errors);
    }
    compose_.place("postgres:5432", local(server_.port()));
    compose_.place("host=postgres port=5432", fmt::format("host=127.0.0.1 port={}", server_.port()));
}

void ExampleShop::open(const Start& start) {
    const int pooler = free_port();
    compose_.place("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1");
    compose_.place("listen_port = 6432", fmt::format("listen_port = {}", pooler));
    compose_.place("pgbouncer:6432", local(pooler));
    running_["pgbouncer"] = start("pgbouncer");
    service("pgbouncer").wait_for_line("process up");

    compose_.place("0.0.0.0:8000", local(0));
    running_["api"] = start("api");
    const std::string mark = "listening on port ";
    const std::string listens = service("api").wait_for_line(mark);
    api_port_ = std::stoi(listens.substr(listens.find(mark) + mark.size()));
    compose_.place("api:8000", local(api_port_));

    running_["migrate"] = start("migrate");
    if (service("migrate").wait_exit() != 0) throw std::runtime_error(service("migrate").output());
    for (const char* const worker : {"worker-1", "worker-2"}) {
        worker_ports_[worker] = free_port();
        compose_.place(fmt::format("{}:8090", worker), local(worker_ports_[worker]));
        running_[worker] = start(worker);
        service(worker).wait_for_line("\"message\":\"ready\"");
    }
}

std::string ExampleShop::order() const {
    const std::string answer = http_ask(api_port_, "/orders", "POST", R"({"email": "ada@example.com"})");
    if (answer.find(" 201 ") == std::string::npos) throw std::runtime_error("the API answers: " + answer);
    const boost::json::value placed = boost::json::parse(body_of(answer));
    const std::string job = boost::json::serialize(placed.at("job"));
    await_value(server_.url("shop"), "select state from task_queue.job(" + job + ")", "completed");
    const std::string order = body_of(http_ask(api_port_, "/orders/" + boost::json::serialize(placed.at("order"))));
    if (order != R"({"email": "ada@example.com", "receipt_sent": true})") throw std::runtime_error(order);
    return job;
}

std::string ExampleShop::value(const std::string& sql) const {
    return psql(server_.url("shop"), sql).at(0).at(0);
}

}  // namespace tests
