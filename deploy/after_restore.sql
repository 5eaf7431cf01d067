-- After a backup was restored, or a replica promoted that may lack commits: before the first worker starts.
--
--     psql "$RESTORED_URL" -v ON_ERROR_STOP=1 -f deploy/after_restore.sql
--
-- Workers and producers have got numbers since, which this database knows nothing of. Half of a lease is the number of
-- its worker: it is never given twice. Each step is far more than was given since the backup, of jobs one in a row of its
-- own each: a hundred billion of them, which there is room for 700,000 times.
select
    setval('task_queue.worker_ids', (select last_value from task_queue.worker_ids) + 1000000) as worker_ids,
    setval('task_queue.base_ids', (select last_value from task_queue.base_ids) + 128 * 100000000000::bigint) as base_ids;
