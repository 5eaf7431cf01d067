#pragma once

// A database behind a network that can fall silent, calls that would take for ever, and what became of them.

#include "db/error.hpp"
#include "db/statement.hpp"
#include "db/url.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/fault_proxy.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>

namespace tests {

inline const db::Statement sleep_sql{"test_sleep", "select pg_sleep(60)"};

struct SilenceBed {
    TestDatabase database;
    FaultProxy network{db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432"};

    db::ConnectionSettings through() const {
        return {
            .url = network.url(database.name()),
            .statement_timeout = std::chrono::milliseconds(300),
            .grace = std::chrono::milliseconds(200)
        };
    }
};

// Ends the silence when the test takes too long, so that it fails instead of hanging.
class Watchdog {
public:
    explicit Watchdog(FaultProxy& network)
        : thread_([this, &network] {
              if (ended_.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready) return;
              bit_ = true;
              network.cut();
          }) {}
    // Whether it had to.
    bool bit() {
        if (thread_.joinable()) {
            ended_.set_value();
            thread_.join();
        }
        return bit_;
    }
    ~Watchdog() { bit(); }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

private:
    std::promise<void> ended_;
    bool bit_ = false;  // read after the thread has ended
    std::thread thread_;
};

// Calls of sleep_sql that the server works on.
inline int asleep(const TestDatabase& database) {
    return std::stoi(database.value(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query like "
        "'select pg_sleep%'"
    ));
}

// Returns as soon as there are so many.
inline void await_asleep(const TestDatabase& database, int wanted) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (asleep(database) != wanted && std::chrono::steady_clock::now() < limit) {
    }
    CHECK(asleep(database) == wanted);
}

// How a call failed.
template <class Call>
boost::asio::awaitable<std::optional<db::ErrorKind>> failure_of(Call call) {
    try {
        co_await call();
    } catch (const db::Error& error) {
        co_return error.kind();
    }
    co_return std::nullopt;
}

}  // namespace tests
