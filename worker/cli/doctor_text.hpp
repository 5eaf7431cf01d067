#pragma once

// What the doctor finds, in words: each finding with what to do. Pure.

#include "db/budget.hpp"
#include "db/catalogue_horizon.hpp"
#include "db/catalogue_schema.hpp"
#include "db/migrations.hpp"
#include "queue/health.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace worker::cli {

struct Finding {
    std::string check;  // connections, horizon, ...
    bool ok = true;
    std::string text;
    std::string advice{};  // empty when all is well
};

using Findings = std::vector<Finding>;

// Each answers at least one finding.
Findings judge_connections(const db::Budget& budget, int open, int max_connections);
Findings judge_horizon(const std::vector<db::HorizonHolder>& holders, std::chrono::milliseconds patience);
Findings judge_heads(const queue::HeadCost& cost);
Findings judge_leases(const std::vector<queue::StuckLease>& leases);
Findings judge_batches(const std::vector<queue::StuckBatch>& batches);
// `skew`: the server's clock less this machine's; `error`: what the measurement may be off by.
Findings judge_clock(std::chrono::milliseconds skew, std::chrono::milliseconds error);
Findings judge_indexes(const std::vector<db::SchemaObject>& missing);
Findings judge_schema(const std::vector<db::SchemaObject>& missing, const std::vector<db::MigrationStatus>& migrations);

}  // namespace worker::cli
