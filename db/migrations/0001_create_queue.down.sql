-- Takes back the tables of the queue, with everything in them.
drop function task_queue.drop_partition(interval);
drop function task_queue.create_partitions(integer);
drop table task_queue.leaders;
drop table task_queue.workers;
drop table task_queue.enqueue_keys;
drop table task_queue.task_progress;
drop table task_queue.batch_changes;
drop table task_queue.batches;
drop table task_queue.dead_jobs;
drop table task_queue.finished_bundles;
drop table task_queue.bundles;
drop function task_queue.intern_kind(text);
drop table task_queue.queues;
drop table task_queue.kinds;
drop function task_queue.element_of(bigint, integer);
drop function task_queue.first_job(bigint);
drop function task_queue.count_jobs(bigint);
