drop trigger tell_queues_changed on task_queue.queues;
drop function task_queue.tell_queues_changed();
drop function task_queue.look(bigint, interval, bigint, timestamptz, bigint);
drop function task_queue.wake_for_late_commits(bigint);
drop function task_queue.take_leadership(bigint, interval);
drop function task_queue.record_heartbeat(bigint);
