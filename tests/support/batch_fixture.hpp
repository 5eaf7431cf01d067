#pragma once

// A batch with callbacks, its jobs, and what has become of them.

#include "queue/batches.hpp"
#include "queue/bundle.hpp"
#include "queue/finish.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tests {

inline const std::string batch_id = "00000000-0000-0000-0000-000000000001";
inline const std::string quoted = "'00000000-0000-0000-0000-000000000001'";

class BatchFixture : public QueueFixture {
public:
    explicit BatchFixture(
        const std::string& callbacks = "on_finish => 'done', on_success => 'good', on_failure => 'bad'"
    ) {
        database.psql(
            "select task_queue.create_batch(" + quoted + ", 'b', callback_args => '{\"x\": 1}', " + callbacks + ")"
        );
    }
    void enqueue(int jobs, int bundle = 1) {
        database.psql(
            "select task_queue.enqueue_many('work', array_fill('1'::json, array[" + std::to_string(jobs) +
            "]), batch_id => " + quoted + ", bundle => " + std::to_string(bundle) + ")"
        );
    }
    bool seal() {
        return run(context, [&] { return queue::seal_batch(session, batch_id); });
    }
    queue::Folded fold(queue::FoldRequest request = {}) {
        return run(context, [&] { return queue::fold_batch_changes(session, request); });
    }
    queue::BatchStatus status() {
        return *run(context, [&] { return queue::read_batch_status(session, batch_id); });
    }
    std::string counts() {
        const queue::BatchStatus s = status();
        return s.state + " " + std::to_string(s.total) + ": " + std::to_string(s.completed) + "/" +
               std::to_string(s.discarded) + "/" + std::to_string(s.cancelled) + " running " +
               std::to_string(s.running) + " waiting " + std::to_string(s.waiting);
    }
    // Claims up to `jobs` jobs and ends all of them the same way.
    int finish(int jobs, std::optional<queue::Leave> leave = {}) {
        std::vector<queue::FinishedRow> finished;
        int ended = 0;
        for (const queue::Bundle& bundle : claim(worker, jobs)) {
            queue::FinishedRow row{
                .row = bundle.id, .claim = queue::ClaimNumber{claims}, .done = 0, .leavers = {}, .reported = 0
            };
            if (!leave) row.done = bundle.pending;
            for (int n = 0; leave && n < queue::max_bundle_jobs; ++n) {
                if ((bundle.pending & queue::bit(n)) != 0) {
                    row.leavers.push_back(
                        {.n = n, .as = *leave, .payload = "why", .after = std::chrono::milliseconds(0)}
                    );
                }
            }
            ended += queue::count(bundle.pending);
            finished.push_back(std::move(row));
        }
        const auto lost = call(queue::finish_jobs(session, worker, finished));
        REQUIRE(lost.empty());
        return ended;
    }
    // The kinds of the callbacks enqueued so far, in order.
    std::string callbacks() {
        return value(
            "select coalesce(string_agg(k.name, ' ' order by b.id), '') from task_queue.bundles b "
            "join task_queue.kinds k on k.id = b.kind_id where k.name in ('done', 'good', 'bad')"
        );
    }

    queue::WorkerId worker = add_worker();
};

}  // namespace tests
