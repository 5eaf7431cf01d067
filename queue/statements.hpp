#pragma once

// Every statement of this room. A test prepares each against the migrated schema.

#include "db/statement.hpp"

#include <span>

namespace queue {

extern const db::Statement fix_plans_sql;
extern const db::Statement claim_bundles_sql;
extern const db::Statement claim_whole_bundles_sql;
extern const db::Statement claim_suspect_sql;
extern const db::Statement is_suspect_waiting_sql;
extern const db::Statement finish_jobs_sql;
extern const db::Statement finish_whole_rows_sql;
extern const db::Statement complete_job_sql;
extern const db::Statement release_jobs_sql;
extern const db::Statement release_claims_sql;
extern const db::Statement register_worker_sql;
extern const db::Statement record_heartbeat_sql;
extern const db::Statement set_hungry_sql;
extern const db::Statement retire_worker_sql;
extern const db::Statement read_workers_sql;
extern const db::Statement declare_dead_sql;
extern const db::Statement look_sql;
extern const db::Statement yield_leadership_sql;
extern const db::Statement rescue_jobs_sql;
extern const db::Statement promote_jobs_sql;
extern const db::Statement create_partitions_sql;
extern const db::Statement drop_partition_sql;
extern const db::Statement prune_dead_jobs_sql;
extern const db::Statement prune_batches_sql;
extern const db::Statement prune_enqueue_keys_sql;
extern const db::Statement prune_workers_sql;
extern const db::Statement prune_task_progress_sql;
extern const db::Statement read_kinds_sql;
extern const db::Statement intern_kinds_sql;
extern const db::Statement read_queues_sql;
extern const db::Statement declare_queues_sql;
extern const db::Statement find_handlers_sql;
extern const db::Statement read_depth_sql;

extern const db::Statement enqueue_job_sql;
extern const db::Statement enqueue_jobs_sql;
extern const db::Statement read_args_limit_sql;
extern const db::Statement set_limits_sql;
extern const db::Statement begin_bulk_enqueue_sql;
extern const db::Statement reserve_base_ids_sql;
extern const db::Statement end_bulk_enqueue_sql;
extern const db::Statement create_batch_sql;
extern const db::Statement seal_batch_sql;
extern const db::Statement cancel_batch_sql;
extern const db::Statement cancel_remaining_jobs_sql;
extern const db::Statement seal_due_batches_sql;
extern const db::Statement fold_batch_changes_sql;
extern const db::Statement read_batch_status_sql;
extern const db::Statement list_batches_sql;
extern const db::Statement list_current_batches_sql;
extern const db::Statement read_batch_loads_sql;
extern const db::Statement read_batch_callbacks_sql;
extern const db::Statement list_waiting_kinds_sql;
extern const db::Statement list_slow_jobs_sql;
extern const db::Statement cancel_job_sql;
extern const db::Statement count_cancellable_jobs_sql;
extern const db::Statement cancel_jobs_sql;
extern const db::Statement record_task_progress_sql;
extern const db::Statement read_task_progress_sql;
extern const db::Statement read_job_sql;
extern const db::Statement list_jobs_sql;
extern const db::Statement read_obstacles_sql;
extern const db::Statement read_loads_sql;
extern const db::Statement list_stuck_leases_sql;
extern const db::Statement list_stuck_batches_sql;
extern const db::Statement list_dead_jobs_sql;
extern const db::Statement find_dead_jobs_sql;
extern const db::Statement list_recent_failures_sql;
extern const db::Statement redrive_dead_jobs_sql;
extern const db::Statement purge_dead_jobs_sql;

// All of them, in no particular order.
std::span<const db::Statement* const> statements();

}  // namespace queue
