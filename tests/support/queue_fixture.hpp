#pragma once

// A migrated database with a session on it, and rows of jobs whose args name them.

#include "db/pipeline.hpp"
#include "queue/claim.hpp"
#include "queue/finish.hpp"
#include "queue/plans.hpp"
#include "queue/workers.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace tests {

struct NewRows {
    int rows = 1;
    int jobs = 1;  // to a row
    int queue = 1;
    int priority = 4;
    int state = 1;
    int rescues = 0;
    int max_attempts = 20;
    std::string batch = "null";  // SQL
    std::string run_at = "now()";
    std::string kind = "test";
};

class QueueFixture {
public:
    QueueFixture() : session(database.session(context)) {}

    // Runs a flat function as the worker does: after fix_plans, in one implicit transaction.
    template <class T>
    T call(db::Session& on, boost::asio::awaitable<T> function) {
        return tests::run(context, [&]() -> boost::asio::awaitable<T> {
            auto answers = co_await db::pipelined(on, queue::fix_plans(on), std::move(function));
            if constexpr (!std::is_void_v<T>) co_return std::get<1>(std::move(answers));
        });
    }
    template <class T>
    T call(boost::asio::awaitable<T> function) {
        return call(session, std::move(function));
    }

    // Adds rows; every job's args are {"job": its id}.
    std::vector<queue::RowId> add_rows(const NewRows& rows);
    queue::RowId add_row(const NewRows& rows) { return add_rows(rows).front(); }
    queue::WorkerId add_worker();
    // Of lane `priority` of the default queue, from its beginning.
    std::vector<queue::Bundle> claim(queue::WorkerId worker, int jobs, int priority = 4);
    // Declares dead.
    void kill(queue::WorkerId worker);

    std::string value(const std::string& sql) const { return database.value(sql); }
    // Whether every one of so many jobs is in exactly one place, with its own args.
    bool holds(int jobs) const;
    // "id:members/pending state attempt", row by row.
    std::string live_rows() const;

    TestDatabase database;
    boost::asio::io_context context;
    db::Session session;
    std::int64_t claims = 0;  // the last claim number given out by claim()
};

}  // namespace tests
