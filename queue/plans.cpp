#include "queue/plans.hpp"

#include "queue/statements.hpp"

namespace queue {

// Sequential and bitmap scans are what the planner takes while a table is empty or was never analysed. They stay
// possible where nothing else is, at a price that would make the planner compile such a plan: so no JIT either.
//
// Where rows of one queue, worker or batch are wanted in the order of their ids, the statement says
// `queue_id = any (array[x])` and orders by queue_id, id. With `queue_id = x` the planner knows that the primary key
// gives the same order, and reads all of it as soon as one value fills the column: 95 ms a claim over 130,000 rows of
// one lane. Row comparisons do not help: their scan ends only with the first column. And without a price on sorting
// it reads a range of the primary key and sorts it.
const db::Statement fix_plans_sql{"fix_plans", R"sql(
    select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('enable_sort', 'off', true),
        set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)
)sql"};

boost::asio::awaitable<void> fix_plans(db::Session& session) {
    co_await session.execute(fix_plans_sql);
}

}  // namespace queue
