#include "tests/integration/queue_stateful_model.hpp"

#include <algorithm>
#include <bit>

using namespace queue;

namespace tests {

namespace {

int lowest(Mask jobs) {
    return std::countr_zero(static_cast<std::uint64_t>(jobs));
}

Mask lowest_of(Mask jobs, int wanted) {
    Mask taken = 0;
    for (; wanted > 0 && jobs != 0; --wanted, jobs &= jobs - 1) taken |= bit(lowest(jobs));
    return taken;
}

ModelRow piece_of(const ModelRow& row, Mask jobs) {
    ModelRow piece = row;
    piece.members = piece.pending = jobs;
    piece.cancel = row.cancel & jobs;
    piece.worker = piece.claim = 0;
    piece.strikes = 0;
    return piece;
}

void back_to_line(ModelRow& row, State state) {
    row.state = state;
    row.attempt = std::max(row.attempt - 1, 0);
    row.worker = row.claim = 0;
}

}  // namespace

void QueueModel::count(int batch, std::int64_t ModelBatch::* what, std::int64_t jobs) {
    if (batch < 0 || jobs == 0) return;
    batches.at(batch).*what += jobs;
    batches.at(batch).changed = true;
}

void QueueModel::end_job(std::int64_t row, const ModelRow& of, int n, State as) {
    const std::int64_t job = base_of(row) + n;
    ended[job] = as;
    if (as == State::completed) count(of.batch, &ModelBatch::completed, 1);
    if (as == State::cancelled) count(of.batch, &ModelBatch::cancelled, 1);
    if (as == State::discarded) {
        count(of.batch, &ModelBatch::discarded, 1);
        dead[job] = of;
    }
}

void QueueModel::end_row(Rows::iterator row) {
    for (int n = 0; n < max_bundle_jobs; ++n) {
        if ((row->second.members & bit(n)) != 0) ended[base_of(row->first) + n] = State::completed;
    }
    rows.erase(row);
}

void QueueModel::take_out(std::int64_t id) {
    ModelRow& row = rows.at(id);
    for (int n = 0; n < max_bundle_jobs; ++n) {
        if ((row.pending & bit(n)) != 0) end_job(id, row, n, State::cancelled);
    }
    row.members &= ~row.pending;
    end_row(rows.find(id));
}

void QueueModel::enqueue(const std::vector<std::int64_t>& ids, int bundle, const ModelRow& like) {
    for (std::size_t from = 0; from < ids.size(); from += static_cast<std::size_t>(bundle)) {
        const std::size_t jobs = std::min(ids.size() - from, static_cast<std::size_t>(bundle));
        ModelRow& row = rows[ids[from]] = like;
        row.members = row.pending = first_bits(static_cast<int>(jobs));
    }
    count(like.batch, &ModelBatch::total, static_cast<std::int64_t>(ids.size()));
}

std::optional<std::int64_t> QueueModel::find_unique(const std::string& key) const {
    for (const auto& [id, row] : rows) {
        if (!key.empty() && row.unique == key) return base_of(id) + lowest(row.pending);
    }
    return std::nullopt;
}

QueueModel::Rows::iterator QueueModel::first_in_line(State state) {
    auto first = rows.end();
    for (auto row = rows.begin(); row != rows.end(); ++row) {
        if (row->second.state != state) continue;
        if (first == rows.end() || row->second.priority < first->second.priority) first = row;
    }
    return first;
}

std::vector<ModelLease> QueueModel::claim(std::int64_t worker, std::int64_t number, int jobs) {
    std::vector<ModelLease> claimed;
    for (int left = jobs; left > 0 && workers.at(worker);) {
        const auto first = first_in_line(State::available);
        if (first == rows.end()) break;
        const std::int64_t id = first->first;
        ModelRow& row = first->second;
        const Mask taken = lowest_of(row.pending, left);
        // The rest is cut into pieces of the claim's size, all of it at once.
        for (Mask rest = row.pending & ~taken; rest != 0;) {
            const Mask piece = lowest_of(rest, jobs);
            rows[base_of(id) + lowest(piece)] = piece_of(row, piece);
            rest &= ~piece;
        }
        row.members &= ~(row.pending & ~taken);
        row.pending = taken;
        row.cancel &= taken;
        row.state = State::running;
        row.worker = worker;
        row.claim = number;
        ++row.attempt;
        claimed.push_back({worker, number, id, taken});
        left -= queue::count(taken);
    }
    return claimed;
}

std::vector<ModelLease> QueueModel::claim_whole(std::int64_t worker, std::int64_t number, int jobs) {
    std::vector<ModelLease> claimed;
    for (int left = jobs; left > 0 && workers.at(worker);) {
        const auto first = first_in_line(State::available);
        if (first == rows.end()) break;
        ModelRow& row = first->second;
        row.state = State::running;
        row.worker = worker;
        row.claim = number;
        ++row.attempt;
        claimed.push_back({worker, number, first->first, row.pending});
        left -= queue::count(row.pending);
    }
    return claimed;
}

std::optional<ModelLease> QueueModel::claim_suspect(std::int64_t worker, std::int64_t number) {
    const auto first = first_in_line(State::suspect);
    if (first == rows.end() || !workers.at(worker)) return std::nullopt;
    ModelRow& row = first->second;
    row.state = State::running;
    row.worker = worker;
    row.claim = number;
    ++row.attempt;
    ++row.strikes;
    return ModelLease{worker, number, first->first, row.pending};
}

bool QueueModel::holds(const ModelLease& lease) const {
    const auto row = rows.find(lease.row);
    return row != rows.end() && row->second.state == State::running && row->second.worker == lease.worker &&
           row->second.claim == lease.claim;
}

void QueueModel::finish(const ModelLease& lease, Mask done, const std::vector<Leaver>& leavers) {
    if (!holds(lease)) return;
    const ModelRow before = rows.at(lease.row);
    ModelRow& row = rows.at(lease.row);
    Mask went = 0;
    Rows again;
    for (const Leaver& leaver : leavers) {
        const Mask own = bit(leaver.n);
        if ((before.pending & own) == 0) continue;
        went |= own;
        const bool runs_again = leaver.as == Leave::retry || leaver.as == Leave::snooze;
        if (runs_again && (before.cancel & own) == 0) {
            const bool is_single = before.members == own && (lease.row & 63) == leaver.n;
            ModelRow& next = again[is_single ? lease.row : base_of(lease.row) + 64 + leaver.n] = piece_of(before, own);
            next.cancel = 0;
            if (leaver.as == Leave::snooze) next.attempt = std::max(next.attempt - 1, 0);
            next.state = leaver.after.count() == 0    ? State::available
                         : leaver.as == Leave::snooze ? State::scheduled
                                                      : State::retryable;
        } else {
            const bool completes = leaver.as == Leave::complete_with_result;
            const bool discards = leaver.as == Leave::discard;
            end_job(
                lease.row,
                before,
                leaver.n,
                completes  ? State::completed
                : discards ? State::discarded
                           : State::cancelled
            );
        }
    }
    const Mask did = before.pending & done & ~went;
    count(before.batch, &ModelBatch::completed, queue::count(did));
    row.members &= ~went;
    row.pending &= ~(did | went);
    row.cancel &= row.pending;
    if (row.pending == 0) end_row(rows.find(lease.row));
    rows.merge(again);
}

Mask QueueModel::release(const ModelLease& lease, Mask jobs) {
    if (!holds(lease)) return 0;
    ModelRow& row = rows.at(lease.row);
    const Mask kept = row.pending & ~jobs;
    if (kept == 0) {
        back_to_line(row, State::available);
        row.strikes = 0;
        return row.pending;
    }
    // Only the tail: what is below a job that goes on stays.
    const Mask gives = row.pending & jobs & ~(bit(lowest(kept)) - 1);
    if (gives == 0) return 0;
    ModelRow& piece = rows[base_of(lease.row) + lowest(gives)] = piece_of(row, gives);
    back_to_line(piece, State::available);
    row.members &= ~gives;
    row.pending &= ~gives;
    row.cancel &= ~gives;
    return gives;
}

std::int64_t QueueModel::release_claim(std::int64_t worker, std::int64_t number) {
    std::int64_t count = 0;
    for (auto& [id, row] : rows) {
        if (row.state != State::running || row.worker != worker || row.claim != number) continue;
        back_to_line(row, State::available);
        row.strikes = 0;
        ++count;
    }
    return count;
}

std::vector<ModelLease> QueueModel::requests(std::int64_t worker) const {
    std::vector<ModelLease> requests;
    for (const auto& [id, row] : rows) {
        if (row.state == State::running && row.worker == worker && row.cancel != 0 && workers.at(worker))
            requests.push_back({worker, row.claim, id, row.cancel});
    }
    return requests;
}

void QueueModel::rescue() {
    std::vector<std::int64_t> found;
    for (const auto& [id, row] : rows) {
        if (row.state == State::running && !workers.at(row.worker)) found.push_back(id);
    }
    for (const std::int64_t id : found) {
        ModelRow& row = rows.at(id);
        for (int n = 0; n < max_bundle_jobs; ++n) {
            if ((row.pending & bit(n)) == 0) continue;
            const bool stops = (row.cancel & bit(n)) != 0;
            if (!stops && row.strikes < 3) continue;
            end_job(id, row, n, stops ? State::cancelled : State::discarded);
            row.members &= ~bit(n);
            row.pending &= ~bit(n);
        }
        row.cancel = 0;
        if (row.pending == 0) {
            end_row(rows.find(id));
            continue;
        }
        const bool alone = row.rescues > 0;
        ++row.rescues;
        back_to_line(row, alone ? State::suspect : State::available);
        for (Mask rest = row.pending & (row.pending - 1); alone && rest != 0; rest &= rest - 1) {
            rows[base_of(id) + lowest(rest)] = piece_of(row, bit(lowest(rest)));
            row.members &= ~bit(lowest(rest));
            row.pending &= ~bit(lowest(rest));
        }
    }
}

void QueueModel::promote(int limit) {
    for (auto& [id, row] : rows) {
        if (row.state != State::scheduled && row.state != State::retryable) continue;
        if (limit-- <= 0) break;
        row.state = State::available;
    }
}

}  // namespace tests
