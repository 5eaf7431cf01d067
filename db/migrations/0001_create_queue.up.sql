-- The tables of the queue, in the schema task_queue, which the migrator has created.
--
-- States of a bundle: 0 scheduled, 1 available, 2 running, 3 retryable, 4 suspect (shown as available).
-- States of history:  5 completed, 6 cancelled. A discarded job is a row of dead_jobs.
-- The hot tables carry no foreign keys: one would cost a lock on a shared row for every job.

-- Base ids: job n (0..62) of a base has the id base + n, so bases are 128 apart.
create sequence task_queue.base_ids as bigint increment by 128 minvalue 128;
-- A worker's id is half of every lease and is never used again.
create sequence task_queue.worker_ids as bigint;

create function task_queue.count_jobs(mask bigint) returns integer
    language sql immutable strict parallel safe
    return bit_count(mask::bit(64))::integer;

-- The number (0..62) of a mask's lowest job.
create function task_queue.first_job(mask bigint) returns integer
    language sql immutable strict parallel safe
    return task_queue.count_jobs((mask & -mask) - 1);

-- How many bytes a row's args may have when they are read, at most, up to 16 MiB. Of compressed ones nothing tells but
-- reading them: lz4 makes a 255th of its input at the least, and rows of several jobs are made of 64 KiB at the most.
create function task_queue.most_bytes(args json, members bigint) returns integer
    language sql stable parallel safe
    return least(
        case
            when pg_column_compression(args) is null then pg_column_size(args)
            when members & (members - 1) <> 0 then least(255 * pg_column_size(args)::bigint, 65536)
            else 255 * pg_column_size(args)::bigint
        end,
        16777216
    )::integer;

-- The place of job n's args in the args array of its row, counted from 0.
create function task_queue.element_of(row_id bigint, n integer) returns integer
    language sql immutable parallel safe
    return case when row_id & 64 <> 0 then 0 else n - (row_id & 127)::integer end;

-- Rows for some of a row's jobs: in ascending order, `size` jobs to a row but the last. Each carries the args from its
-- first to its last job, with null for those between that are not its own.
create function task_queue.pieces(row_id bigint, jobs bigint, size integer, args json)
    returns table (piece_id bigint, piece bigint, piece_args json)
    language sql immutable parallel safe rows 4
begin atomic
    select (row_id & ~127::bigint) + min(n), bit_or(1::bigint << n),
        ('[' || string_agg(repeat('null,', gap) || element, ',' order by n) || ']')::json
    from (
        select n, element, nth, n - lag(n, 1, n - 1) over (partition by nth order by n) - 1 as gap
        from (
            select place.n, e.element::text, (row_number() over (order by place.n) - 1) / size as nth
            from json_array_elements(args) with ordinality e (element, nth)
            cross join lateral (
                select (case when row_id & 64 <> 0 then row_id & 63 else (row_id & 127) + e.nth - 1 end)::integer as n
            ) place
            where place.n < 63 and (jobs >> place.n) & 1 = 1
        ) numbered
    ) spaced
    group by nth;
end;

-- A job's failures with one more, the ten latest of them, oldest first.
create function task_queue.add_error(errors json, attempt integer, error text) returns json
    language sql stable
begin atomic
    select json_agg(latest.failure order by latest.place)
    from (
        select known.failure, known.place
        from json_array_elements(coalesce(errors, '[]'::json)) with ordinality known (failure, place)
        union all
        select json_build_object('attempt', attempt, 'at', now(), 'error', error), 9223372036854775807
        order by place desc
        limit 10
    ) latest;
end;

create table task_queue.kinds (
    id integer generated always as identity,
    name text not null,
    bundle smallint,  -- most jobs to a row; null: as the enqueue call chooses, or by its size
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_kinds primary key (id),
    constraint uq_kinds_name unique (name),
    constraint ck_kinds_name check (name <> '' and length(name) <= 200),
    constraint ck_kinds_bundle check (bundle between 1 and 63)
);

create table task_queue.queues (
    id smallint generated always as identity,
    name text not null,
    paused boolean not null default false,
    concurrency integer,  -- started jobs of one worker process; null: no limit
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_queues primary key (id),
    constraint uq_queues_name unique (name),
    constraint ck_queues_name check (name <> '' and length(name) <= 200),
    constraint ck_queues_concurrency check (concurrency > 0)
);
insert into task_queue.queues (name) values ('default');

