-- How producers in any language put jobs into the queue. Everything runs inside the caller's transaction: what is rolled
-- back never existed. NULL for an optional argument means its default.

-- What the SQL functions, which know no configuration, need of that of the worker that started last.
create table task_queue.limits (
    name text not null,
    value bigint not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_limits primary key (name),
    -- Args up to 8 kB are never looked at, so that a small job costs no look-up.
    constraint ck_limits_args check (name <> 'args' or value >= 8192)
);
insert into task_queue.limits (name, value)
values ('args', 1048576), ('retention.completed', 86400), ('retention.cancelled', 86400);
comment on table task_queue.limits is
    'Limits for all who call: args = bytes of one job''s args; retention.completed, retention.cancelled = seconds of '
    'history.';

create function task_queue.keeps(outcome text) returns boolean
language sql stable
return coalesce((select l.value > 0 from task_queue.limits l where l.name = 'retention.' || outcome), true);
comment on function task_queue.keeps is 'Whether there is a history of jobs that ended so: completed or cancelled.';

create function task_queue.batch_lock_key(batch_id uuid) returns bigint
language sql immutable parallel safe strict
return hashtextextended('task_queue.batches:' || batch_id::text, 0);
comment on function task_queue.batch_lock_key is
    'Key of the advisory transaction lock that enqueues into a batch share, and that sealing and cancelling it take alone.';

create function task_queue.check_args_size(bytes bigint) returns void
language plpgsql stable as $$
declare
    allowed bigint := (select l.value from task_queue.limits l where l.name = 'args');
begin
    if bytes > allowed then
        raise exception 'args has % bytes, more than the % allowed for a job', bytes, allowed
            using errcode = '54000', hint = 'Put large data elsewhere and enqueue a reference to it.';
    end if;
end
$$;
comment on function task_queue.check_args_size is 'Refuses the args of a job above the limit.';

-- What every way of enqueuing shares: the checks of its arguments, and when the jobs are due.
create function task_queue.check_enqueue(
    kind text, priority integer, run_at timestamptz, delay interval, max_attempts integer
) returns timestamptz
language plpgsql stable as $$
declare
    due timestamptz := coalesce(run_at, now() + delay, now());
begin
    if kind is null or kind = '' or length(kind) > 200 then
        raise exception 'kind must be a name of 1 to 200 characters' using errcode = '22023';
    elsif priority not between 0 and 9 then
        raise exception 'priority must be 0 (most urgent) to 9, not %', priority using errcode = '22023';
    elsif max_attempts not between 1 and 32767 then
        raise exception 'max_attempts must be 1 to 32767, not %', max_attempts using errcode = '22023';
    elsif run_at is not null and delay is not null then
        raise exception 'run_at and delay exclude each other: give one' using errcode = '22023';
    elsif delay < interval '0' then
        raise exception 'delay must not be negative, it is %', delay using errcode = '22023';
    elsif not isfinite(due) then
        raise exception 'run_at must be a finite time, not %', due using errcode = '22023';
    end if;
    return due;
end
$$;
comment on function task_queue.check_enqueue is 'Checks what enqueue and enqueue_many share and answers when the jobs are due.';

create function task_queue.check_queue(queue text) returns void
language plpgsql stable as $$
begin
    if not exists (select from task_queue.queues q where q.name = queue) then
        raise exception 'queue "%" does not exist', queue
            using errcode = '22023', hint = 'Declare it in config.yml, or create it: task-worker queue create ' || queue;
    end if;
end
$$;
comment on function task_queue.check_queue is 'Refuses a queue that was never created.';

-- The lock comes before the look: whoever seals or cancels the batch waits for this transaction, and what is read here
-- is as new as the lock. A snapshot older than the lock could miss a seal, so there the row must not have changed.
create function task_queue.enter_batch(batch_id uuid) returns void
language plpgsql as $$
declare
    batch_state text;
