-- The roles of the queue, for the database this runs in. Once, by a superuser, before `task-worker migrate up`:
--
--     psql "$ADMIN_URL" -f deploy/roles.sql
--
-- Again later is harmless. Nobody logs in as these three: each service gets a login that is a member of one of them
-- (psql's \password stores it as SCRAM-SHA-256).
--
--     create role migrator login in role task_worker_owner;    -- runs `task-worker migrate up`
--     create role shop login in role task_worker_app;          -- an API that enqueues, or a worker
--     create role reports login in role task_worker_read;      -- reports, backups
--
-- The owner has the schema task_queue, and documents where somebody ran `task-worker documents setup`. The application reads and writes the rows, and can neither create nor drop: the
-- history's partitions come and go through functions of the owner. The reader reads.

do $$
declare
    role text;
begin
    foreach role in array array['task_worker_owner', 'task_worker_app', 'task_worker_read'] loop
        if not exists (select from pg_roles where rolname = role) then
            execute format('create role %I nologin', role);
        end if;
    end loop;
    execute format('grant create on database %I to task_worker_owner', current_database());
end
$$;

-- `task-worker doctor` looks at other sessions' transactions, which hold back the vacuum of the queue.
grant pg_read_all_stats to task_worker_app;

-- The migrations grant what exists; this is for what comes later, such as tomorrow's partition, which pg_dump reads.
alter default privileges for role task_worker_owner grant select on tables to task_worker_read;
alter default privileges for role task_worker_owner grant select on sequences to task_worker_read;