-- The id of a kind's name; a new name is added. A transaction that adds one makes others that add the same name wait.
create function task_queue.intern_kind(kind text) returns integer
    language plpgsql
as $$
declare
    answer integer;
begin
    select id into answer from task_queue.kinds where name = kind;
    if answer is null then
        insert into task_queue.kinds as k (name) values (kind)
        on conflict (name) do update set name = k.name
        returning id into answer;
    end if;
    return answer;
end
$$;

-- Live rows: 1 to 63 jobs of one enqueue call each.
create table task_queue.bundles (
    id bigint not null,
    members bigint not null,  -- bit n: job n lives here; without the bit in pending it has completed
    pending bigint not null,  -- bit n: job n is still to be done
    cancel_requested bigint not null default 0,  -- running jobs asked to stop
    claim_number bigint not null default 0,
    worker_id bigint,
    run_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    claimed_at timestamptz,
    batch_id uuid,
    kind_id integer not null,
    queue_id smallint not null,
    priority smallint not null default 4,
    state smallint not null default 1,
    attempt smallint not null default 0,
    max_attempts smallint not null default 20,
    rescues smallint not null default 0,  -- times taken from a dead worker
    strikes smallint not null default 0,  -- runs alone, as a suspect, that did not report back
    unique_key text,
    meta json,
    errors json,  -- the latest failures of a single, oldest first
    args json not null,  -- array; the element of job n: task_queue.element_of(id, n)
    constraint pk_bundles primary key (id),
    constraint ck_bundles_masks check (members > 0 and pending > 0 and pending & ~members = 0),
    -- A single's only job is in its id; any other row's id is not above its lowest job.
    constraint ck_bundles_id check (
        case
            when id & 64 <> 0 then members = 1::bigint << (id & 63)::integer
            else members & ~(-1::bigint << (id & 63)::integer) = 0
        end
    ),
    constraint ck_bundles_state check (state between 0 and 4 and (state = 2) = (worker_id is not null)),
    constraint ck_bundles_priority check (priority between 0 and 9),
    constraint ck_bundles_attempts check (attempt >= 0 and max_attempts > 0)
) with (
    -- Args go out of line, so that no update rewrites them. With room on the page, 62 of 100 updates that finish part of
    -- a row leave the indexes alone (at 90: 26), and a single costs an eighth less WAL, for a table 3 % larger. The
    -- share of dead rows that calls autovacuum (0.01 to 0.2) changes no rate within minutes.
    toast_tuple_target = 128, fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
    toast.autovacuum_vacuum_scale_factor = 0.05
);
create index ix_bundles_queue_id_priority_id on task_queue.bundles (queue_id, priority, id) where state = 1;
create index ix_bundles_queue_id_priority_id_suspect on task_queue.bundles (queue_id, priority, id) where state = 4;
create index ix_bundles_run_at on task_queue.bundles (run_at) where state in (0, 3);
create index ix_bundles_worker_id on task_queue.bundles (worker_id, id) where state = 2;
create index ix_bundles_worker_id_cancel_requested on task_queue.bundles (worker_id) where cancel_requested <> 0;
-- Without the running rows, so that a claim adds nothing to it: they are found by their workers.
create index ix_bundles_batch_id on task_queue.bundles (batch_id, id) where batch_id is not null and state <> 2;
create unique index uq_bundles_unique_key on task_queue.bundles (unique_key) where unique_key is not null;

-- Completed and cancelled jobs, one partition a day (UTC). Rows keep the id of their bundle; members is what they hold.
create table task_queue.finished_bundles (
    id bigint not null,
    members bigint not null,
    finished_at timestamptz not null default now(),
    claim_number bigint not null default 0,
    worker_id bigint,
    created_at timestamptz not null,
    claimed_at timestamptz,
    started_at timestamptz,  -- of a single: when its handler started
    batch_id uuid,
    kind_id integer not null,
    queue_id smallint not null,
    priority smallint not null,
    state smallint not null,
    attempt smallint not null,
    max_attempts smallint not null,
    unique_key text,
    meta json,
    errors json,
    result json,  -- of a single that completed with one
    args json not null,
    constraint ck_finished_bundles_state check (state in (5, 6)),
    constraint ck_finished_bundles_members check (members > 0)
) partition by range (finished_at);
create index ix_finished_bundles_id on task_queue.finished_bundles (id);