begin
    perform pg_advisory_xact_lock_shared(task_queue.batch_lock_key(batch_id));
    if current_setting('transaction_isolation') = 'read committed' then
        select b.state into batch_state from task_queue.batches b where b.id = enter_batch.batch_id;
    else
        select b.state into batch_state from task_queue.batches b where b.id = enter_batch.batch_id for share;
    end if;
    if not found then
        raise exception 'batch_id % does not exist', batch_id
            using errcode = '22023', hint = 'Create it first: select task_queue.create_batch(...)';
    elsif batch_state <> 'open' then
        raise exception 'batch_id % is %: no more jobs can enter it', batch_id, batch_state using errcode = '55000';
    end if;
end
$$;
comment on function task_queue.enter_batch is
    'Refuses a batch that is not open and keeps it from being sealed or cancelled until this transaction ends.';

-- A second call with the same key waits here for the outcome of the first.
create function task_queue.enter_key(enqueue_key text) returns int8multirange
language plpgsql as $$
declare
    known int8multirange;
begin
    loop
        insert into task_queue.enqueue_keys (key, job_ids) values (enqueue_key, '{}') on conflict do nothing;
        if found then return null; end if;
        select k.job_ids into known from task_queue.enqueue_keys k where k.key = enqueue_key;
        if found then return known; end if;
    end loop;
end
$$;
comment on function task_queue.enter_key is
    'The ids of the jobs that a call with this enqueue_key made, or null when the key is new: then set its job_ids.';

-- A NOTIFY takes a database-wide lock at commit, so it is sent only when a worker would otherwise sleep.
create function task_queue.wake_workers(queue text) returns void
language plpgsql as $$
begin
    if exists (
        select
        from task_queue.workers w
        where w.hungry and w.dead_at is null and (w.queues = '{}' or queue = any (w.queues))
    ) then
        perform pg_notify('task_queue_wake', queue);
    end if;
end
$$;
comment on function task_queue.wake_workers is
    'Notifies task_queue_wake with the name of the queue when a live worker waits for its jobs.';

-- A row with a unique key is a single: its id names its job. Planned anew each time, because a plan made while the
-- queue was empty reads all of it.
create function task_queue.find_unique_job(unique_key text) returns bigint
language plpgsql
set plan_cache_mode = force_custom_plan as $$
begin
    return (select b.id & ~64::bigint from task_queue.bundles b where b.unique_key = find_unique_job.unique_key);
end
$$;
comment on function task_queue.find_unique_job is 'The live job with this unique_key, or null.';

create function task_queue.enqueue_job(
    kind text, args json, queue text, priority integer, run_at timestamptz, delay interval, max_attempts integer,
    unique_key text, enqueue_key text, batch_id uuid, meta json, out job_id bigint, out existed boolean
) language plpgsql as $$
#variable_conflict use_column
declare
    due timestamptz := task_queue.check_enqueue(kind, priority, run_at, delay, max_attempts);
    known int8multirange;
begin
    existed := false;
    queue := coalesce(queue, 'default');
    if args is null then
        raise exception 'args must not be null; without args give an empty object: {}' using errcode = '22004';
    elsif octet_length(args::text) > 8192 then
        perform task_queue.check_args_size(octet_length(args::text));
    end if;
    if enqueue_key is not null then
        known := task_queue.enter_key(enqueue_key);
        if known is not null then
            job_id := lower(known);
            existed := true;
            return;
        end if;
    end if;
    if batch_id is not null then
        perform task_queue.enter_batch(batch_id);
    end if;

    loop
        insert into task_queue.bundles (
            id, members, pending, kind_id, queue_id, state, priority, run_at, max_attempts, batch_id, unique_key, args, meta
        )
        select nextval('task_queue.base_ids'), 1, 1, k.id, q.id, case when due > now() then 0 else 1 end,
            coalesce(enqueue_job.priority, 4), due, coalesce(enqueue_job.max_attempts, 20), enqueue_job.batch_id,
            enqueue_job.unique_key, json_build_array(enqueue_job.args), enqueue_job.meta
        from task_queue.kinds k, task_queue.queues q
        where k.name = enqueue_job.kind and q.name = enqueue_job.queue
        on conflict (unique_key) where unique_key is not null do nothing
        returning id into job_id;
        exit when found;

        job_id := task_queue.find_unique_job(unique_key);
        existed := job_id is not null;
        exit when existed;
        perform task_queue.check_queue(queue), task_queue.intern_kind(kind);
    end loop;

    if enqueue_key is not null then
        update task_queue.enqueue_keys k
        set job_ids = int8multirange(int8range(job_id, job_id, '[]'))
        where k.key = enqueue_job.enqueue_key;
    end if;
    if existed then return; end if;
    if batch_id is not null then
        insert into task_queue.batch_changes (batch_id, total) values (enqueue_job.batch_id, 1);
    end if;
    if due <= now() then
        perform task_queue.wake_workers(queue);
    end if;
