#include "queue/statements.hpp"

#include <array>

namespace queue {

std::span<const db::Statement* const> statements() {
    static constexpr std::array all{
        &fix_plans_sql,          &claim_bundles_sql,      &claim_suspect_sql,        &finish_jobs_sql,
        &release_jobs_sql,       &release_claims_sql,     &register_worker_sql,      &record_heartbeat_sql,
        &set_hungry_sql,         &retire_worker_sql,      &read_workers_sql,         &declare_dead_sql,
        &take_leadership_sql,    &yield_leadership_sql,   &rescue_jobs_sql,          &promote_jobs_sql,
        &create_partitions_sql,  &drop_partition_sql,     &prune_dead_jobs_sql,      &prune_batches_sql,
        &prune_enqueue_keys_sql, &prune_workers_sql,      &read_kinds_sql,           &intern_kinds_sql,
        &read_queues_sql,        &declare_queues_sql,     &read_depth_sql,           &enqueue_job_sql,
        &enqueue_jobs_sql,       &begin_bulk_enqueue_sql, &reserve_base_ids_sql,     &end_bulk_enqueue_sql,
        &create_batch_sql,       &seal_batch_sql,         &cancel_batch_sql,         &cancel_remaining_jobs_sql,
        &seal_due_batches_sql,   &fold_batch_changes_sql, &read_batch_status_sql,    &list_batches_sql,
        &list_slow_jobs_sql,     &cancel_job_sql,         &record_task_progress_sql, &read_task_progress_sql,
        &read_job_sql,           &list_jobs_sql,          &list_dead_jobs_sql,       &redrive_dead_jobs_sql,
        &purge_dead_jobs_sql,    &read_args_limit_sql,    &set_args_limit_sql,       &read_batch_callbacks_sql,
        &list_waiting_kinds_sql, &read_obstacles_sql,     &read_loads_sql,           &list_stuck_leases_sql,
        &list_stuck_batches_sql,
    };
    return all;
}

}  // namespace queue