-- Dead letters: one row a discarded job.
create table task_queue.dead_jobs (
    id bigint not null,  -- the job's id
    created_at timestamptz not null,
    died_at timestamptz not null default now(),
    worker_id bigint,
    batch_id uuid,
    kind_id integer not null,
    queue_id smallint not null,
    priority smallint not null,
    attempt smallint not null,
    max_attempts smallint not null,
    rescues smallint not null default 0,
    unique_key text,
    error text not null,
    errors json,
    meta json,
    args json not null,  -- of this job alone
    constraint pk_dead_jobs primary key (id)
);
create index ix_dead_jobs_died_at on task_queue.dead_jobs (died_at);
create index ix_dead_jobs_batch_id on task_queue.dead_jobs (batch_id) where batch_id is not null;

create table task_queue.batches (
    id uuid not null,
    name text not null default '',
    state text not null default 'open',
    round integer not null default 1,  -- a redrive after the callback opens the next
    total bigint not null default 0,  -- folded so far, like the three below
    completed bigint not null default 0,
    discarded bigint not null default 0,
    cancelled bigint not null default 0,
    recent_rate double precision,  -- jobs a second between the last folds
    rated_from timestamptz,  -- when this round began; null: with the batch
    ended_before bigint not null default 0,  -- jobs that had ended then
    on_finish_kind_id integer,
    on_success_kind_id integer,
    on_failure_kind_id integer,
    callback_queue_id smallint,
    callback_args json,
    meta json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    seal_after timestamptz,  -- sealed by the leader then, should the client never do it
    sealed_at timestamptz,
    folded_at timestamptz,
    finished_at timestamptz,
    constraint pk_batches primary key (id),
    constraint fk_batches_on_finish_kind_id_kinds foreign key (on_finish_kind_id) references task_queue.kinds (id),
    constraint fk_batches_on_success_kind_id_kinds foreign key (on_success_kind_id) references task_queue.kinds (id),
    constraint fk_batches_on_failure_kind_id_kinds foreign key (on_failure_kind_id) references task_queue.kinds (id),
    constraint fk_batches_callback_queue_id_queues foreign key (callback_queue_id) references task_queue.queues (id),
    constraint ck_batches_state check (state in ('open', 'sealed', 'cancelled', 'finished')),
    constraint ck_batches_counts check (total >= 0 and completed >= 0 and discarded >= 0 and cancelled >= 0)
) with (fillfactor = 80);
create index ix_batches_created_at on task_queue.batches (created_at);
create index ix_batches_finished_at on task_queue.batches (finished_at) where discarded = 0;
create index ix_batches_finished_at_discarded on task_queue.batches (finished_at) where discarded > 0;
create index ix_batches_seal_after on task_queue.batches (seal_after) where state = 'open' and seal_after is not null;