end
$$;
comment on function task_queue.enqueue_job is
    'What enqueue() does, and whether the job with this unique_key or enqueue_key was there already (existed).';

-- Three forms, so that every driver finds one: text, which takes untyped literals and parameters as well, json and jsonb.
create function task_queue.enqueue(
    kind text, args json default '{}', queue text default 'default', priority integer default null,
    run_at timestamptz default null, delay interval default null, max_attempts integer default null,
    unique_key text default null, enqueue_key text default null, batch_id uuid default null, meta json default null
) returns bigint
language sql as $$
    select (task_queue.enqueue_job(
        kind, args, queue, priority, run_at, delay, max_attempts, unique_key, enqueue_key, batch_id, meta
    )).job_id
$$;
comment on function task_queue.enqueue(
    text, json, text, integer, timestamptz, interval, integer, text, text, uuid, json
) is 'Enqueues one job in this transaction and returns its id. unique_key: while a job with it lives, that job''s id is '
    'returned and nothing is enqueued. enqueue_key: makes the call safe to repeat for a day.';

create function task_queue.enqueue(
    kind text, args text, queue text default 'default', priority integer default null,
    run_at timestamptz default null, delay interval default null, max_attempts integer default null,
    unique_key text default null, enqueue_key text default null, batch_id uuid default null, meta json default null
) returns bigint
language sql as $$
    select (task_queue.enqueue_job(
        kind, args::json, queue, priority, run_at, delay, max_attempts, unique_key, enqueue_key, batch_id, meta
    )).job_id
$$;
comment on function task_queue.enqueue(
    text, text, text, integer, timestamptz, interval, integer, text, text, uuid, json
) is 'enqueue() with the args as text.';

create function task_queue.enqueue(
    kind text, args jsonb, queue text default 'default', priority integer default null,
    run_at timestamptz default null, delay interval default null, max_attempts integer default null,
    unique_key text default null, enqueue_key text default null, batch_id uuid default null, meta json default null
) returns bigint
language sql as $$
    select (task_queue.enqueue_job(
        kind, args::json, queue, priority, run_at, delay, max_attempts, unique_key, enqueue_key, batch_id, meta
    )).job_id
$$;
comment on function task_queue.enqueue(
    text, jsonb, text, integer, timestamptz, interval, integer, text, text, uuid, json
) is 'enqueue() with the args as jsonb.';

-- Rows for what is too large for one: a new one starts where the bytes before a job pass a multiple of 32 kB, so that the
-- args of a row stay under 64 kB unless one job alone has more than 32.
create function task_queue.split_args(args json[]) returns table (jobs integer, row_args json)
language plpgsql stable as $$
begin
    perform task_queue.check_args_size(max(octet_length(a::text))) from unnest(args) a;
    return query
        select count(*)::integer, json_agg(measured.value order by measured.n)
        from (
            select e.value, e.n,
                (sum(octet_length(e.value::text)) over (order by e.n) - octet_length(e.value::text)) / 32768 as piece
            from unnest(args) with ordinality e (value, n)
        ) measured
        group by measured.piece
        order by measured.piece;
end
$$;
comment on function task_queue.split_args is 'Packs args into rows by their bytes, and refuses those above the limit.';

