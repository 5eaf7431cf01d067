#include "queue/wake.hpp"

namespace asio = boost::asio;

namespace queue {

namespace {
const db::Statement listen_wake_sql{"listen_wake", "listen task_queue_wake"};
const db::Statement listen_queues_sql{"listen_queues", "listen task_queue_queues"};
const db::Statement listen_cancel_sql{"listen_cancel", "listen task_queue_cancel"};
}  // namespace

asio::awaitable<void> listen(db::Session& session) {
    co_await session.execute(listen_wake_sql);
    co_await session.execute(listen_queues_sql);
    co_await session.execute(listen_cancel_sql);
}

}  // namespace queue
