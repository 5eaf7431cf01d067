#pragma once

// The connection budget: the fleet of workers must fit into the server's max_connections. Pure.

#include "db/settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace db {

// The most connections one worker opens without a pooler: its pool, one for its control thread, one for LISTEN.
constexpr int own_connections(const PoolSettings& pool) {
    return pool.pool_size + pool.max_overflow + 2;
}

struct BudgetRequest {
    struct Member {
        std::string name;  // how people tell the worker: host and process, perhaps with its id
        int connections = 0;
        bool is_self = false;  // the worker that asks
    };
    std::vector<Member> workers{};        // the live ones, this one included
    int other_connections = 0;            // what other services may take
    int reserved_connections = 0;         // superuser_reserved_connections and reserved_connections of the server
    int server_max_connections = 0;       // max_connections of the server
    std::optional<int> configured_max{};  // database.max_connections: claim less than the server allows
    bool is_pooled = false;               // who asks is behind a pooler: what its pool opens does not count
};

struct Budget {
    struct Line {
        std::string name;
        int connections = 0;
    };
    std::vector<Line> lines;  // each worker, other services, the server's reserve
    int total = 0;
    int limit = 0;  // the lesser of the server's and the configured maximum
    bool limit_is_configured = false;
    bool is_pooled = false;
    int workers = 0;  // how many
    int own = 0;      // connections of the worker that asks; 0 when it is not among the members
    int other = 0;
    int reserved = 0;

    int by_workers() const { return total - other - reserved; }

    int overrun() const { return total > limit ? total - limit : 0; }
    bool fits() const { return overrun() == 0; }
};

Budget add_up(const BudgetRequest& request);

// The table as text, a line each, the total and the verdict last: it fits with N to spare, or overruns by N, with
// what to change.
std::string to_text(const Budget& budget);

// One sentence: fits, or overruns and the ways out. For a log and for the refusal to start.
std::string verdict(const Budget& budget);

}  // namespace db