-- What happened to the jobs of batches since the last fold. Appended by whoever changed them, folded by the leader.
create table task_queue.batch_changes (
    id bigint generated always as identity,
    batch_id uuid not null,
    total integer not null default 0,
    completed integer not null default 0,
    discarded integer not null default 0,
    cancelled integer not null default 0,
    sealed boolean not null default false,
    constraint pk_batch_changes primary key (id)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index ix_batch_changes_batch_id on task_queue.batch_changes (batch_id);

-- Units done of units total inside a running job that reports them.
create table task_queue.task_progress (
    job_id bigint not null,
    done bigint not null default 0,
    total bigint not null default 0,  -- 0: not known
    message text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_task_progress primary key (job_id),
    constraint ck_task_progress_units check (done >= 0 and total >= 0)
) with (fillfactor = 50);

-- One row a keyed enqueue call, kept for a day: a repeat answers the same jobs.
create table task_queue.enqueue_keys (
    key text not null,
    job_ids int8multirange not null,  -- one range a bundle
    created_at timestamptz not null default now(),
    constraint pk_enqueue_keys primary key (key),
    constraint ck_enqueue_keys_key check (key <> '' and length(key) <= 500)
);
create index ix_enqueue_keys_created_at on task_queue.enqueue_keys (created_at);

-- One row a worker process, kept for an hour after its end.
create table task_queue.workers (
    id bigint not null default nextval('task_queue.worker_ids'),
    beat bigint not null default 0,
    heartbeat_at timestamptz not null default now(),
    started_at timestamptz not null default now(),
    dead_at timestamptz,
    hungry boolean not null default false,
    stopped boolean not null default false,  -- the end was a clean stop
    connections integer not null,  -- the most that the process opens
    slots integer not null,
    pid integer not null,
    host text not null,
    version text not null,
    kinds text[] not null,
    queues text[] not null,  -- served; none: all
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_workers primary key (id),
    constraint ck_workers_connections check (connections >= 0),
    constraint ck_workers_slots check (slots >= 0)
) with (fillfactor = 50);
alter sequence task_queue.worker_ids owned by task_queue.workers.id;
alter sequence task_queue.base_ids owned by task_queue.bundles.id;

-- One row: who leads, and until when.
create table task_queue.leaders (
    singleton boolean not null default true,
    worker_id bigint not null,
    elected_at timestamptz not null default now(),
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint pk_leaders primary key (singleton),
    constraint ck_leaders_singleton check (singleton)
) with (fillfactor = 50);

-- lz4 costs a fraction of pglz; servers may be built without it.
do $$
begin
    alter table task_queue.bundles alter column args set compression lz4;
    alter table task_queue.finished_bundles alter column args set compression lz4;
    alter table task_queue.finished_bundles alter column result set compression lz4;
    alter table task_queue.dead_jobs alter column args set compression lz4;
exception when feature_not_supported then
    null;
end
$$;

-- Adds the partitions of finished_bundles for today (UTC) and so many days ahead. Returns how many it added.
-- A new table is attached rather than created as a partition, so that it waits for no reader of the history. Fails
-- with lock_not_available rather than let others queue up behind it.
create function task_queue.create_partitions(days integer) returns integer
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '50ms'
as $$
declare
    today date := (now() at time zone 'UTC')::date;
    day date;
    partition text;
    created integer := 0;
begin
    if days not between 0 and 366 then
        raise invalid_parameter_value using message = format('days must be 0 to 366, not %s', days);
    end if;
    lock table only task_queue.finished_bundles in share update exclusive mode;  -- one creator at a time
    for day in select today + n from generate_series(0, days) n loop
        partition := 'finished_bundles_' || to_char(day, 'YYYY_MM_DD');
        continue when to_regclass('task_queue.' || partition) is not null;
        execute format(
            'create table task_queue.%I (like task_queue.finished_bundles including all) with (toast_tuple_target = 128)',
            partition
        );
        execute format(
            'alter table task_queue.finished_bundles attach partition task_queue.%I for values from (%L) to (%L)',
            partition, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00'
        );
        created := created + 1;
    end loop;
    return created;
end
$$;

-- Drops the oldest partition of finished_bundles when all of it is older than `keep`. Returns its name, or null when
-- there is none; call again until then. One a call: the lock that detaching needs ends with the transaction.
create function task_queue.drop_partition(keep interval) returns text
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '50ms'
as $$
declare
    partition text;
begin
    if keep < interval '0' then
        raise invalid_parameter_value using message = format('keep must not be negative: %s', keep);
    end if;
    select c.relname into partition
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'task_queue.finished_bundles'::regclass
      and to_date(substring(c.relname from '\d{4}_\d{2}_\d{2}$'), 'YYYY_MM_DD') + 1 <= ((now() - keep) at time zone 'UTC')::date
    order by c.relname
    limit 1;
    if partition is not null then
        execute format('alter table task_queue.finished_bundles detach partition task_queue.%I', partition);
        execute format('drop table task_queue.%I', partition);
    end if;
    return partition;
end
$$;

revoke all on function task_queue.create_partitions(integer), task_queue.drop_partition(interval) from public;

select task_queue.create_partitions(7);

do $$
begin
    if exists (select from pg_roles where rolname = 'task_worker_app') then
        grant usage on schema task_queue to task_worker_app;
        grant select, insert, update, delete on all tables in schema task_queue to task_worker_app;
        revoke insert, update, delete on task_queue.migrations from task_worker_app;  -- it reads what is applied
        grant usage, select on all sequences in schema task_queue to task_worker_app;
        grant execute on all functions in schema task_queue to task_worker_app;
    end if;
    if exists (select from pg_roles where rolname = 'task_worker_read') then
        grant usage on schema task_queue to task_worker_read;
        grant select on all tables in schema task_queue to task_worker_read;
        grant select on all sequences in schema task_queue to task_worker_read;
    end if;
end
$$;
