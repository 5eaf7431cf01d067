#include "queue/complete.hpp"

#include "queue/statements.hpp"

namespace queue {

const db::Statement complete_job_sql{"complete_job", R"sql(
    select task_queue.complete_job(
        $1::bigint, $2::bigint, $3::bigint, $4::text::json, $5::bigint * interval '1 millisecond',
        $6::bigint * interval '1 millisecond', $7::boolean
    )
)sql"};

boost::asio::awaitable<void> complete_job(db::Session& session, Completion completion) {
    co_await session.execute(
        complete_job_sql,
        completion.row,
        completion.worker,
        completion.claim,
        completion.result,
        std::int64_t{completion.took.count()},
        std::int64_t{completion.longest_idle.count()},
        completion.keep
    );
}

bool is_lease_lost(const db::Error& error) {
    return error.sqlstate() == "TW001";
}

bool is_shared_row(const db::Error& error) {
    return error.sqlstate() == "TW002";
}

}  // namespace queue
