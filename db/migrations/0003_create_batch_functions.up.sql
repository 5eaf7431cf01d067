-- Batches: made, sealed and cancelled by producers, counted by changes that are appended and folded.
--
-- Whoever changes a batch's state holds its advisory lock alone, which every enqueue into it shares: so when the state is
-- no longer 'open', all that ever enters the batch has been committed.

-- The leader looks for cancelled batches again and again.
create index ix_batches_cancelled on task_queue.batches (id) where state = 'cancelled';

create function task_queue.create_batch(
    id uuid default gen_random_uuid(), name text default '', meta json default null, on_finish text default null,
    on_success text default null, on_failure text default null, callback_args json default null,
    callback_queue text default 'default', seal_after interval default null
) returns uuid
language plpgsql as $$
#variable_conflict use_column
begin
    if id is null then
        id := gen_random_uuid();
    end if;
    if seal_after < interval '0' then
        raise exception 'seal_after must not be negative, it is %', seal_after using errcode = '22023';
    end if;
    perform task_queue.check_queue(coalesce(callback_queue, 'default'));
    insert into task_queue.batches (
        id, name, meta, on_finish_kind_id, on_success_kind_id, on_failure_kind_id, callback_args, callback_queue_id, seal_after
    )
    select create_batch.id, coalesce(create_batch.name, ''), create_batch.meta,
        case when on_finish is not null then task_queue.intern_kind(on_finish) end,
        case when on_success is not null then task_queue.intern_kind(on_success) end,
        case when on_failure is not null then task_queue.intern_kind(on_failure) end,
        create_batch.callback_args, q.id, now() + create_batch.seal_after
    from task_queue.queues q
    where q.name = coalesce(callback_queue, 'default')
    on conflict do nothing;
    return id;
end
$$;
comment on function task_queue.create_batch is
    'Opens a batch and returns its id; a batch that exists stays as it is, so the call is safe to repeat. on_finish, '
    'on_success, on_failure: kinds of the jobs enqueued once when the batch has finished. seal_after: sealed then, should '
    'the client never do it.';

-- Waits for enqueues into the batch that have not committed, and lets no new one in.
create function task_queue.lock_batch(batch_id uuid) returns void
language plpgsql
set lock_timeout = '10s' as $$
begin
    perform pg_advisory_xact_lock(task_queue.batch_lock_key(batch_id));
exception when lock_not_available then
    raise exception 'batch_id % is being filled by a transaction that has not ended for 10 s', batch_id
        using errcode = '55P03', hint = 'Commit what enqueues into the batch, then call again.';
end
$$;
comment on function task_queue.lock_batch is 'Keeps enqueues out of a batch until this transaction ends.';

create function task_queue.seal_batch(batch_id uuid) returns boolean
language plpgsql as $$
#variable_conflict use_column
begin
    perform task_queue.lock_batch(batch_id);
    update task_queue.batches b
    set state = 'sealed', sealed_at = now(), updated_at = now()
    where b.id = seal_batch.batch_id and b.state = 'open';
    if found then
        -- Makes the next fold visit the batch, were it empty.
        insert into task_queue.batch_changes (batch_id, sealed) values (seal_batch.batch_id, true);
        return true;
    end if;
    if not exists (select from task_queue.batches b where b.id = seal_batch.batch_id) then
        raise exception 'batch_id % does not exist', batch_id using errcode = '22023';
    end if;
    return false;
end
$$;
comment on function task_queue.seal_batch is
    'No more jobs enter the batch: it finishes when those in it have. False when it was sealed, cancelled or finished before.';

-- Seals what its client left open; a batch that is being filled or changed right now is left for the next call.
create function task_queue.seal_due_batches(max_batches integer) returns integer
language plpgsql as $$
declare
    due record;
    sealed integer := 0;
begin
    for due in
        select b.id from task_queue.batches b
        where b.state = 'open' and b.seal_after <= now()
        order by b.seal_after
        limit max_batches
        for update skip locked
    loop
        if pg_try_advisory_xact_lock(task_queue.batch_lock_key(due.id)) and task_queue.seal_batch(due.id) then
            sealed := sealed + 1;
        end if;
    end loop;
    return sealed;
end
$$;
comment on function task_queue.seal_due_batches is 'Seals open batches whose seal_after has passed. Returns how many.';

-- One bounded step: takes the jobs that wait out of rows that the caller has locked, and of 16 MiB of args, which are copied; and
-- asks the workers of the running ones to stop.
create function task_queue.cancel_rows(ids bigint[], out cancelled bigint, out stopping bigint, out last_id bigint)
language plpgsql
set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
    workers bigint[];
