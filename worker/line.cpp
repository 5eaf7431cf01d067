#include "worker/line.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace worker {

using queue::bit;
using queue::Mask;

namespace {
int lowest(Mask mask) {
    return std::countr_zero(static_cast<std::uint64_t>(mask));
}

int room(int limit, int running) {
    return limit == 0 ? std::numeric_limits<int>::max() : std::max(0, limit - running);
}
}  // namespace

void Line::set_queue_limit(queue::QueueId queue, int concurrency) {
    queues_[queue].limit = concurrency;
    limited_ = limited_ || concurrency > 0;
}

void Line::add(std::shared_ptr<HeldBundle> held) {
    limited_ = limited_ || held->kind->kind->policy.concurrency > 0;
    const int jobs = queue::count(held->unstarted);
    unstarted_ += jobs;
    unstarted_bytes_ += held->args.bytes();
    held->kind->unstarted += jobs;
    held->use = &queues_[held->bundle.queue];  // a map's elements stay where they are
    held->use->unstarted += jobs;
    const auto priority = static_cast<std::size_t>(std::clamp<int>(held->bundle.priority, 0, 9));
    by_priority_[priority].push_back(std::move(held));
}

bool Line::may_start(const HeldBundle& held) const {
    return room(held.kind->kind->policy.concurrency, held.kind->running) > 0 &&
           room(held.use->limit, held.use->running) > 0;
}

std::optional<Start> Line::next() {
    for (auto& lane : by_priority_) {
        for (auto it = lane.begin(); it != lane.end();) {
            if ((*it)->unstarted == 0) {  // emptied by drop()
                it = lane.erase(it);
                continue;
            }
            if (!may_start(**it)) {
                ++it;
                continue;
            }
            HeldBundle& held = **it;
            // Ascending, so that what a stopping worker hands back is always the tail of its row.
            Start start{*it, lowest(held.unstarted)};
            remove(held, bit(start.n));
            held.running |= bit(start.n);
            ++running_;
            ++held.kind->running;
            ++held.use->running;
            if (held.unstarted == 0) lane.erase(it);
            return start;
        }
    }
    return std::nullopt;
}

void Line::ended(HeldBundle& held, int n) {
    held.running &= ~bit(n);
    --running_;
    --held.kind->running;
    --held.use->running;
}

void Line::remove(HeldBundle& held, Mask jobs) {
    if (jobs == 0) return;
    held.unstarted &= ~jobs;
    if (held.unstarted == 0) unstarted_bytes_ -= held.args.bytes();
    unstarted_ -= queue::count(jobs);
    held.kind->unstarted -= queue::count(jobs);
    held.use->unstarted -= queue::count(jobs);
}

std::vector<queue::Unstarted> Line::drop_unstarted(Time before) {
    return drop(before, false);
}

std::vector<queue::Unstarted> Line::drop_held_back(Time before) {
    if (!limited_) return {};
    return drop(before, true);
}

std::vector<queue::Unstarted> Line::drop(Time before, bool held_back_only) {
    std::vector<queue::Unstarted> dropped;
    for (auto& lane : by_priority_) {
        for (const auto& held : lane) {
            if (held->unstarted == 0 || held->since >= before || (held_back_only && may_start(*held))) continue;
            dropped.push_back({held->bundle.id, held->claim, held->unstarted});
            remove(*held, held->unstarted);
        }
        std::erase_if(lane, [](const auto& held) { return held->unstarted == 0; });
    }
    return dropped;
}

bool Line::has_room(queue::QueueId queue) const {
    const auto use = queues_.find(queue);
    return use == queues_.end() || room(use->second.limit, use->second.running + use->second.unstarted) > 0;
}

std::optional<Line::Time> Line::oldest() const {
    return oldest(false);
}

std::optional<Line::Time> Line::oldest_held_back() const {
    if (!limited_) return std::nullopt;
    return oldest(true);
}

std::optional<Line::Time> Line::oldest(bool held_back_only) const {
    std::optional<Time> oldest;
    for (const auto& lane : by_priority_) {
        const auto first = std::ranges::find_if(lane, [&](const auto& held) {
            return held->unstarted != 0 && !(held_back_only && may_start(*held));
        });
        if (first != lane.end()) oldest = std::min(oldest.value_or((*first)->since), (*first)->since);
    }
    return oldest;
}

Mask Line::drop(queue::RowId row, queue::ClaimNumber claim, Mask jobs) {
    for (auto& lane : by_priority_) {
        for (const auto& held : lane) {
            if (held->bundle.id != row || held->claim != claim) continue;
            const Mask found = held->unstarted & jobs;
            remove(*held, found);
            return found;
        }
    }
    return 0;
}

int Line::startable() const {
    if (!limited_) return unstarted_;
    std::map<const RunnableKind*, int> room_of_kind;
    std::map<const QueueUse*, int> room_of_queue;
    int jobs = 0;
    for (const auto& lane : by_priority_) {
        for (const auto& held : lane) {
            int& kind =
                room_of_kind.try_emplace(held->kind, room(held->kind->kind->policy.concurrency, held->kind->running))
                    .first->second;
            int& queue = room_of_queue.try_emplace(held->use, room(held->use->limit, held->use->running)).first->second;
            const int fits = std::min({queue::count(held->unstarted), kind, queue});
            jobs += fits;
            kind -= fits;
            queue -= fits;
        }
    }
    return jobs;
}

}  // namespace worker
