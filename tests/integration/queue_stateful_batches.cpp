// The model's batches: how they are cancelled, sealed and folded.
#include "tests/integration/queue_stateful_model.hpp"

#include <limits>

using namespace queue;

namespace tests {

void QueueModel::cancel_batch(int batch) {
    ModelBatch& of = batches.at(batch);
    if (of.state == "finished") return;
    of.state = "cancelled";
    of.changed = true;
    cancel_jobs({
        .batch = batch,
        .upto = std::numeric_limits<std::int64_t>::max(),
        .limit = static_cast<int>(rows.size()),
    });
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

}  // namespace tests
