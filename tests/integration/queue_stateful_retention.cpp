// Dead letters and what is old: how they come back or go for good, in the model and as steps. What has ended is old at
// once.
#include "queue/dead.hpp"
#include "queue/retention.hpp"
#include "tests/integration/queue_stateful_steps.hpp"

#include <fmt/format.h>

#include <algorithm>

using namespace queue;
using namespace std::chrono_literals;

namespace tests {

namespace {

constexpr int many = 1'000;  // more rows than there are

}  // namespace

bool QueueModel::redrive(std::int64_t job) {
    const auto letter = dead.find(job);
    if (letter == dead.end()) return false;
    const ModelRow& of = letter->second;
    if (of.batch >= 0 && batches.at(of.batch).state == "cancelled") return false;
    if (find_unique(of.unique)) return false;
    const int n = job_number(JobId{job});
    ModelRow& row = rows[base_of(job) + 64 + n];
    row = ModelRow{};
    row.members = row.pending = bit(n);
    row.priority = of.priority;
    row.batch = of.batch;
    row.unique = of.unique;
    count(of.batch, &ModelBatch::discarded, -1);
    if (of.batch >= 0) batches.at(of.batch).redriven = true;
    ended.erase(job);
    dead.erase(letter);
    return true;
}

void QueueModel::purge(std::int64_t job) {
    ended.erase(job);
    dead.erase(job);
}

int QueueModel::prune_batches() {
    return static_cast<int>(std::erase_if(batches, [this](const auto& one) {
        const auto is_of = [&](const auto& letter) { return letter.second.batch == one.first; };
        return one.second.state == "finished" && !one.second.changed && std::ranges::none_of(dead, is_of);
    }));
}

int QueueModel::prune_workers() {
    return static_cast<int>(std::erase_if(workers, [this](const auto& one) {
        return !one.second &&
               std::ranges::none_of(rows, [&](const auto& row) { return row.second.worker == one.first; });
    }));
}

bool QueueModel::runs(std::int64_t job) const {
    return std::ranges::any_of(rows, [&](const auto& one) {
        const auto& [id, row] = one;
        const Mask own = bit(job_number(JobId{job}));
        return base_of(id) == base_of(job) && row.state == State::running && (row.pending & own) != 0;
    });
}

std::string QueueSteps::redrive(const Step& step) {
    std::vector<std::int64_t> letters;
    for (const auto& [job, row] : model_.dead) letters.push_back(job);
    if (letters.empty()) return "";
    const std::int64_t job = letters[step.a % letters.size()];
    const auto revived = call(redrive_dead_jobs(queue_.session, {.jobs = {JobId{job}}}));
    return differ("redrive_dead_jobs", revived.empty() ? "none" : "one", model_.redrive(job) ? "one" : "none");
}

void QueueSteps::forget(const std::vector<std::int64_t>& letters) {
    for (const std::int64_t job : letters) {
        model_.purge(job);
        args_.erase(job);
    }
}

// Some job, dead or not; the dead of a batch; all that are dead.
std::string QueueSteps::purge(const Step& step) {
    if (jobs_.empty()) return "";
    const int batch = step.c % 2 == 0 ? any_batch(step.a) : -1;
    DeadFilter filter{.queue = "default"};
    if (batch >= 0) filter.batch = batch_id(batch);
    std::vector<std::int64_t> letters;
    for (const auto& [job, row] : model_.dead) {
        if (batch < 0 || row.batch == batch) letters.push_back(job);
    }
    if (step.c % 8 != 0 && !letters.empty()) letters = {letters[step.b % letters.size()]};
    if (step.c % 8 == 1) letters = {jobs_[step.b % jobs_.size()]};
    if (step.c % 8 != 0) filter.jobs.assign(1, JobId{letters.empty() ? jobs_.front() : letters.front()});
    std::erase_if(letters, [this](std::int64_t job) { return !model_.dead.contains(job); });
    const std::int64_t purged = call(purge_dead_jobs(queue_.session, filter));
    const auto expected = letters.size();
    forget(letters);
    return differ("purge_dead_jobs", std::to_string(purged), std::to_string(expected));
}

std::string QueueSteps::prune_dead(const Step&) {
    std::vector<std::int64_t> letters;
    for (const auto& [job, row] : model_.dead) letters.push_back(job);
    forget(letters);
    const Pruned pruned = call(prune_dead_jobs(queue_.session, 0s, many));
    return differ("prune_dead_jobs", std::to_string(pruned.rows), std::to_string(letters.size()));
}

std::string QueueSteps::prune_batches(const Step&) {
    const Pruned pruned = call(queue::prune_batches(queue_.session, {}, many));
    return differ("prune_batches", std::to_string(pruned.rows), std::to_string(model_.prune_batches()));
}

std::string QueueSteps::prune_keys(const Step&) {
    const auto expected = keyed_.size();
    keyed_.clear();
    const int pruned = call(prune_enqueue_keys(queue_.session, 0s, many));
    return differ("prune_enqueue_keys", std::to_string(pruned), std::to_string(expected));
}

std::string QueueSteps::prune_workers(const Step&) {
    const int pruned = call(queue::prune_workers(queue_.session, 0s, many));
    const int expected = model_.prune_workers();
    std::erase_if(workers_, [this](std::int64_t worker) { return !model_.workers.contains(worker); });
    return differ("prune_workers", std::to_string(pruned), std::to_string(expected)) + compare_workers("prune_workers");
}

std::vector<std::int64_t> QueueSteps::reported_jobs() {
    std::vector<std::int64_t> jobs;
    for (const auto& row : queue_.database.psql("select job_id from task_queue.task_progress order by job_id"))
        jobs.push_back(std::stoll(row[0]));
    return jobs;
}

std::string QueueSteps::prune_progress(const Step&) {
    std::vector<std::int64_t> expected = reported_jobs();
    const auto old = std::erase_if(expected, [this](std::int64_t job) { return !model_.runs(job); });
    const int pruned = call(prune_task_progress(queue_.session, 0s, many));
    if (reported_jobs() != expected) return "prune_task_progress leaves other reports\n";
    return differ("prune_task_progress", std::to_string(pruned), std::to_string(old));
}

}  // namespace tests
