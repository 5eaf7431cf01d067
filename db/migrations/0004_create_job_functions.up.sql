-- One job: where it is, how to stop it, how far it is.

-- The rows that can hold a job: those of its base that were born at or below it, and the one of its own.
create function task_queue.row_ids(job bigint) returns bigint[]
language sql immutable strict parallel safe
return array(select n from generate_series(job & ~127::bigint, job) n) || (job + 64);
comment on function task_queue.row_ids is 'The ids that a row holding this job can have.';

-- Not strict: the planner would not inline it then, and the view calls it for each job.
create function task_queue.state_name(state smallint) returns text
language sql immutable parallel safe
return (array['scheduled', 'available', 'running', 'retryable', 'available', 'completed', 'cancelled'])[state + 1];
comment on function task_queue.state_name is 'A state of bundles or finished_bundles in words.';

-- One line a job, wherever it is. Rows of one job, the most common, are not searched for others.
create view task_queue.jobs as
select (r.id & ~127::bigint) + n as id, k.name as kind, q.name as queue,
    case when r.pending >> n & 1 = 1 then task_queue.state_name(r.state) else 'completed' end as state,
    r.priority, r.attempt, r.max_attempts, r.run_at, r.batch_id, r.worker_id, r.created_at, r.finished_at
from (
    select id, members, pending, kind_id, queue_id, state, priority, attempt, max_attempts, run_at, batch_id, worker_id, created_at,
        null::timestamptz as finished_at
    from task_queue.bundles
    union all
    select id, members, members, kind_id, queue_id, state, priority, attempt, max_attempts, null, batch_id, worker_id, created_at,
        finished_at
    from task_queue.finished_bundles
) r
join task_queue.kinds k on k.id = r.kind_id
join task_queue.queues q on q.id = r.queue_id
cross join lateral generate_series(
    (r.id & 63)::integer, case when r.members = 1::bigint << (r.id & 63)::integer then (r.id & 63)::integer else 62 end
) n
where r.members >> n & 1 = 1
union all
select d.id, k.name, q.name, 'discarded', d.priority, d.attempt, d.max_attempts, null, d.batch_id, d.worker_id, d.created_at, d.died_at
from task_queue.dead_jobs d
join task_queue.kinds k on k.id = d.kind_id
join task_queue.queues q on q.id = d.queue_id;
comment on view task_queue.jobs is
    'One line a job, for counting and browsing. For one job use task_queue.job(id): a filter on id reads everything.';

create function task_queue.job(
    job bigint, out id bigint, out kind text, out queue text, out state text, out priority smallint, out attempt smallint,
    out max_attempts smallint, out run_at timestamptz, out created_at timestamptz, out claimed_at timestamptz,
    out finished_at timestamptz, out worker_id bigint, out batch_id uuid, out unique_key text, out cancel_requested boolean,
    out args json, out result json, out error text, out errors json, out meta json, out done bigint, out total bigint,
    out message text
) returns setof record
language plpgsql stable
set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
    n integer := job & 127;
begin
    return query
    select job.job, k.name, q.name, r.state, r.priority, r.attempt, r.max_attempts, r.run_at, r.created_at, r.claimed_at, r.finished_at,
        r.worker_id, r.batch_id, r.unique_key, r.cancel_requested, r.args, r.result, r.error, r.errors, r.meta, p.done, p.total,
        p.message
    from (
        select b.kind_id, b.queue_id, case when b.pending >> n & 1 = 1 then task_queue.state_name(b.state) else 'completed' end as state,
            b.priority, b.attempt, b.max_attempts, b.run_at, b.created_at, b.claimed_at, null::timestamptz as finished_at,
            b.worker_id, b.batch_id, b.unique_key, b.cancel_requested >> n & 1 = 1 as cancel_requested,
            b.args -> task_queue.element_of(b.id, n) as args, null::json as result, null::text as error, b.errors, b.meta
        from task_queue.bundles b
        where b.id = any (task_queue.row_ids(job)) and b.members >> n & 1 = 1
        union all
        select b.kind_id, b.queue_id, task_queue.state_name(b.state), b.priority, b.attempt, b.max_attempts, null, b.created_at,
            coalesce(b.started_at, b.claimed_at), b.finished_at, b.worker_id, b.batch_id, b.unique_key, false,
            b.args -> task_queue.element_of(b.id, n), b.result, null, b.errors, b.meta
        from task_queue.finished_bundles b
        where b.id = any (task_queue.row_ids(job)) and b.members >> n & 1 = 1
        union all
        select d.kind_id, d.queue_id, 'discarded', d.priority, d.attempt, d.max_attempts, null, d.created_at, null, d.died_at,
            d.worker_id, d.batch_id, d.unique_key, false, d.args, null, d.error, d.errors, d.meta
        from task_queue.dead_jobs d
        where d.id = job
    ) r
    join task_queue.kinds k on k.id = r.kind_id
    join task_queue.queues q on q.id = r.queue_id
    left join task_queue.task_progress p on p.job_id = job.job
    where n < 63;
