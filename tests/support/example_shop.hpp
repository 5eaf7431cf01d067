#pragma once

// What the example of deploy/compose stands on: a PostgreSQL with the files that its container runs first, where every
// login has to say its password.

#include "tests/support/compose.hpp"
#include "tests/support/own_server.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tests {

class ExampleShop {
public:
    using Start = std::function<std::unique_ptr<Process>(const std::string& service)>;

    // Starts pooler, API, migration and the workers one after the other, as `start` does, and returns when they are
    // ready. Each worker listens at a port of its own.
    void open(const Start& start);

    // Places an order at the API and waits until its receipt has been sent, by a job. Answers the job's id.
    std::string order() const;
    // Of the database, as the superuser.
    std::string value(const std::string& sql) const;

    Compose& compose() { return compose_; }
    Process& service(const std::string& name) { return *running_.at(name); }
    int api_port() const { return api_port_; }
    int worker_port(const std::string& name) const { return worker_ports_.at(name); }

    ExampleShop();

private:
    Compose compose_;
    OwnServer server_;
    std::map<std::string, std::unique_ptr<Process>> running_;
    std::map<std::string, int> worker_ports_;
    int api_port_ = 0;
};

}  // namespace tests