-- `size` jobs to a row, fewer where they are large. Slices of the array, since whatever visits its elements one by one costs
-- three times as much. To find a slice, an array is read from its beginning: hence slices of slices, of which there are about
-- as many as rows in each. The CTE holds the array flat: plpgsql has it in another form, which each slice would make flat
-- anew. One plan for all calls: a plan of its own would copy the array into itself at each mention.
create function task_queue.insert_bundles(
    args json[], size integer, kind_id integer, queue_id smallint, priority integer, due timestamptz, max_attempts integer,
    batch_id uuid, meta json
) returns int8multirange
language plpgsql
set plan_cache_mode = force_generic_plan
set jit = off as $$
#variable_conflict use_column
declare
    most_bytes bigint := (select least(l.value, 32768) from task_queue.limits l where l.name = 'args');
    ids int8multirange;
begin
    with flat as materialized (
        select args as elements, array_lower(args, 1) as low,
            size * greatest(ceil(sqrt(cardinality(args)::float8 / size))::integer, 1) as step
    ),
    added as (
        insert into task_queue.bundles (
            id, members, pending, kind_id, queue_id, state, priority, run_at, max_attempts, batch_id, args, meta
        )
        select n.id, n.mask, n.mask, insert_bundles.kind_id, insert_bundles.queue_id,
            case when due > now() then 0 else 1 end, insert_bundles.priority, due, insert_bundles.max_attempts,
            insert_bundles.batch_id, n.row_args, insert_bundles.meta
        from (
            select nextval('task_queue.base_ids') as id, ~(-1::bigint << made.jobs) as mask, made.row_args
            from (
                select f.elements[f.low + block.at : f.low + block.at + f.step - 1] as elements
                from flat f, generate_series(0, cardinality(f.elements) - 1, f.step) block (at)
                offset 0
            ) block
            cross join lateral (
                select block.elements[chunk.at + 1 : chunk.at + size] as elements
                from generate_series(0, cardinality(block.elements) - 1, size) chunk (at)
                offset 0
            ) chunk
            cross join lateral (select array_to_json(chunk.elements) as packed offset 0) as_json
            cross join lateral (
                select cardinality(chunk.elements) as jobs, packed as row_args where octet_length(packed::text) <= most_bytes
                union all
                select s.jobs, s.row_args from task_queue.split_args(chunk.elements) s
                where octet_length(packed::text) > most_bytes
            ) made
            offset 0
        ) n
        returning id, members
    )
    select range_agg(int8range(a.id, a.id + task_queue.count_jobs(a.members))) into ids from added a;
    return coalesce(ids, '{}');
end
$$;
comment on function task_queue.insert_bundles is
    'Packs args into rows, in their order, and answers the ids of their jobs. The arguments have been checked but for the size of args.';

create function task_queue.enqueue_many(
    kind text, args json[], queue text default 'default', priority integer default null,
    run_at timestamptz default null, delay interval default null, max_attempts integer default null,
    enqueue_key text default null, batch_id uuid default null, meta json default null, bundle integer default null
) returns setof bigint
language plpgsql as $$
#variable_conflict use_column
declare
    due timestamptz := task_queue.check_enqueue(kind, priority, run_at, delay, max_attempts);
    kind_number integer;
    queue_number smallint;
    size integer := bundle;
    ids int8multirange;
