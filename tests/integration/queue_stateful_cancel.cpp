// Jobs that are cancelled, one by one and many at once: the model's and the steps.
#include "queue/cancel.hpp"
#include "tests/integration/queue_stateful_steps.hpp"

#include <fmt/format.h>

#include <array>

using namespace queue;

namespace tests {

namespace {

// A suspect is shown as available.
bool matches(const ModelRow& row, const ModelFilter& filter) {
    const State shown = row.state == State::suspect ? State::available : row.state;
    return (filter.batch < 0 || row.batch == filter.batch) && (!filter.state || shown == *filter.state);
}

std::string text_of(std::int64_t waiting, std::int64_t running, std::int64_t last) {
    return fmt::format("{} waiting, {} running, {} the last row", waiting, running, last);
}

std::string text_of(const ModelCancel& jobs) {
    return text_of(jobs.waiting, jobs.running, jobs.last);
}

}  // namespace

std::string QueueModel::cancel(std::int64_t job) {
    const int n = job_number(JobId{job});
    for (auto row = rows.begin(); row != rows.end(); ++row) {
        if (base_of(row->first) != base_of(job) || (row->second.members & bit(n)) == 0) continue;
        if ((row->second.pending & bit(n)) == 0) return "finished";
        if (row->second.state == State::running) {
            row->second.cancel |= bit(n);
            return "stopping";
        }
        end_job(row->first, row->second, n, State::cancelled);
        row->second.members &= ~bit(n);
        row->second.pending &= ~bit(n);
        row->second.cancel &= ~bit(n);
        if (row->second.pending == 0) end_row(row);
        return "cancelled";
    }
    return ended.contains(job) ? "finished" : "not found";
}

ModelCancel QueueModel::cancellable(const ModelFilter& filter) const {
    ModelCancel found;
    for (const auto& [id, row] : rows) {
        if (!matches(row, filter)) continue;
        const bool is_running = row.state == State::running;
        (is_running ? found.running : found.waiting) += queue::count(row.pending & ~(is_running ? row.cancel : 0));
        found.last = id;
    }
    found.last |= base_step - 1;
    return found;
}

ModelCancel QueueModel::cancel_jobs(const ModelFilter& filter) {
    std::vector<std::int64_t> page;
    for (const auto& [id, row] : rows) {
        if (id <= filter.after || id > filter.upto || !matches(row, filter)) continue;
        if (row.state == State::running && row.cancel == row.pending) continue;
        if (static_cast<int>(page.size()) == filter.limit) break;
        page.push_back(id);
    }
    ModelCancel done;
    for (const std::int64_t id : page) {
        ModelRow& row = rows.at(id);
        done.last = id;
        if (row.state == State::running) {
            done.running += queue::count(row.pending);
            row.cancel = row.pending;
        } else {
            done.waiting += queue::count(row.pending);
            take_out(id);
        }
    }
    return done;
}

std::string QueueSteps::cancel(const Step& step) {
    if (jobs_.empty()) return "";
    std::int64_t job = step.b % 20 == 0 ? 1'000'000 : jobs_[step.a % jobs_.size()];
    if (step.b % 2 == 1 && !leases_.empty()) {  // one that runs, perhaps
        const ModelLease& lease = any_lease(step.a);
        std::vector<std::int64_t> leased;
        for (int n = 0; n < max_bundle_jobs; ++n) {
            if ((lease.jobs & bit(n)) != 0) leased.push_back(base_of(lease.row) + n);
        }
        job = leased[step.c % leased.size()];
    }
    constexpr std::array answers{"cancelled", "stopping", "finished", "not found"};
    const CancelAnswer answer = call(cancel_job(queue_.session, JobId{job}));
    return differ("cancel_job", answers.at(static_cast<std::size_t>(answer)), model_.cancel(job));
}

// One step of it, from the first row on or behind some job's.
std::string QueueSteps::cancel_many(const Step& step) {
    constexpr std::array states{State::scheduled, State::available, State::running, State::retryable};
    ModelFilter wanted{.batch = any_batch(step.a), .limit = 1 + static_cast<int>(step.c % 4)};
    if (step.b % 3 != 0) wanted.state = states.at(step.b / 3 % states.size());
    if (step.c % 3 == 0 && !jobs_.empty()) wanted.after = jobs_[step.b % jobs_.size()];
    JobFilter filter{.queue = "default", .limit = wanted.limit};
    if (wanted.batch >= 0) filter.batch = batch_id(wanted.batch);
    if (wanted.state) filter.state = state_name(*wanted.state);
    const Cancellable all = call(count_cancellable_jobs(queue_.session, filter));
    wanted.upto = static_cast<std::int64_t>(all.newest);
    const std::string counted = differ(
        "count_cancellable_jobs", text_of(all.waiting, all.running, wanted.upto), text_of(model_.cancellable(wanted))
    );
    const CancelStep done = call(cancel_jobs(queue_.session, filter, RowId{wanted.after}, all.newest));
    const auto last = static_cast<std::int64_t>(done.last.value_or(RowId{}));
    return counted +
           differ("cancel_jobs", text_of(done.cancelled, done.stopping, last), text_of(model_.cancel_jobs(wanted)));
}

}  // namespace tests