end
$$;
comment on function task_queue.job is 'Everything about one job; no row when there is no such job or its history is gone.';

-- Looks for the job among the live rows and waits for whoever changes its row. When the job has left the row meanwhile,
-- or moved to a row that this look could not see, one look at all places decides: gone, ended, or try again.
create function task_queue.cancel(job bigint) returns text
language plpgsql
set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
    n integer := job & 127;
    bit bigint := 1::bigint << (job & 63)::integer;
    r task_queue.bundles;
    found_state text;
begin
    if n > 62 then
        return 'not found';
    end if;
    for attempts in 1..100 loop
        select b.* into r
        from task_queue.bundles b
        where b.id = any (task_queue.row_ids(job)) and b.members & bit <> 0 and b.pending & bit <> 0
        for update;
        if found and r.state = 2 then
            update task_queue.bundles b set cancel_requested = b.cancel_requested | bit where b.id = r.id;
            perform pg_notify('task_queue_cancel', r.worker_id::text);
            return 'stopping';
        elsif found then
            insert into task_queue.finished_bundles (
                id, members, state, claim_number, created_at, claimed_at, batch_id, kind_id, queue_id, priority, attempt,
                max_attempts, unique_key, meta, errors, args
            )
            select (job & ~127::bigint) + 64 + n, bit, 6, r.claim_number, r.created_at, r.claimed_at, r.batch_id, r.kind_id,
                r.queue_id, r.priority, r.attempt, r.max_attempts, r.unique_key, r.meta, r.errors,
                json_build_array(r.args -> task_queue.element_of(r.id, n))
            where task_queue.keeps('cancelled')
            union all
            -- What completed in this row goes to the history with the last job that was to be done.
            select r.id, r.members & ~bit, 5, r.claim_number, r.created_at, r.claimed_at, r.batch_id, r.kind_id, r.queue_id,
                r.priority, r.attempt, r.max_attempts, r.unique_key, r.meta, r.errors, r.args
            where r.pending = bit and r.members <> bit and task_queue.keeps('completed');
            if r.pending = bit then
                delete from task_queue.bundles b where b.id = r.id;
            else
                update task_queue.bundles b
                set pending = b.pending & ~bit, members = b.members & ~bit, cancel_requested = b.cancel_requested & ~bit
                where b.id = r.id;
            end if;
            if r.batch_id is not null then
                insert into task_queue.batch_changes (batch_id, cancelled) values (r.batch_id, 1);
            end if;
            return 'cancelled';
        end if;
        select j.state into found_state from task_queue.job(job) j;
        if not found then
            return 'not found';
        elsif found_state in ('completed', 'cancelled', 'discarded') then
            return 'finished';
        end if;
    end loop;
    raise exception 'job % moved 100 times while it was being cancelled', job using errcode = '40001';
end
$$;
comment on function task_queue.cancel is
    'Stops a job: cancelled (taken out), stopping (its worker was asked), finished (too late), not found.';

-- The completion of a row's only job as a part of its handler's transaction. It raises where others would answer, so that
-- the transaction cannot commit. Should the way to its client be cut without a word, the row would stay locked for as long
-- as the server believes in the client: so the session may not wait longer than the lease lives.
create function task_queue.complete_job(
    row_id bigint, worker bigint, claim bigint, result json, took interval, longest_idle interval, keep boolean
) returns void
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    r task_queue.bundles;
    n integer;
