#include "queue/enqueue.hpp"

#include "queue/enqueue_times.hpp"
#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

const db::Statement enqueue_job_sql{"enqueue_job", R"sql(
    select job_id, existed
    from task_queue.enqueue_job(
        kind => $1::text, args => $2::json, queue => $3::text, priority => $4::integer,
        run_at => 'epoch'::timestamptz + $5::bigint * interval '1 microsecond',
        delay => $6::bigint * interval '1 millisecond', max_attempts => $7::integer, unique_key => $8::text,
        enqueue_key => $9::text, batch_id => $10::uuid, meta => $11::json
    )
)sql"};

asio::awaitable<Enqueued> enqueue_job(db::Session& session, NewJob job) {
    const EnqueueOptions& options = job.options;
    const db::Rows rows = co_await session.execute(
        enqueue_job_sql,
        job.kind,
        job.args,
        options.queue,
        options.priority,
        microseconds_of(options.run_at),
        milliseconds_of(options.delay),
        options.max_attempts,
        job.unique_key,
        options.enqueue_key,
        options.batch,
        options.meta
    );
    co_return Enqueued{.job = rows.front().get<JobId>(0), .existed = rows.front().get<bool>(1)};
}

const db::Statement enqueue_jobs_sql{"enqueue_jobs", R"sql(
    select id
    from task_queue.enqueue_many(
        kind => $1::text, args => $2::text[]::json[], queue => $3::text, priority => $4::integer,
        run_at => 'epoch'::timestamptz + $5::bigint * interval '1 microsecond',
        delay => $6::bigint * interval '1 millisecond', max_attempts => $7::integer, enqueue_key => $8::text,
        batch_id => $9::uuid, meta => $10::json, bundle => $11::integer
    ) id
)sql"};

asio::awaitable<std::vector<JobId>> enqueue_jobs(
    db::Session& session, std::string kind, std::span<const std::string> args, EnqueueOptions options
) {
    const db::Rows rows = co_await session.execute(
        enqueue_jobs_sql,
        kind,
        args,
        options.queue,
        options.priority,
        microseconds_of(options.run_at),
        milliseconds_of(options.delay),
        options.max_attempts,
        options.enqueue_key,
        options.batch,
        options.meta,
        options.bundle
    );
    co_return db::map_rows(rows, [](db::Row row) { return row.get<JobId>(0); });
}

}  // namespace queue
