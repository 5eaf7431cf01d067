// Shares four connections among as many callers as there are.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <cstdlib>
#include <db/error.hpp>
#include <db/pool.hpp>
#include <db/transaction.hpp>
#include <exception>

namespace asio = boost::asio;

// The name is the prepared statement's, and that of its metrics.
const db::Statement double_sql{"double", "select 2 * $1::integer"};

asio::awaitable<int> twice(db::Session& session, int number) {
    const db::Rows rows = co_await session.execute(double_sql, number);
    co_return rows.front().get<int>(0);
}

asio::awaitable<void> work(db::Pool& pool) {
    {
        db::Session session = co_await pool.checkout();  // back at the end of the block
        std::printf("%d\n", co_await twice(session, 21));
    }
    const auto both = [](db::Session& session) -> asio::awaitable<int> {
        co_return co_await twice(session, co_await twice(session, 1));
    };
    std::printf("%d\n", co_await db::transact(pool, both));  // commits, or rolls back what throws
}

int main() {
    const char* const url = std::getenv("DATABASE_URL");
    asio::io_context context;
    db::PoolSettings settings;
    settings.pool_size = 4;
    settings.max_overflow = 0;
    db::Pool pool(context.get_executor(), {.url = url == nullptr ? "" : url}, settings);
    int code = 0;
    asio::co_spawn(context, work(pool), [&](std::exception_ptr failure) {
        try {
            if (failure) std::rethrow_exception(failure);
        } catch (const db::Error& error) {
            std::fprintf(stderr, "%s\n", error.what());
            code = 1;
        }
        context.stop();
    });
    context.run();
    const db::PoolStats stats = pool.stats();
    std::printf(
        "%llu checkouts on %d connections\n", static_cast<unsigned long long>(stats.checkouts), stats.checked_in
    );
    return code;
}
