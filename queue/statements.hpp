#pragma once

// Every statement of this room. A test prepares each against the migrated schema.

#include "db/statement.hpp"

#include <span>

namespace queue {

extern const db::Statement fix_plans_sql;
extern const db::Statement claim_bundles_sql;
extern const db::Statement claim_suspect_sql;
extern const db::Statement finish_jobs_sql;
extern const db::Statement release_jobs_sql;
extern const db::Statement register_worker_sql;
extern const db::Statement record_heartbeat_sql;
extern const db::Statement set_hungry_sql;
extern const db::Statement retire_worker_sql;
extern const db::Statement read_workers_sql;
extern const db::Statement declare_dead_sql;
extern const db::Statement take_leadership_sql;
extern const db::Statement yield_leadership_sql;
extern const db::Statement rescue_jobs_sql;
extern const db::Statement promote_jobs_sql;
extern const db::Statement create_partitions_sql;
extern const db::Statement drop_partition_sql;
extern const db::Statement prune_dead_jobs_sql;
extern const db::Statement prune_batches_sql;
extern const db::Statement prune_enqueue_keys_sql;
extern const db::Statement prune_workers_sql;
extern const db::Statement read_kinds_sql;
extern const db::Statement intern_kinds_sql;
extern const db::Statement read_queues_sql;
extern const db::Statement declare_queues_sql;
extern const db::Statement read_depth_sql;

// All of them, in no particular order.
std::span<const db::Statement* const> statements();

}  // namespace queue
