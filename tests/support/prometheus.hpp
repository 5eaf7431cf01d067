#pragma once

// A real Prometheus with a configuration of deploy/ and its alert rules, which scrapes workers of the tests.

#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/json/value.hpp>

#include <string>

namespace tests {

inline const std::string promtool = "/usr/bin/promtool";

class Prometheus {
public:
    // With deploy/prometheus/prometheus.yml it scrapes the endpoints at this port once a second, and evaluates its
    // rules as often. Blocks until it is ready. Throws: std::runtime_error when none is installed, or with what it
    // wrote.
    explicit Prometheus(int port);
    // The same with another configuration, which says every 15 s.
    explicit Prometheus(const std::string& configuration);

    // What its API answers to an expression, asked of now: `data` of the answer. Throws: std::runtime_error with its
    // error.
    boost::json::value query(const std::string& expression) const;
    // How many series the answer has whose value is a number; a scalar is one.
    std::size_t count(const std::string& expression) const;
    // Returns once the expression answers with series. Throws: std::runtime_error after a minute.
    void await(const std::string& expression) const;

    // What it tells of its rules: `data` of /api/v1/rules.
    boost::json::value rules() const;

private:
    boost::json::value ask(const std::string& path) const;

    TemporaryFolder folder_;
    Process process_;
    int port_ = 0;
};

}  // namespace tests
