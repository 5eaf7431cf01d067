// The leader's steps pass over the rows that somebody holds: one client that stands still in a transaction must not
// hold up what all wait for, and who never waits for a row takes part in no deadlock.
#include "queue/batches.hpp"
#include "queue/promote.hpp"
#include "queue/rescue.hpp"
#include "queue/retention.hpp"
#include "queue/workers.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <string>
#include <vector>

using namespace queue;
using namespace std::chrono_literals;

namespace {

// One row, at least, for each step.
constexpr const char* work = R"sql(
    insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues, dead_at)
    values (1, 1, 1, 1, 'silent', '', '{}', '{}', null), (2, 1, 1, 1, 'dead', '', '{}', '{}', now()),
        (3, 1, 1, 1, 'long dead', '', '{}', '{}', now() - interval '9 days');
    insert into task_queue.bundles (id, members, pending, kind_id, queue_id, state, run_at, worker_id, args)
    values (1280000, 1, 1, task_queue.intern_kind('test'), 1, 0, now() - interval '1 s', null, '[{}]'),
        (1280128, 1, 1, task_queue.intern_kind('test'), 1, 2, now(), 2, '[{}]');
    select task_queue.create_batch(id => md5('due')::uuid, seal_after => interval '0 s');
    select task_queue.create_batch(id => md5('cancelled')::uuid);
    select task_queue.enqueue('test', batch_id => md5('cancelled')::uuid);
    update task_queue.batches set state = 'cancelled' where id = md5('cancelled')::uuid;
    insert into task_queue.batches (id, state, finished_at)
    values (md5('old')::uuid, 'finished', now() - interval '9 days');
    insert into task_queue.dead_jobs (
        id, created_at, died_at, kind_id, queue_id, priority, attempt, max_attempts, error, args
    )
    values (384, now(), now() - interval '9 days', 1, 1, 4, 1, 1, 'x', '{}');
    insert into task_queue.enqueue_keys (key, job_ids, created_at) values ('old', '{}', now() - interval '9 days');
    insert into task_queue.task_progress (job_id, done, total, updated_at) values (640, 1, 2, now() - interval '9 days')
)sql";

struct Step {
    std::string name;
    std::int64_t rows;
};

std::vector<Step> take_every_step(tests::QueueFixture& queue) {
    db::Session& session = queue.session;
    const std::vector<SeenBeat> silent{{WorkerId{1}, 0}};
    return {
        {"promote", queue.call(promote_jobs(session, {}, 100)).rows},
        {"seal", queue.call(seal_due_batches(session, 100))},
        {"cancel", queue.call(cancel_remaining_jobs(session, 100))},
        {"fold", queue.call(fold_batch_changes(session)).changes},
        {"declare dead", std::ssize(queue.call(declare_dead(session, silent)))},
        {"rescue", queue.call(rescue_jobs(session, 100)).rows},
        {"prune dead jobs", queue.call(prune_dead_jobs(session, 24h, 100)).rows},
        {"prune keys", queue.call(prune_enqueue_keys(session, 24h, 100))},
        {"prune batches", queue.call(prune_batches(session, {24h, 24h}, 100)).rows},
        {"prune workers", queue.call(prune_workers(session, 24h, 100))},
        {"prune progress", queue.call(prune_task_progress(session, 24h, 100))},
    };
}

}  // namespace

TEST_CASE("no step of the leader's waits for a row that somebody holds", "[queue][maintenance][race][db]") {
    tests::QueueFixture queue;
    queue.database.psql(work);
    tests::OpenTransaction holder(queue.database);
    for (const char* const table :
         {"bundles", "batches", "batch_changes", "workers", "dead_jobs", "enqueue_keys", "task_progress"})
        holder.execute(std::string("select from task_queue.") + table + " for update");
    // A step that waits ends by the limit of what is run.
    for (const Step& step : take_every_step(queue)) {
        INFO(step.name);
        CHECK(step.rows == 0);
    }
    holder.rollback();
    for (const Step& step : take_every_step(queue)) {
        INFO(step.name);
        CHECK(step.rows > 0);
    }
}
