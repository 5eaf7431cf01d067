#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

namespace tests {

std::vector<queue::RowId> QueueFixture::add_rows(const NewRows& rows) {
    const TextRows ids = database.psql(fmt::format(
        R"sql(
        insert into task_queue.bundles (
            id, members, pending, kind_id, queue_id, priority, state, rescues, max_attempts, batch_id, run_at, args
        )
        select base, ~(-1::bigint << {1}), ~(-1::bigint << {1}), task_queue.intern_kind('{2}'), {3}, {4}, {5}, {6}, {7},
            {8}, {9}, (select json_agg(json_build_object('job', base + n) order by n) from generate_series(0, {1} - 1) n)
        from (select nextval('task_queue.base_ids') as base from generate_series(1, {0})) ids
        returning id
        )sql",
        rows.rows,
        rows.jobs,
        rows.kind,
        rows.queue,
        rows.priority,
        rows.state,
        rows.rescues,
        rows.max_attempts,
        rows.batch,
        rows.run_at
    ));
    std::vector<queue::RowId> added;
    added.reserve(ids.size());
    for (const auto& row : ids) added.push_back(queue::RowId{std::stoll(row.front())});
    return added;
}

queue::WorkerId QueueFixture::add_worker() {
    return call(queue::register_worker(
        session,
        {.connections = 5,
         .slots = 10,
         .pid = 1,
         .host = "here",
         .version = "0",
         .kinds = {"test"},
         .queues = {"default"}}
    ));
}

std::vector<queue::Bundle> QueueFixture::claim(queue::WorkerId worker, int jobs, int priority) {
    queue::ClaimRequest request;
    request.worker = worker;
    request.claim = queue::ClaimNumber{++claims};
    request.lanes = {{.queue = queue::QueueId{1}, .priority = static_cast<std::int16_t>(priority)}};
    request.jobs = jobs;
    request.rows = jobs;
    return call(queue::claim_bundles(session, request));
}

void QueueFixture::kill(queue::WorkerId worker) {
    database.psql(fmt::format("update task_queue.workers set dead_at = now() where id = {}", static_cast<long>(worker))
    );
}

bool QueueFixture::holds(int jobs) const {
    const std::string answer = value(R"sql(
        with everywhere as (
            select (id & ~127::bigint) + n as job, args -> task_queue.element_of(id, n) ->> 'job' as named
            from task_queue.bundles, generate_series(0, 62) n
            where (members >> n) & 1 = 1
            union all
            select (id & ~127::bigint) + n, args -> task_queue.element_of(id, n) ->> 'job'
            from task_queue.finished_bundles, generate_series(0, 62) n
            where (members >> n) & 1 = 1
            union all
            select id, args ->> 'job' from task_queue.dead_jobs
        )
        select count(*) || ' ' || count(distinct job) || ' ' || count(*) filter (where named = job::text) from everywhere
    )sql");
    const std::string expected = fmt::format("{0} {0} {0}", jobs);
    if (answer != expected) fmt::print(stderr, "jobs, different jobs, jobs with their args: {}\n", answer);
    return answer == expected;
}

std::string QueueFixture::live_rows() const {
    return value(R"sql(
        select coalesce(string_agg(
            format('%s:%s/%s %s %s', id, to_hex(members), to_hex(pending), state, attempt), '; ' order by id
        ), '') from task_queue.bundles
    )sql");
}

}  // namespace tests
