// The model's batches: how they are cancelled, sealed, folded and go on.
#include "tests/integration/queue_stateful_model.hpp"

using namespace queue;

namespace tests {

void QueueModel::cancel_batch(int batch) {
    ModelBatch& of = batches.at(batch);
    if (of.state == "finished") return;
    of.state = "cancelled";
    of.changed = true;
    std::vector<std::int64_t> waiting;
    for (auto& [id, row] : rows) {
        if (row.batch != batch) continue;
        if (row.state == State::running) {
            row.cancel = row.pending;
        } else {
            waiting.push_back(id);
        }
    }
    for (const std::int64_t id : waiting) take_out(id);
}

void QueueModel::cancel_remaining() {
    for (const auto& [id, batch] : batches) {
        if (batch.state != "cancelled") continue;
        const bool changed = batch.changed;
        const std::int64_t cancelled = batch.cancelled;
        cancel_batch(id);
        batches.at(id).changed = changed || batch.cancelled != cancelled;
    }
}

bool QueueModel::seal(int batch) {
    ModelBatch& of = batches.at(batch);
    if (of.state != "open") return false;
    of.state = "sealed";
    of.changed = true;
    return true;
}

int QueueModel::seal_due() {
    int sealed = 0;
    for (const auto& [id, batch] : batches) {
        if (batch.is_due && seal(id)) ++sealed;
    }
    return sealed;
}

std::vector<int> QueueModel::fold() {
    std::vector<int> finished;
    for (auto& [id, batch] : batches) {
        if (!batch.changed) continue;
        batch.changed = false;
        if (batch.redriven && batch.state == "finished") {
            ++batch.round;
            batch.state = "sealed";
        }
        batch.redriven = false;
        const bool closed = batch.state == "sealed" || batch.state == "cancelled";
        if (!closed || batch.total != batch.completed + batch.discarded + batch.cancelled) continue;
        batch.state = "finished";
        finished.push_back(id);
    }
    return finished;
}

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

}  // namespace tests
