-- What the example's database has besides roles.sql: a login for each service, and the API's own table.
create role migrator login password 'example-migrator' in role task_worker_owner;
create role worker login password 'example-worker' in role task_worker_app;
create role shop login password 'example-shop' in role task_worker_app;

create table orders (
    id bigint generated always as identity primary key,
    email text not null,
    receipt_sent_at timestamptz
);
grant select, insert, update on orders to shop;