begin
    queue := coalesce(queue, 'default');
    if args is null then
        raise exception 'args must not be null; no jobs at all are an empty array' using errcode = '22004';
    elsif array_ndims(args) > 1 then
        raise exception 'args must have one dimension, not %', array_ndims(args) using errcode = '22023';
    elsif size not between 1 and 63 then
        raise exception 'bundle must be 1 to 63 jobs, not %', size using errcode = '22023';
    end if;
    if enqueue_key is not null then
        ids := task_queue.enter_key(enqueue_key);
        if ids is not null then
            return query select generate_series(lower(r), upper(r) - 1) from unnest(ids) r;
            return;
        end if;
    end if;
    if batch_id is not null then
        perform task_queue.enter_batch(batch_id);
    end if;
    perform task_queue.check_queue(queue);
    kind_number := task_queue.intern_kind(kind);
    select q.id into queue_number from task_queue.queues q where q.name = enqueue_many.queue;
    size := coalesce(
        least(size, (select k.bundle from task_queue.kinds k where k.id = kind_number)),
        least(greatest(cardinality(args) / 16, 1), 63)
    );

    if num_nulls(variadic args) > 0 then
        raise exception 'args[%] is null; without args give an empty object: {}',
            (select min(e.n) from unnest(args) with ordinality e (value, n) where e.value is null) using errcode = '22004';
    end if;

    ids := task_queue.insert_bundles(
        args, size, kind_number, queue_number, coalesce(priority, 4), due, coalesce(max_attempts, 20), batch_id, meta
    );
    if enqueue_key is not null then
        update task_queue.enqueue_keys k set job_ids = ids where k.key = enqueue_many.enqueue_key;
    end if;
    if isempty(ids) then return; end if;
    if batch_id is not null then
        insert into task_queue.batch_changes (batch_id, total) values (enqueue_many.batch_id, cardinality(args));
    end if;
    if due <= now() then
        perform task_queue.wake_workers(queue);
    end if;
    return query select generate_series(lower(r), upper(r) - 1) from unnest(ids) r;
end
$$;
comment on function task_queue.enqueue_many is
    'Enqueues one job for each element of args in this transaction and returns their ids in the order of args. bundle: jobs '
    'to a row, 1 to 63; 1 for jobs that must start at once. enqueue_key: makes the call safe to repeat for a day.';

-- Producers that COPY bundles themselves say what they are about to do before, and what they did after.
create function task_queue.begin_copy(
    kind text, queue text, priority integer, run_at timestamptz, delay interval, max_attempts integer, enqueue_key text,
    batch_id uuid, out known_jobs int8multirange, out kind_id integer, out queue_id smallint, out state smallint,
    out due timestamptz, out bundle smallint, out args_limit bigint
) language plpgsql as $$
begin
    due := task_queue.check_enqueue(kind, priority, run_at, delay, max_attempts);
    state := case when due > now() then 0 else 1 end;
    if enqueue_key is not null then
        known_jobs := task_queue.enter_key(enqueue_key);
        if known_jobs is not null then return; end if;
    end if;
    if batch_id is not null then
        perform task_queue.enter_batch(batch_id);
    end if;
    perform task_queue.check_queue(queue);
    kind_id := task_queue.intern_kind(kind);
    queue_id := (select q.id from task_queue.queues q where q.name = queue);
    bundle := (select k.bundle from task_queue.kinds k where k.id = kind_id);
    args_limit := (select l.value from task_queue.limits l where l.name = 'args');
end
$$;
comment on function task_queue.begin_copy is
    'Checks and prepares an enqueue by COPY into task_queue.bundles; known_jobs: the jobs of an earlier call with this key.';

create function task_queue.end_copy(
    queue text, state smallint, enqueue_key text, batch_id uuid, jobs bigint, job_ids int8multirange
) returns void
language plpgsql as $$
#variable_conflict use_column
begin
    if enqueue_key is not null then
        update task_queue.enqueue_keys k set job_ids = end_copy.job_ids where k.key = end_copy.enqueue_key;
    end if;
    if batch_id is not null and jobs > 0 then
        insert into task_queue.batch_changes (batch_id, total) values (end_copy.batch_id, end_copy.jobs);
    end if;
    if state = 1 and jobs > 0 then
        perform task_queue.wake_workers(queue);
    end if;
end
$$;
comment on function task_queue.end_copy is 'Ends an enqueue by COPY: counts its jobs into the batch and wakes workers.';

do $$
begin
    if exists (select from pg_roles where rolname = 'task_worker_app') then
        grant select, insert, update, delete on task_queue.limits to task_worker_app;
        grant execute on all functions in schema task_queue to task_worker_app;
    end if;
    if exists (select from pg_roles where rolname = 'task_worker_read') then
        grant select on task_queue.limits to task_worker_read;
    end if;
end
$$;
