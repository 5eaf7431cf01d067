#include "tests/integration/queue_stateful_steps.hpp"

#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/bulk_enqueue.hpp"
#include "queue/enqueue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

using namespace queue;
using namespace std::chrono_literals;

namespace tests {

namespace {

// Live rows, ended jobs and batches, in the words of the model.
const db::Statement state_sql{"test_state", R"sql(
        select
            (select coalesce(string_agg(format(
                e'row %s: %s/%s state %s attempt %s rescues %s strikes %s cancel %s lease %s/%s priority %s batch %s\n', id,
                to_hex(members), to_hex(pending), state, attempt, rescues, strikes, to_hex(cancel_requested & pending),
                coalesce(worker_id, 0), case when state = 2 then claim_number else 0 end, priority,
                coalesce(right(batch_id::text, 3)::integer, -1)
            ), '' order by id), '') from task_queue.bundles),
            (select coalesce(string_agg(format(e'job %s: %s\n', id, state), '' order by id), '') from (
                select (id & ~127::bigint) + n as id, task_queue.state_name(state) as state
                from task_queue.finished_bundles, generate_series(0, 62) n
                where members >> n & 1 = 1
                union all
                select id, 'discarded' from task_queue.dead_jobs
            ) j),
            (select coalesce(string_agg(format(
                e'batch %s: %s round %s, %s of %s completed, %s discarded, %s cancelled, %s running, %s waiting\n',
                right(b.id::text, 3)::integer, s.state, s.round, s.completed, s.total, s.discarded, s.cancelled, s.running,
                s.waiting
            ), '' order by b.id), '') from task_queue.batches b, task_queue.batch_status(b.id) s)
)sql"};

std::string compare_text(const std::string& what, const std::string& database, const std::string& model) {
    return database == model ? "" : fmt::format("{}\ndatabase:\n{}\nmodel:\n{}\n", what, database, model);
}

}  // namespace

std::string differ(const std::string& what, const std::string& database, const std::string& model) {
    return database == model ? "" : fmt::format("{} answers {} instead of {}\n", what, database, model);
}

const std::vector<QueueSteps::Call>& QueueSteps::calls() {
    static const std::vector<Call> all{
        {"enqueue_job", 8, &QueueSteps::enqueue_one},
        {"enqueue_jobs", 8, &QueueSteps::enqueue_many},
        {"bulk_enqueue", 3, &QueueSteps::copy},
        {"claim_bundles", 20, &QueueSteps::claim},
        {"claim_suspect", 14, &QueueSteps::claim_suspect},
        {"finish_jobs", 16, &QueueSteps::finish},
        {"finish_whole_rows", 6, &QueueSteps::finish_whole},
        {"complete_job", 12, &QueueSteps::complete},
        {"record_task_progress", 5, &QueueSteps::report},
        {"report_progress", 2, &QueueSteps::report_by_sql},
        {"release_jobs", 6, &QueueSteps::release},
        {"release_claims", 3, &QueueSteps::release_claim},
        {"record_heartbeat", 3, &QueueSteps::heartbeat},
        {"register_worker", 5, &QueueSteps::add_worker},
        {"declare_dead", 9, &QueueSteps::kill},
        {"retire_worker", 3, &QueueSteps::retire},
        {"rescue_jobs", 14, &QueueSteps::rescue},
        {"promote_jobs", 6, &QueueSteps::promote},
        {"cancel_job", 8, &QueueSteps::cancel},
        {"cancel_jobs", 3, &QueueSteps::cancel_many},
        {"create_batch", 10, &QueueSteps::create_batch},
        {"seal_batch", 4, &QueueSteps::seal_batch},
        {"seal_due_batches", 2, &QueueSteps::seal_due},
        {"cancel_batch", 4, &QueueSteps::cancel_batch},
        {"cancel_remaining_jobs", 2, &QueueSteps::cancel_remaining},
        {"fold_batch_changes", 12, &QueueSteps::fold},
        {"redrive_dead_jobs", 6, &QueueSteps::redrive},
        {"purge_dead_jobs", 2, &QueueSteps::purge},
        {"prune_dead_jobs", 1, &QueueSteps::prune_dead},
        {"prune_batches", 6, &QueueSteps::prune_batches},
        {"prune_enqueue_keys", 1, &QueueSteps::prune_keys},
        {"prune_workers", 4, &QueueSteps::prune_workers},
        {"prune_task_progress", 1, &QueueSteps::prune_progress},
        {"declare_queues", 1, &QueueSteps::pause},
    };
    return all;
}

std::string QueueSteps::batch_id(int batch) {
    return fmt::format("00000000-0000-4000-8000-{:012}", batch);
}

std::vector<Step> random_steps(std::mt19937& random, std::size_t count) {
    std::vector<int> weights;
    for (const QueueSteps::Call& call : QueueSteps::calls()) weights.push_back(call.weight);
    std::discrete_distribution<int> which(weights.begin(), weights.end());
    std::vector<Step> steps(count);
    for (Step& step : steps) {
        step.call = which(random);
        step.a = static_cast<std::uint32_t>(random());
        step.b = static_cast<std::uint32_t>(random());
        step.c = static_cast<std::uint32_t>(random());
    }
    return steps;
}

std::string step_text(const Step& step) {
    const char* const name = QueueSteps::calls()[static_cast<std::size_t>(step.call)].name;
    return fmt::format("{{{}, {}, {}, {}}},  // {}", step.call, step.a, step.b, step.c, name);
}

QueueSteps::QueueSteps(QueueFixture& queue) : queue_(queue) {
    queue_.database.psql(R"sql(
        truncate task_queue.bundles, task_queue.finished_bundles, task_queue.dead_jobs, task_queue.batches,
            task_queue.batch_changes, task_queue.enqueue_keys, task_queue.workers, task_queue.task_progress;
        select setval('task_queue.base_ids', 128, false), setval('task_queue.worker_ids', 1, false);
        update task_queue.queues set paused = false
    )sql");
    add_worker();
    add_worker();
}

std::string QueueSteps::run(const Step& step) {
    try {
        const std::string wrong = (this->*calls()[static_cast<std::size_t>(step.call)].verb)(step);
        return wrong.empty() ? compare() : wrong;
    } catch (const std::exception& error) {
        return std::string("threw ") + error.what();
    }
}

std::string QueueSteps::compare() {
    const db::Rows answer = call(queue_.session.execute(state_sql));
    const db::Row row = answer.front();
    return compare_text("live rows", row.get<std::string>(0), model_.rows_text()) +
           compare_text("ended", row.get<std::string>(1), model_.ended_text()) +
           compare_text("batches", row.get<std::string>(2), model_.batches_text());
}

std::string QueueSteps::check_args() {
    const TextRows rows = queue_.database.psql(
        "select (r.id & ~127::bigint) + n, r.args -> task_queue.element_of(r.id, n) ->> 'args' from "
        "(select id, members, args from task_queue.bundles union all "
        "select id, members, args from task_queue.finished_bundles) r, generate_series(0, 62) n "
        "where r.members >> n & 1 = 1 union all select id, args ->> 'args' from task_queue.dead_jobs"
    );
    std::size_t right = 0;
    for (const auto& row : rows) {
        const auto known = args_.find(std::stoll(row[0]));
        if (known == args_.end()) continue;  // a callback
        if (std::to_string(known->second) != row[1])
            return fmt::format("job {} has the args {} instead of {}\n", row[0], row[1], known->second);
        ++right;
    }
    return right == args_.size() ? "" : fmt::format("{} of {} jobs are there\n", right, args_.size());
}

std::vector<std::string> QueueSteps::some_args(std::size_t jobs) {
    std::vector<std::string> args;
    for (std::size_t i = 0; i < jobs; ++i) args.push_back(fmt::format(R"({{"args": {}}})", ++next_args_));
    return args;
}

void QueueSteps::remember(const std::vector<std::int64_t>& ids) {
    std::int64_t args = next_args_ - static_cast<std::int64_t>(ids.size());
    for (const std::int64_t id : ids) {
        jobs_.push_back(id);
        args_[id] = ++args;
    }
}

int QueueSteps::any_batch(std::uint32_t number) const {
    const std::size_t place = number % (model_.batches.size() + 1);
    return place == 0 ? -1 : std::next(model_.batches.begin(), static_cast<std::ptrdiff_t>(place) - 1)->first;
}

std::int64_t QueueSteps::any_worker(std::uint32_t number) const {
    return workers_[number % workers_.size()];
}

// Besides the newest ones: late ones whose row its worker holds anew, and such with jobs that were asked to stop.
const ModelLease& QueueSteps::any_lease(std::uint32_t number) const {
    std::vector<const ModelLease*> some;
    for (const ModelLease& lease : leases_) {
        const auto row = model_.rows.find(lease.row);
        if (row == model_.rows.end() || row->second.worker != lease.worker) continue;
        if (number % 4 == 0 && row->second.claim != lease.claim) some.push_back(&lease);
        if (number % 4 == 1 && row->second.claim == lease.claim && row->second.cancel != 0) some.push_back(&lease);
    }
    if (!some.empty()) return *some[number / 4 % some.size()];
    const std::size_t from = leases_.size() - std::min<std::size_t>(leases_.size(), 8);
    return leases_[from + number / 4 % (leases_.size() - from)];
}

// Of those whose row has one job left, most often.
const ModelLease& QueueSteps::any_lease_of_one(std::uint32_t number) const {
    std::vector<const ModelLease*> singles;
    for (const ModelLease& lease : leases_) {
        if (model_.holds(lease) && count(model_.rows.at(lease.row).pending) == 1) singles.push_back(&lease);
    }
    if (singles.empty() || number % 4 == 0) return any_lease(number);
    return *singles[number / 4 % singles.size()];
}

// Producers.

std::string QueueSteps::enqueue_one(const Step& step) {
    ModelRow row;
    row.priority = static_cast<int>(step.a % 3) * 4;
    row.batch = any_batch(step.b);
    row.state = step.c % 4 == 0 ? State::scheduled : State::available;
    row.unique = step.c % 3 == 0 ? fmt::format("key {}", step.c % 9) : "";
    NewJob job{.kind = "test", .args = some_args(1).front()};
    job.options.priority = row.priority;
    if (row.batch >= 0) job.options.batch = batch_id(row.batch);
    if (row.state == State::scheduled) job.options.delay = 1h;
    if (!row.unique.empty()) job.unique_key = row.unique;
    const auto known = model_.find_unique(row.unique);
    try {
        const Enqueued enqueued = call(enqueue_job(queue_.session, job));
        if (!model_.is_open(row.batch)) return "a closed batch took a job";
        const auto id = static_cast<std::int64_t>(enqueued.job);
        if (enqueued.existed != known.has_value() || (known && *known != id)) return "the unique key was not kept";
        if (known) return "";
        model_.enqueue({id}, 1, row);
        remember({id});
    } catch (const db::Error& error) {
        if (model_.is_open(row.batch)) throw;
    }
    return "";
}

std::string QueueSteps::enqueue_many(const Step& step) {
    ModelRow row;
    row.batch = any_batch(step.b);
    row.state = step.c % 5 == 0 ? State::scheduled : State::available;
    const int bundle = 1 + static_cast<int>(step.c / 5 % 63);
    const std::string key = step.b % 7 == 0 ? fmt::format("call {}", step.c % 3) : "";
    const std::vector<std::string> args = some_args(step.a % 70);
    EnqueueOptions options{.bundle = bundle};
    if (row.batch >= 0) options.batch = batch_id(row.batch);
    if (row.state == State::scheduled) options.delay = 1h;
    if (!key.empty()) options.enqueue_key = key;
    const bool repeated = keyed_.contains(key);
    try {
        const std::vector<JobId> answered = call(enqueue_jobs(queue_.session, "test", args, options));
        std::vector<std::int64_t> ids;
        for (const JobId id : answered) ids.push_back(static_cast<std::int64_t>(id));
        if (repeated) return ids == keyed_[key] ? "" : "a repeated call answered other jobs";
        if (!model_.is_open(row.batch)) return "a closed batch took jobs";
        if (!key.empty()) keyed_[key] = ids;
        model_.enqueue(ids, bundle, row);
        remember(ids);
    } catch (const db::Error& error) {
        if (repeated || model_.is_open(row.batch)) throw;
    }
    return "";
}

std::string QueueSteps::copy(const Step& step) {
    const std::vector<std::string> args = some_args(1 + step.a % 70);
    const int bundle = 1 + static_cast<int>(step.c % 63);
    ModelRow row;
    row.batch = any_batch(step.b);
    if (!model_.is_open(row.batch)) return "";
    EnqueueOptions options{.bundle = bundle};
    if (row.batch >= 0) options.batch = batch_id(row.batch);
    std::size_t next = 0;
    const BulkEnqueued enqueued = tests::run(queue_.context, [&]() -> boost::asio::awaitable<BulkEnqueued> {
        const auto body = [&](db::Session& on) {
            return bulk_enqueue(on, "test", options, [&](std::string& one) {
                if (next == args.size()) return false;
                one = args[next++];
                return true;
            });
        };
        co_return co_await db::transact(queue_.session, body);
    });
    if (enqueued.jobs != static_cast<std::int64_t>(args.size())) return "bulk_enqueue counted otherwise";
    std::vector<std::int64_t> ids;
    for (std::size_t job = 0; job < args.size(); ++job) {
        const auto size = static_cast<std::size_t>(bundle);
        ids.push_back(
            static_cast<std::int64_t>(*enqueued.first) + static_cast<std::int64_t>(job / size * base_step + job % size)
        );
    }
    model_.enqueue(ids, bundle, row);
    remember(ids);
    return "";
}

}  // namespace tests
