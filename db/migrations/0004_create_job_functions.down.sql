drop function task_queue.report_progress(bigint, bigint, bigint, text);
drop function task_queue.complete_job(bigint, bigint, bigint, json, interval, interval, boolean);
drop function task_queue.cancel(bigint);
drop function task_queue.job(bigint);
drop view task_queue.jobs;
drop function task_queue.state_name(smallint);
drop function task_queue.row_ids(bigint);
