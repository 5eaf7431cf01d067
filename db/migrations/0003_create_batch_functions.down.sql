drop function task_queue.batch_status(uuid);
drop function task_queue.fold_batch_changes(bigint, integer);
drop function task_queue.cancel_batch(uuid);
drop function task_queue.cancel_batch_rows(uuid, integer);
drop function task_queue.seal_due_batches(integer);
drop function task_queue.seal_batch(uuid);
drop function task_queue.lock_batch(uuid);
drop function task_queue.create_batch(uuid, text, json, text, text, text, json, text, interval);
drop index task_queue.ix_batches_cancelled;
