#include "queue/plans.hpp"

#include "queue/statements.hpp"

namespace queue {

// Sequential and bitmap scans are what the planner takes while a table is empty or was never analysed. They stay
// possible where nothing else is, at a price that would make the planner compile such a plan: so no JIT either.
const db::Statement fix_plans_sql{"fix_plans", R"sql(
    select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('jit', 'off', true)
)sql"};

boost::asio::awaitable<void> fix_plans(db::Session& session) {
    co_await session.execute(fix_plans_sql);
}

}  // namespace queue