begin
    with found as materialized (
        select b.*, pg_column_size(b.args) as bytes
        from task_queue.bundles b
        where b.id = any (ids) and b.state <> 2
    ), measured as materialized (
        select f.*, sum(f.bytes) over (order by f.id) - f.bytes < 16777216 as fits
        from found f
    ), picked as materialized (
        select m.* from measured m where m.fits
    ), gone as (
        delete from task_queue.bundles b where b.id = any (array(select p.id from picked p))
    ), history as (
        insert into task_queue.finished_bundles (
            id, members, state, claim_number, created_at, claimed_at, batch_id, kind_id, queue_id, priority, attempt,
            max_attempts, unique_key, meta, errors, args
        )
        select p.id, h.members, h.state, p.claim_number, p.created_at, p.claimed_at, p.batch_id, p.kind_id, p.queue_id,
            p.priority, p.attempt, p.max_attempts, p.unique_key, p.meta, p.errors, p.args
        from picked p
        cross join lateral (
            values (p.members & ~p.pending, 5, (select task_queue.keeps('completed'))),
                (p.pending, 6, (select task_queue.keeps('cancelled')))
        ) h(members, state, kept)
        where h.members <> 0 and h.kept
    ), counted as (
        insert into task_queue.batch_changes (batch_id, cancelled)
        select p.batch_id, sum(task_queue.count_jobs(p.pending)) from picked p where p.batch_id is not null group by p.batch_id
    )
    select coalesce(sum(task_queue.count_jobs(m.pending)) filter (where m.fits), 0),
        coalesce(min(m.id) filter (where not m.fits) - 1, (select max(i) from unnest(ids) i))
    into cancelled, last_id
    from measured m;

    with asked as (
        update task_queue.bundles b
        set cancel_requested = b.pending
        where b.id = any (ids) and b.state = 2 and b.pending & ~b.cancel_requested <> 0
        returning b.pending, b.worker_id
    )
    select coalesce(sum(task_queue.count_jobs(a.pending)), 0), array_agg(distinct a.worker_id)
    into stopping, workers
    from asked a;
    perform pg_notify('task_queue_cancel', w::text) from unnest(workers) w;
end
$$;
comment on function task_queue.cancel_rows is
    'Cancels jobs in rows that the caller has locked: how many were taken out, how many running ones were asked to stop, and the '
    'row up to which all are done.';

-- (batch_id = any (array[x]) instead of batch_id = x: see queue/plans.cpp.) Running rows through their workers, as in
-- batch_status. Rows locked by others are left for the next step, which is why the leader repeats it until the batch has
-- finished, and why the order of the locks does not matter: nobody is waited for.
create function task_queue.cancel_batch_rows(batch_id uuid, max_rows integer, out cancelled bigint, out stopping bigint)
language plpgsql
set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
    ids bigint[];
begin
    ids := array(
        select b.id
        from task_queue.bundles b
        where b.batch_id = any (array[cancel_batch_rows.batch_id]) and b.state <> 2
        order by b.batch_id, b.id
        limit max_rows
        for update skip locked
    ) || array(
        select b.id
        from task_queue.bundles b
        where b.worker_id = any (array(select w.id from task_queue.workers w)) and b.state = 2
          and b.batch_id = cancel_batch_rows.batch_id and b.pending & ~b.cancel_requested <> 0
        limit max_rows
        for update skip locked
    );
    select r.cancelled, r.stopping into cancelled, stopping from task_queue.cancel_rows(ids) r;
end
$$;
comment on function task_queue.cancel_batch_rows is
    'Cancels jobs of a batch in up to max_rows rows: how many were taken out, and how many running ones were asked to stop.';

-- Some batches at a time, any of them: those that came first finish first and make room for others. The clock, not the
-- number of batches, ends it, for most of them have only jobs that run and were asked to stop.
create function task_queue.cancel_remaining_jobs(max_rows integer) returns bigint
language plpgsql as $$
declare
    began timestamptz := clock_timestamp();
    batch uuid;
    cancelled bigint := 0;
begin
    for batch in select b.id from task_queue.batches b where b.state = 'cancelled' order by random() limit 100 loop
        cancelled := cancelled + (select c.cancelled from task_queue.cancel_batch_rows(batch, max_rows) c);
        exit when clock_timestamp() > began + interval '50 ms';
    end loop;
    return cancelled;
end
$$;
comment on function task_queue.cancel_remaining_jobs is
    'Cancels what cancelled batches still have, a batch after the other with up to max_rows rows each, for some 50 ms. Returns '
    'how many jobs it took out.';

