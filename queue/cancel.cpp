#include "queue/cancel.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

const db::Statement cancel_job_sql{"cancel_job", "select task_queue.cancel($1::bigint)"};

asio::awaitable<CancelAnswer> cancel_job(db::Session& session, JobId job) {
    const db::Rows rows = co_await session.execute(cancel_job_sql, job);
    const auto answer = rows.front().get<std::string_view>(0);
    if (answer == "cancelled") co_return CancelAnswer::cancelled;
    if (answer == "stopping") co_return CancelAnswer::stopping;
    if (answer == "finished") co_return CancelAnswer::finished;
    co_return CancelAnswer::not_found;
}

}  // namespace queue
