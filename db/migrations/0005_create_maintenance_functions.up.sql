-- What workers ask while nothing happens: one statement each that says whether there is more to do. The settings of a
-- function that reads bundles are those of fix_plans (queue/plans.cpp), so that it needs no statement before it.

create function task_queue.record_heartbeat(worker bigint)
    returns table (row_id bigint, claim_number bigint, jobs bigint)
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    update task_queue.workers w
    set beat = w.beat + 1, heartbeat_at = clock_timestamp(), updated_at = now()
    where w.id = worker and w.dead_at is null;
    if not found then return; end if;
    return query
    select b.id, b.claim_number, b.cancel_requested & b.pending
    from (values (true)) alive
    left join task_queue.bundles b on b.worker_id = worker and b.cancel_requested <> 0
        and b.cancel_requested & b.pending <> 0;  -- the row may have been cut since
end
$$;
comment on function task_queue.record_heartbeat is
    'Counts a beat and answers the running jobs that were asked to stop, at least one row; no row when the worker is dead.';

-- Nobody waits for it: where one leads, the row is only read, and written only by its leader.
create function task_queue.take_leadership(worker bigint, lease interval) returns boolean
language plpgsql as $$
declare
    leader task_queue.leaders;
begin
    select * into leader from task_queue.leaders;
    -- A lease that ends later than one taken now was taken before the server's clock stepped back: it holds nobody off.
    if leader.expires_at > clock_timestamp() + lease then
        null;
    elsif leader.expires_at > clock_timestamp() and leader.worker_id <> worker then
        return false;
    elsif leader.expires_at > clock_timestamp() + lease / 2 then
        return true;
    end if;
    insert into task_queue.leaders as l (worker_id, expires_at) values (worker, clock_timestamp() + lease)
    on conflict (singleton) do update
    set worker_id = excluded.worker_id, expires_at = clock_timestamp() + lease,
        elected_at = case when l.worker_id = excluded.worker_id then l.elected_at else clock_timestamp() end,
        updated_at = clock_timestamp()
    where l.worker_id = excluded.worker_id
       or l.expires_at not between clock_timestamp() and clock_timestamp() + lease;
    return found;
end
$$;
comment on function task_queue.take_leadership is
    'Takes the lead when nobody has it; renews it in the second half of its lease. False: another leads.';

-- Whoever enqueued before a worker said that it waits, and committed after the worker had looked, notified nobody.
create function task_queue.wake_for_late_commits(after bigint) returns void
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    if not exists (select from task_queue.workers w where w.hungry and w.dead_at is null) then return; end if;
    perform task_queue.wake_workers(q.name)
    from task_queue.queues q
    where not q.paused and exists (
        select
        from generate_series(0, 9) p
        cross join lateral (
            select
            from task_queue.bundles b
            where b.queue_id = any (array[q.id]) and b.priority = p::smallint and b.state = 1 and b.id > after
            order by b.queue_id, b.id
            limit 1
        ) line
    );
end
$$;
comment on function task_queue.wake_for_late_commits is
    'Notifies workers that wait for jobs of a queue in which rows above this id are available.';

create function task_queue.look(
    worker bigint, lease interval, after bigint, due_from timestamptz, changes_after bigint, out leads boolean, out workers bigint[], out beats bigint[],
    out connections bigint, out next_run bigint, out changes boolean, out batches boolean, out rescues boolean, out last_base bigint
) language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    select coalesce(array_agg(w.id), '{}'), coalesce(array_agg(w.beat), '{}'), coalesce(sum(w.connections), 0)
    into workers, beats, connections
    from task_queue.workers w
    where w.dead_at is null;
    leads := worker = any (workers) and task_queue.take_leadership(worker, lease);
    if not leads then return; end if;
    select (extract(epoch from b.run_at - clock_timestamp()) * 1000)::bigint into next_run
    from task_queue.bundles b
    where b.state in (0, 3) and b.run_at >= due_from
    order by b.run_at
    limit 1;
    changes := exists (select from task_queue.batch_changes c where c.id > changes_after);
    batches := exists (select from task_queue.batches b where b.state = 'cancelled')
        or exists (select from task_queue.batches b where b.state = 'open' and b.seal_after <= now());
    rescues := exists (
        select
        from task_queue.workers w
        cross join lateral (
            select
            from task_queue.bundles b
            where b.worker_id = any (array[w.id]) and b.state = 2
            order by b.worker_id, b.id
            limit 1
        ) held
        where w.dead_at is not null
    );
    last_base := (select s.last_value from task_queue.base_ids s);
    perform task_queue.wake_for_late_commits(after);
end
$$;
comment on function task_queue.look is
    'What every worker asks each second or so: whether it leads, the beats of those that live and the connections that '
    'they may take. To the leader also: milliseconds until the next scheduled job is due (null: none), whether there are batch changes, batches to seal or '
    'cancel, jobs of dead workers; and the latest base id. Looks at jobs due from due_from on and at changes above '
    'changes_after. Notifies workers of rows above `after` that wait.';

-- Whichever way a queue is changed, workers read it again.
create function task_queue.tell_queues_changed() returns trigger
language plpgsql as $$
begin
    perform pg_notify('task_queue_queues', '');
    return null;
end
$$;
create trigger tell_queues_changed after insert or update or delete on task_queue.queues
    for each statement execute function task_queue.tell_queues_changed();

do $$
begin
    if exists (select from pg_roles where rolname = 'task_worker_app') then
        grant execute on all functions in schema task_queue to task_worker_app;
    end if;
end
$$;