begin
    delete from task_queue.bundles b
    where b.id = complete_job.row_id and b.worker_id = complete_job.worker and b.claim_number = complete_job.claim
      and b.pending & (b.pending - 1) = 0
    returning b.* into r;
    if not found then
        if exists (
            select
            from task_queue.bundles b
            where b.id = complete_job.row_id and b.worker_id = complete_job.worker and b.claim_number = complete_job.claim
        ) then
            raise exception 'row % is shared with jobs that are not done: it cannot be completed in a transaction', row_id
                using errcode = 'TW002', hint = 'The kind must declare own_row.';
        end if;
        raise exception 'the lease of row % is lost', row_id using errcode = 'TW001';
    end if;
    n := task_queue.first_job(r.pending);
    if keep then
        insert into task_queue.finished_bundles (
            id, members, state, finished_at, claim_number, worker_id, created_at, claimed_at, started_at, batch_id, kind_id,
            queue_id, priority, attempt, max_attempts, unique_key, meta, errors, result, args
        )
        select h.id, h.members, 5, clock_timestamp(), r.claim_number, r.worker_id, r.created_at, r.claimed_at,
            clock_timestamp() - took, r.batch_id, r.kind_id, r.queue_id, r.priority, r.attempt, r.max_attempts, r.unique_key,
            r.meta, r.errors, h.result, h.args
        from (
            select r.id, r.members, null::json, r.args
            where complete_job.result is null
            union all
            select (r.id & ~127::bigint) + 64 + n, r.pending, complete_job.result,
                json_build_array(r.args -> task_queue.element_of(r.id, n))
            where complete_job.result is not null
            union all
            select r.id, r.members & ~r.pending, null, r.args
            where complete_job.result is not null and r.members <> r.pending
        ) h(id, members, result, args);
    end if;
    if r.batch_id is not null then
        insert into task_queue.batch_changes (batch_id, completed) values (r.batch_id, 1);
    end if;
    delete from task_queue.task_progress p where p.job_id = (r.id & ~127::bigint) + n;
    if coalesce(nullif(current_setting('idle_in_transaction_session_timeout'), '0')::interval > longest_idle, true) then
        perform set_config(
            'idle_in_transaction_session_timeout', (extract(epoch from longest_idle) * 1000)::bigint::text, true
        );
    end if;
end
$$;
comment on function task_queue.complete_job is
    'For workers: completes the only job of a claimed row together with the caller''s transaction. Raises TW001 when the lease '
    'is lost, TW002 when other jobs of the row are pending.';

create function task_queue.report_progress(job bigint, done bigint, total bigint default 0, message text default '')
returns boolean
language plpgsql
set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
    n integer := job & 127;
begin
    if done is null or done < 0 then
        raise exception 'done must not be negative, it is %', done using errcode = '22023';
    elsif total < 0 then
        raise exception 'total must not be negative, it is %', total using errcode = '22023';
    end if;
    insert into task_queue.task_progress as p (job_id, done, total, message)
    select job, report_progress.done, coalesce(report_progress.total, 0), left(coalesce(report_progress.message, ''), 1000)
    from task_queue.bundles b
    where n < 63 and b.id = any (task_queue.row_ids(job)) and b.state = 2 and b.pending >> n & 1 = 1
    on conflict (job_id) do update
    set done = excluded.done, total = excluded.total, message = excluded.message, updated_at = now();
    return found;
end
$$;
comment on function task_queue.report_progress is
    'Units done of units total inside a running job, reported by a handler outside the worker. False when the job does not run. '
    'It names no lease, so a late report of an earlier run is shown until the next one: it is for people to see, and decides nothing.';

do $$
begin
    if exists (select from pg_roles where rolname = 'task_worker_app') then
        grant select on task_queue.jobs to task_worker_app;
        grant execute on all functions in schema task_queue to task_worker_app;
    end if;
    if exists (select from pg_roles where rolname = 'task_worker_read') then
        grant select on task_queue.jobs to task_worker_read;
        grant execute on function task_queue.job(bigint) to task_worker_read;
    end if;
end
$$;
