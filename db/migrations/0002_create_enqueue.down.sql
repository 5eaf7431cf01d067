drop function task_queue.end_copy(text, smallint, text, uuid, bigint, int8multirange);
drop function task_queue.begin_copy(text, text, integer, timestamptz, interval, integer, text, uuid);
drop function task_queue.enqueue_many(
    text, json[], text, integer, timestamptz, interval, integer, text, uuid, json, integer
);
drop function task_queue.insert_bundles(
    json[], integer, integer, smallint, integer, timestamptz, integer, uuid, json
);
drop function task_queue.split_args(json[]);
drop function task_queue.enqueue(text, jsonb, text, integer, timestamptz, interval, integer, text, text, uuid, json);
drop function task_queue.enqueue(text, text, text, integer, timestamptz, interval, integer, text, text, uuid, json);
drop function task_queue.enqueue(text, json, text, integer, timestamptz, interval, integer, text, text, uuid, json);
drop function task_queue.enqueue_job(text, json, text, integer, timestamptz, interval, integer, text, text, uuid, json);
drop function task_queue.find_unique_job(text);
drop function task_queue.wake_workers(text);
drop function task_queue.enter_key(text);
drop function task_queue.enter_batch(uuid);
drop function task_queue.check_queue(text);
drop function task_queue.check_enqueue(text, integer, timestamptz, interval, integer);
drop function task_queue.check_args_size(bigint);
drop function task_queue.batch_lock_key(uuid);
drop function task_queue.keeps(text);
drop table task_queue.limits;
