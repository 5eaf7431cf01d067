#include "queue/statements.hpp"

#include <array>

namespace queue {

std::span<const db::Statement* const> statements() {
    static constexpr std::array all{
        &fix_plans_sql,        &claim_bundles_sql,   &claim_suspect_sql,    &finish_jobs_sql,
        &release_jobs_sql,     &register_worker_sql, &record_heartbeat_sql, &set_hungry_sql,
        &retire_worker_sql,    &read_workers_sql,    &declare_dead_sql,     &take_leadership_sql,
        &yield_leadership_sql, &rescue_jobs_sql,     &promote_jobs_sql,     &create_partitions_sql,
        &drop_partition_sql,   &prune_dead_jobs_sql, &prune_batches_sql,    &prune_enqueue_keys_sql,
        &prune_workers_sql,    &read_kinds_sql,      &intern_kinds_sql,     &read_queues_sql,
        &declare_queues_sql,   &read_depth_sql,
    };
    return all;
}

}  // namespace queue