create function task_queue.cancel_batch(batch_id uuid, out cancelled bigint, out stopping bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    batch_state text;
begin
    perform task_queue.lock_batch(batch_id);
    select b.state into batch_state from task_queue.batches b where b.id = cancel_batch.batch_id;
    if not found then
        raise exception 'batch_id % does not exist', batch_id using errcode = '22023';
    elsif batch_state = 'finished' then
        cancelled := 0;
        stopping := 0;
        return;
    end if;
    -- Rows before the batch: the order in which everybody locks.
    select r.cancelled, r.stopping into cancelled, stopping from task_queue.cancel_batch_rows(batch_id, 10000) r;
    update task_queue.batches b
    set state = 'cancelled', sealed_at = coalesce(b.sealed_at, now()), updated_at = now()
    where b.id = cancel_batch.batch_id and b.state in ('open', 'sealed');
    insert into task_queue.batch_changes (batch_id, sealed) values (cancel_batch.batch_id, true);
end
$$;
comment on function task_queue.cancel_batch is
    'No more jobs enter the batch, and its jobs are cancelled: how many were taken out at once, and how many running ones '
    'were asked to stop. Rows in use just then follow within seconds.';

-- Adds up what was appended since the last fold and finishes the batches whose counts are complete. Three statements,
-- each with a snapshot of its own (read committed):
-- 1. locks the batches of the first max_changes changes above `after`; those locked by others are left for the next fold;
-- 2. takes their changes among those;
-- 3. finishes a batch when nothing appended to it is left. It is sealed in the version that was locked, so every enqueue
--    into it had committed before the second statement looked.
create function task_queue.fold_batch_changes(
    after bigint, max_changes integer, out finished uuid[], out folded integer, out looked integer, out last_change bigint
) language plpgsql
set plan_cache_mode = force_custom_plan
-- As in queue/plans.cpp: a plan for a table that was never analysed reads all of it.
set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    candidates uuid[];
    visited uuid[];
    takes uuid[];
    woken text[];
begin
    select coalesce(array_agg(distinct c.batch_id), '{}'), coalesce(max(c.id), after), count(*)
    into candidates, last_change, looked
    from (
        select i.id, i.batch_id from task_queue.batch_changes i where i.id > after order by i.id limit max_changes
    ) c;
    visited := array(
        select b.id from task_queue.batches b where b.id = any (candidates) order by b.id for update skip locked
    );
    -- With those of batches that are gone.
    takes := visited || array(
        select c.id from unnest(candidates) c(id) where not exists (select from task_queue.batches b where b.id = c.id)
    );

    with taken as (
        delete from task_queue.batch_changes c
        where c.id > after and c.id <= last_change and c.batch_id = any (takes)
        returning c.*
    ), sums as materialized (
        select t.batch_id, sum(t.total) as total, sum(t.completed) as completed, sum(t.discarded) as discarded,
            sum(t.cancelled) as cancelled, count(*) as changes, bool_or(t.discarded < 0) as redriven,
            sum(least(t.discarded, 0)) as revived
        from taken t
        group by t.batch_id
    ), added as (
        update task_queue.batches b
        set total = b.total + s.total,
            completed = b.completed + s.completed,
            discarded = b.discarded + s.discarded,
            cancelled = b.cancelled + s.cancelled,
            -- A moving average over some 10 s.
            recent_rate = case
                when not t.reopened then coalesce(b.recent_rate, 0) + (1 - exp(-t.seconds / 10.0))
                    * ((s.completed + greatest(s.discarded, 0) + s.cancelled) / t.seconds - coalesce(b.recent_rate, 0))
            end,
            -- What was redriven after the batch had finished makes its next round, with rates of its own.
            rated_from = case when t.reopened then now() else b.rated_from end,
            ended_before = case
                when t.reopened then b.completed + b.discarded + b.cancelled + s.revived else b.ended_before
            end,
            round = b.round + case when t.reopened then 1 else 0 end,
            state = case when t.reopened then 'sealed' else b.state end,
            finished_at = case when not s.redriven then b.finished_at end,
            folded_at = now(),
            updated_at = now()
        from sums s
        join task_queue.batches o on o.id = s.batch_id
        cross join lateral (
            select greatest(extract(epoch from now() - coalesce(o.folded_at, o.created_at))::double precision, 0.01) as seconds,
                s.redriven and o.state = 'finished' as reopened
        ) t
        where b.id = s.batch_id and b.id = any (visited)
    )
    select coalesce(sum(s.changes), 0) into folded from sums s;

    with done as (
        update task_queue.batches b
        set state = 'finished', finished_at = now(), updated_at = now()
        where b.id = any (visited) and b.state in ('sealed', 'cancelled')
          and b.total = b.completed + b.discarded + b.cancelled
          and not exists (select from task_queue.batch_changes c where c.batch_id = b.id)
        returning b.*
    ), callbacks as (
        insert into task_queue.bundles (id, members, pending, kind_id, queue_id, meta, args)
        select nextval('task_queue.base_ids'), 1, 1, k.kind_id, d.callback_queue_id, d.meta, json_build_array(json_build_object(
            'batch_id', d.id, 'name', d.name, 'round', d.round, 'total', d.total, 'completed', d.completed,
            'discarded', d.discarded, 'cancelled', d.cancelled, 'args', d.callback_args
        ))
        from done d
        cross join lateral (
            values (d.on_finish_kind_id, true),
                (d.on_success_kind_id, d.completed = d.total),
                (d.on_failure_kind_id, d.completed < d.total)
        ) k(kind_id, called)
        where k.called and k.kind_id is not null
        returning queue_id
    )
    select array(select d.id from done d order by d.id),
        array(select distinct q.name from callbacks c join task_queue.queues q on q.id = c.queue_id)
    into finished, woken;
    perform task_queue.wake_workers(w) from unnest(woken) w;
end
$$;
comment on function task_queue.fold_batch_changes is
    'Adds what was appended since the last fold to the batches, and enqueues the callbacks of those that have finished: which '
    'finished, how many changes were taken and how many looked at (max_changes: call again), and the last of them.';

create function task_queue.batch_status(
    batch_id uuid, out id uuid, out name text, out state text, out round integer, out total bigint, out completed bigint,
    out discarded bigint, out cancelled bigint, out running bigint, out waiting bigint, out percent double precision,
    out recent_rate double precision, out overall_rate double precision, out eta interval, out created_at timestamptz,
    out sealed_at timestamptz, out finished_at timestamptz, out meta json
) returns setof record
language sql stable as $$
    select b.id, b.name, f.state, f.round, n.total, n.completed, n.discarded, n.cancelled, r.running,
        n.total - n.ended - r.running, case when n.total > 0 then 100.0 * n.ended / n.total when f.finished_at is null then 0 else 100 end,
        s.recent, s.overall,
        case
            when f.finished_at is null and n.total > n.ended and greatest(s.recent, s.overall) > 0.0001
            then make_interval(secs => (n.total - n.ended) / case when s.recent > 0.0001 then s.recent else s.overall end)
        end,
        b.created_at, b.sealed_at, f.finished_at, b.meta
    from task_queue.batches b
    cross join lateral (
        select b.total + coalesce(sum(c.total), 0)::bigint as total,
            b.completed + coalesce(sum(c.completed), 0)::bigint as completed,
            b.discarded + coalesce(sum(c.discarded), 0)::bigint as discarded,
            b.cancelled + coalesce(sum(c.cancelled), 0)::bigint as cancelled,
            b.completed + b.discarded + b.cancelled
                + coalesce(sum(c.completed + c.discarded + c.cancelled), 0)::bigint as ended,
            b.state = 'finished' and coalesce(bool_or(c.discarded < 0), false) as redriven
        from task_queue.batch_changes c
        where c.batch_id = b.id
    ) n
    -- A finished batch of which jobs were redriven goes on at once, not when the fold sees it.
    cross join lateral (
        select case when n.redriven then 'sealed' else b.state end as state,
            case when n.redriven then b.round + 1 else b.round end as round,
            case when not n.redriven then b.finished_at end as finished_at
    ) f
    -- Through the running rows of each worker, which are few; a batch may have a million that wait.
    cross join lateral (
        select coalesce(sum(task_queue.count_jobs(l.pending)), 0)::bigint as running
        from task_queue.bundles l
        where l.worker_id = any (array(select w.id from task_queue.workers w)) and l.state = 2 and l.batch_id = b.id
    ) r
    -- The recent rate fades when nothing was folded for more than 2 s.
    cross join lateral (
        select case when f.finished_at is null and not n.redriven then coalesce(b.recent_rate, 0)
            * exp(-greatest(extract(epoch from now() - b.folded_at)::double precision - 2, 0) / 10) else 0 end as recent,
            case
                when n.redriven then 0
                -- A round begins with a fold, and they are a second apart.
                when b.rated_from is not null
                then (n.ended - b.ended_before)
                    / greatest(extract(epoch from coalesce(f.finished_at, now()) - b.rated_from)::double precision, 1)
                else n.ended / greatest(extract(epoch from coalesce(f.finished_at, now()) - b.created_at)::double precision, 0.001)
            end as overall
    ) s
    where b.id = batch_status.batch_id
$$;
comment on function task_queue.batch_status is
    'One row: the jobs of a batch counted by outcome as of this snapshot, folded or not, those running, those still waiting '
    '(scheduled, available or to be retried), percent, jobs a second lately and in this round, and the time that the rest may take.';

do $$
begin
    if exists (select from pg_roles where rolname = 'task_worker_app') then
        grant execute on all functions in schema task_queue to task_worker_app;
    end if;
    if exists (select from pg_roles where rolname = 'task_worker_read') then
        grant execute on function task_queue.batch_status(uuid) to task_worker_read;
    end if;
end
$$;
