// The steps of workers, of the leader and of those who look after batches.
#include "db/transaction.hpp"
#include "queue/batches.hpp"
#include "queue/complete.hpp"
#include "queue/names.hpp"
#include "queue/promote.hpp"
#include "queue/release.hpp"
#include "queue/rescue.hpp"
#include "tests/integration/queue_stateful_steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

using namespace queue;

namespace tests {

namespace {

// All that is scheduled is due, in the order of the rows.
const db::Statement pass_time_sql{
    "test_pass_time",
    "update task_queue.bundles set run_at = timestamptz 'epoch' + id * interval '1 ms' where state in (0, 3)"
};
constexpr int most_batches = 3;  // the first calls back when it has finished, the second is sealed by the leader
constexpr std::size_t most_workers = 12;
constexpr int many = 600;  // jobs of a claim that cuts no row

// Jobs of a mask, by a number.
Mask some_of(Mask jobs, std::uint32_t number) {
    std::mt19937_64 random(number);
    return jobs & static_cast<Mask>(random() >> 1);
}

std::string text_of(const ModelLease& lease) {
    return fmt::format("{}/{} {}:{:x}; ", lease.worker, lease.claim, lease.row, lease.jobs);
}

template <class Leases>
std::string list_of(const Leases& leases) {
    std::string text;
    for (const ModelLease& lease : leases) text += text_of(lease);
    return text;
}

ModelLease lease_of(const ClaimRequest& request, const Bundle& bundle) {
    return {
        static_cast<std::int64_t>(request.worker),
        static_cast<std::int64_t>(request.claim),
        static_cast<std::int64_t>(bundle.id),
        bundle.pending
    };
}

ClaimRequest request_of(std::int64_t worker, std::int64_t claim, int jobs) {
    ClaimRequest request{.worker = WorkerId{worker}, .claim = ClaimNumber{claim}, .jobs = jobs, .rows = 1'000};
    for (std::int16_t priority = 0; priority <= 9; ++priority)
        request.lanes.push_back({.queue = QueueId{1}, .priority = priority});
    return request;
}

}  // namespace

std::string QueueSteps::claim(const Step& step) {
    if (call(read_queues(queue_.session)).front().paused != paused_) return "the queue is not paused as it was told\n";
    if (paused_) return "";
    const bool whole = step.c % 8 == 1;
    const int jobs = 1 + static_cast<int>(step.b % (step.c % 2 == 0 ? 40 : 4));
    const ClaimRequest request = request_of(any_worker(step.a), ++claims_, whole ? many : jobs);
    std::vector<ModelLease> claimed;
    for (const Bundle& bundle : call(claim_bundles(queue_.session, request))) {
        claimed.push_back(lease_of(request, bundle));
        leases_.push_back(claimed.back());
    }
    const auto worker = static_cast<std::int64_t>(request.worker);
    const auto expected =
        whole ? model_.claim_whole(worker, claims_, request.jobs) : model_.claim(worker, claims_, request.jobs);
    return differ("claim_bundles", list_of(claimed), list_of(expected));
}

std::string QueueSteps::claim_suspect(const Step& step) {
    const ClaimRequest request = request_of(any_worker(step.a), ++claims_, 1);
    const std::optional<Bundle> bundle = call(queue::claim_suspect(queue_.session, request));
    const auto expected = model_.claim_suspect(static_cast<std::int64_t>(request.worker), claims_);
    if (bundle) leases_.push_back(lease_of(request, *bundle));
    return differ("claim_suspect", bundle ? text_of(leases_.back()) : "", expected ? text_of(*expected) : "");
}

std::string QueueSteps::finish(const Step& step) {
    if (leases_.empty()) return "";
    const ModelLease& lease = any_lease(step.a);
    constexpr std::array leaves{
        Leave::retry, Leave::snooze, Leave::discard, Leave::cancel, Leave::complete_with_result
    };
    std::mt19937_64 random(step.b);
    FinishedRow row{.row = RowId{lease.row}, .claim = ClaimNumber{lease.claim}};
    for (int n = 0; n < max_bundle_jobs; ++n) {
        if ((lease.jobs & bit(n)) == 0) continue;
        const auto fate = random() % 8;
        if (fate < 3) row.done |= bit(n);
        if (fate >= 6) continue;
        if (fate >= 3) {
            Leaver leaver{.n = n, .as = leaves.at(random() % leaves.size())};
            leaver.payload = leaver.as == Leave::complete_with_result ? "1" : "text";
            if (random() % 2 == 0) leaver.after = std::chrono::hours(1);
            row.leavers.push_back(leaver);
        }
    }
    const std::vector<RowId> lost = call(finish_jobs(queue_.session, WorkerId{lease.worker}, std::array{row}));
    const bool held = model_.holds(lease);
    model_.finish(lease, row.done, row.leavers);
    return differ("finish_jobs", lost.empty() ? "held" : "lost", held ? "held" : "lost");
}

std::string QueueSteps::finish_whole(const Step& step) {
    if (leases_.empty()) return "";
    const ModelLease& lease = any_lease(step.a);
    const Mask done = step.b % 4 == 0 ? some_of(lease.jobs, step.b) : lease.jobs;
    const FinishedRow row{.row = RowId{lease.row}, .claim = ClaimNumber{lease.claim}, .done = done, .whole = true};
    const auto left = call(finish_whole_rows(queue_.session, WorkerId{lease.worker}, std::array{row}));
    const bool is_whole = model_.holds(lease) && (model_.rows.at(lease.row).pending & ~done) == 0;
    if (is_whole) model_.finish(lease, done, {});
    return differ("finish_whole_rows", left.empty() ? "done" : "left", is_whole ? "done" : "left");
}

// In a transaction, which is rolled back now and then.
std::string QueueSteps::complete(const Step& step) {
    if (leases_.empty()) return "";
    const ModelLease& lease = any_lease_of_one(step.a);
    Completion completion{.worker = WorkerId{lease.worker}, .row = RowId{lease.row}, .claim = ClaimNumber{lease.claim}};
    if (step.c % 2 == 0) completion.result = "1";
    const bool commits = step.b % 3 != 0;
    std::string answer = "completed";
    tests::run(queue_.context, [&]() -> boost::asio::awaitable<void> {
        db::begin(queue_.session);
        try {
            co_await complete_job(queue_.session, completion);
        } catch (const db::Error& error) {
            answer = is_lease_lost(error) ? "lost" : is_shared_row(error) ? "shared" : error.what();
        }
        if (commits && answer == "completed") {
            co_await db::commit(queue_.session);
        } else {
            co_await db::rollback(queue_.session);
        }
    });
    const bool held = model_.holds(lease);
    const Mask pending = held ? model_.rows.at(lease.row).pending : 0;
    const bool alone = (pending & (pending - 1)) == 0;
    if (held && alone && commits) model_.finish(lease, pending, {});
    return differ("complete_job", answer, !held ? "lost" : alone ? "completed" : "shared");
}

std::string QueueSteps::release(const Step& step) {
    if (leases_.empty()) return "";
    const ModelLease& lease = any_lease(step.a);
    const Mask jobs = step.b % 3 == 0 ? lease.jobs : some_of(lease.jobs, step.b);
    const Unstarted unstarted{.row = RowId{lease.row}, .claim = ClaimNumber{lease.claim}, .jobs = jobs};
    Mask given = 0;
    for (const Unstarted& back : call(release_jobs(queue_.session, WorkerId{lease.worker}, std::array{unstarted})))
        given |= back.jobs;
    return differ("release_jobs", fmt::format("{:x}", given), fmt::format("{:x}", model_.release(lease, jobs)));
}

std::string QueueSteps::release_claim(const Step& step) {
    if (leases_.empty()) return "";
    const ModelLease& lease = any_lease(step.a);
    const std::int64_t rows =
        call(release_claims(queue_.session, WorkerId{lease.worker}, std::array{ClaimNumber{lease.claim}}));
    return differ(
        "release_claims", std::to_string(rows), std::to_string(model_.release_claim(lease.worker, lease.claim))
    );
}

std::string QueueSteps::heartbeat(const Step& step) {
    const std::int64_t worker = any_worker(step.a);
    const Heartbeat heartbeat = call(record_heartbeat(queue_.session, WorkerId{worker}));
    std::vector<ModelLease> requests;
    for (const CancelRequest& request : heartbeat.cancels) {
        requests.push_back(
            {worker, static_cast<std::int64_t>(request.claim), static_cast<std::int64_t>(request.row), request.jobs}
        );
    }
    std::ranges::sort(requests, {}, &ModelLease::row);
    return differ(
               "record_heartbeat", heartbeat.alive ? "alive" : "dead", model_.workers.at(worker) ? "alive" : "dead"
           ) +
           differ("record_heartbeat", list_of(requests), list_of(model_.requests(worker)));
}

void QueueSteps::add_worker() {
    workers_.push_back(static_cast<std::int64_t>(queue_.add_worker()));
    model_.workers[workers_.back()] = true;
}

void QueueSteps::keep_one_alive() {
    if (std::ranges::none_of(model_.workers, &std::pair<const std::int64_t, bool>::second)) add_worker();
}

std::string QueueSteps::add_worker(const Step&) {
    if (workers_.size() < most_workers) add_worker();
    return "";
}

std::string QueueSteps::kill(const Step& step) {
    const std::int64_t worker = any_worker(step.a);
    const auto beat =
        std::stoll(queue_.value(fmt::format("select beat from task_queue.workers where id = {}", worker)));
    const std::int64_t seen = step.b % 4 == 0 ? beat - 1 : beat;  // it has moved meanwhile
    const auto dead = call(declare_dead(queue_.session, std::array{SeenBeat{WorkerId{worker}, seen}}));
    const bool dies = seen == beat && model_.workers.at(worker);
    if (dies) {
        model_.kill(worker);
        keep_one_alive();
    }
    return differ("declare_dead", dead.empty() ? "nobody" : "dead", dies ? "dead" : "nobody");
}

std::string QueueSteps::retire(const Step& step) {
    const std::int64_t worker = any_worker(step.a);
    call(retire_worker(queue_.session, WorkerId{worker}));
    model_.kill(worker);
    const std::string wrong = compare_workers("retire_worker");
    keep_one_alive();
    return wrong;
}

std::string QueueSteps::compare_workers(const std::string& after) {
    std::map<std::int64_t, bool> known;
    for (const Worker& worker : call(read_workers(queue_.session)))
        known[static_cast<std::int64_t>(worker.id)] = !worker.dead_at;
    return known == model_.workers ? "" : after + " leaves other workers, or others alive\n";
}

std::string QueueSteps::rescue(const Step&) {
    call(rescue_jobs(queue_.session, 1'000));
    model_.rescue();
    return "";
}

std::string QueueSteps::promote(const Step& step) {
    call(queue_.session.execute(pass_time_sql));
    const int rows = static_cast<int>(step.a % 6);
    call(promote_jobs(queue_.session, db::TimePoint{}, rows));
    model_.promote(rows);
    return "";
}

std::string QueueSteps::create_batch(const Step&) {
    int batch = 0;
    while (model_.batches.contains(batch)) ++batch;
    if (batch == most_batches) return "";
    NewBatch given{.id = batch_id(batch)};
    if (batch == 0) given.on_finish = "callback";
    if (batch == 1) given.seal_after = std::chrono::seconds(0);
    call(queue::create_batch(queue_.session, given));
    model_.batches[batch].is_due = batch == 1;
    return "";
}

std::string QueueSteps::seal_batch(const Step& step) {
    const int batch = any_batch(step.a);
    if (batch < 0) return "";
    const bool sealed = call(queue::seal_batch(queue_.session, batch_id(batch)));
    return differ("seal_batch", fmt::to_string(sealed), fmt::to_string(model_.seal(batch)));
}

std::string QueueSteps::seal_due(const Step&) {
    const int sealed = call(seal_due_batches(queue_.session, 10));
    return differ("seal_due_batches", std::to_string(sealed), std::to_string(model_.seal_due()));
}

std::string QueueSteps::cancel_batch(const Step& step) {
    int batch = any_batch(step.a);
    for (const auto& [job, letter] : model_.dead) {
        if (letter.batch >= 0 && step.b % 4 != 0) batch = letter.batch;  // one that has dead letters to outlive
    }
    if (batch < 0) return "";
    call(queue::cancel_batch(queue_.session, batch_id(batch)));
    model_.cancel_batch(batch);
    return "";
}

std::string QueueSteps::cancel_remaining(const Step&) {
    call(cancel_remaining_jobs(queue_.session, 1'000));
    model_.cancel_remaining();
    return "";
}

std::string QueueSteps::fold(const Step&) {
    const Folded folded = call(fold_batch_changes(queue_.session));
    const std::vector<int> finished = model_.fold();
    std::string expected;
    for (const int batch : finished) expected += batch_id(batch) + " ";
    std::string answered;
    for (const BatchId& batch : folded.finished) answered += batch + " ";
    if (std::ranges::find(finished, 0) != finished.end()) {
        const TextRows callbacks = queue_.database.psql(
            "select max(b.id) from task_queue.bundles b join task_queue.kinds k on k.id = b.kind_id "
            "where k.name = 'callback'"
        );
        if (callbacks[0][0].empty()) return "no callback was enqueued\n";
        model_.enqueue({std::stoll(callbacks[0][0])}, 1, {});
    }
    return differ("fold_batch_changes", answered, expected);
}

std::string QueueSteps::pause(const Step&) {
    paused_ = !paused_;
    call(declare_queues(queue_.session, std::array{QueueDeclaration{.name = "default", .paused = paused_}}));
    return "";
}

}  // namespace tests
