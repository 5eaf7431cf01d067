#include "db/budget.hpp"

#include <algorithm>
#include <string_view>

namespace db {

namespace {

std::string limit_name(const Budget& budget) {
    return budget.limit_is_configured ? "database.max_connections" : "the server's max_connections";
}

// Which number to lower, and by how much.
std::string what_to_lower(const Budget& budget) {
    if (budget.is_pooled) {
        return "lower other_connections, if the pooler and the other services really open less, or let workers that "
               "do not yet go through the pooler";
    }
    constexpr int outside_pool = 2;  // control and LISTEN
    const int pooled = budget.own - outside_pool;
    if (pooled > budget.overrun()) {
        return "lower pool_size + max_overflow of this worker from " + std::to_string(pooled) + " to " +
               std::to_string(pooled - budget.overrun());
    }
    if (budget.workers < 2) return "lower other_connections, if the other services really take less";
    const int each = (budget.overrun() + budget.workers - 1) / budget.workers;
    return "lower pool_size + max_overflow of every worker by " + std::to_string(each) + ", or run fewer workers";
}

std::string row(std::string_view name, int number, std::size_t width) {
    constexpr std::size_t number_width = 8;
    const std::string digits = std::to_string(number);
    const std::size_t gap = width - name.size() + number_width - std::min(number_width, digits.size());
    return std::string(name) + std::string(gap, ' ') + digits + "\n";
}

}  // namespace

Budget add_up(const BudgetRequest& request) {
    Budget budget;
    budget.workers = static_cast<int>(request.workers.size());
    budget.is_pooled = request.is_pooled;
    budget.other = request.other_connections;
    budget.reserved = request.reserved_connections;
    for (const BudgetRequest::Member& worker : request.workers) {
        budget.lines.push_back({"worker " + worker.name + (worker.is_self ? " (this one)" : ""), worker.connections});
        if (worker.is_self) budget.own = worker.connections;
    }
    budget.lines.push_back({"other services (other_connections)", request.other_connections});
    budget.lines.push_back({"reserved by the server", request.reserved_connections});
    for (const Budget::Line& line : budget.lines) budget.total += line.connections;

    const int configured = request.configured_max.value_or(request.server_max_connections);
    budget.limit_is_configured = configured < request.server_max_connections;
    budget.limit = std::min(configured, request.server_max_connections);
    return budget;
}

std::string verdict(const Budget& budget) {
    const std::string limit = limit_name(budget) + " (" + std::to_string(budget.limit) + ")";
    if (budget.fits()) {
        return "fits " + limit + ": " + std::to_string(budget.total) + " claimed, " +
               std::to_string(budget.limit - budget.total) + " to spare";
    }
    return "overruns " + limit + " by " + std::to_string(budget.overrun()) + ": " + std::to_string(budget.total) +
           " claimed; " + what_to_lower(budget) + ", or raise " + limit_name(budget) + " to " +
           std::to_string(budget.total) +
           (budget.is_pooled ? "" : ", or put a PgBouncer between (database.pooler: transaction)");
}

std::string to_text(const Budget& budget) {
    constexpr std::string_view total = "claimed";
    const std::string limit = "limit: " + limit_name(budget);
    std::size_t width = std::max(total.size(), limit.size());
    for (const Budget::Line& line : budget.lines) width = std::max(width, line.name.size());
    std::string text;
    for (const Budget::Line& line : budget.lines) text += row(line.name, line.connections, width);
    return text + row(total, budget.total, width) + row(limit, budget.limit, width) + verdict(budget) + "\n";
}

}  // namespace db
