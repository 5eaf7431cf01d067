#include "worker/cursors.hpp"

#include <algorithm>
#include <limits>

namespace worker {

using queue::RowId;
using namespace std::chrono_literals;

namespace {
constexpr auto age = 2s;            // how long ago claims stood where the next begin,
constexpr std::size_t far = 8'000;  // or how many rows ago
constexpr auto grain = 200ms;       // between two stands,
constexpr std::size_t few = 1'000;  // or so many rows
constexpr auto dear = 5ms;          // a look at nothing that takes longer makes the cursor worth having
constexpr auto cheap = 2ms;
constexpr auto longest = 100ms;  // of one window: wider ones are halved
constexpr int share = 20;        // sweeps take a twentieth of the time at most
constexpr std::int64_t narrowest = 128 * 1'000;
constexpr std::int64_t widest = std::int64_t{1} << 60;

RowId shifted(RowId row, std::int64_t by) {
    const auto id = static_cast<std::int64_t>(row);
    return RowId{
        id > std::numeric_limits<std::int64_t>::max() - by ? std::numeric_limits<std::int64_t>::max() : id + by
    };
}
}  // namespace

RowId Cursors::after(queue::QueueId queue, std::int16_t priority, Time now) const {
    const auto found = lanes_.find({queue, priority});
    if (found == lanes_.end()) return {};
    const Lane& lane = found->second;
    if (lane.latest.at <= now - age) return lane.latest.row;
    RowId row{};
    for (const Stand& stand : lane.stands) {
        if (stand.at > now - age && lane.latest.taken - stand.taken < far) break;
        row = stand.row;
    }
    return row;
}

void Cursors::claimed(queue::QueueId queue, std::int16_t priority, RowId last, std::size_t rows, Time now) {
    Lane& lane = lanes_[{queue, priority}];
    lane.latest = {now, std::max(last, lane.latest.row), lane.latest.taken + rows};
    const auto is_past = [&](const Stand& stand) {
        return stand.at <= now - age || lane.latest.taken - stand.taken >= far;
    };
    while (lane.stands.size() > 1 && is_past(lane.stands[1])) lane.stands.pop_front();
    if (lane.stands.empty() || now - lane.stands.back().at >= grain ||
        lane.latest.taken - lane.stands.back().taken >= few)
        lane.stands.push_back(lane.latest);
}

void Cursors::step_back(RowId row) {
    const RowId before{static_cast<std::int64_t>(row) - 1};
    for (auto& [name, lane] : lanes_) {
        lane.latest.row = std::min(lane.latest.row, before);
        for (Stand& stand : lane.stands) stand.row = std::min(stand.row, before);
    }
}

void Cursors::looked(Duration took, Time now) {
    quickest_look_ = std::min(quickest_look_, took);
    if (now - looking_since_ < 1s) return;
    if (looking_since_ != Time{} && quickest_look_ > dear) costly_ = true;
    looking_since_ = now;
    quickest_look_ = Duration::max();
}

RowId Cursors::end(Time now) const {
    RowId end{};
    for (const auto& [name, lane] : lanes_) end = std::max(end, after(name.first, name.second, now));
    return end;
}

std::optional<Cursors::Time> Cursors::due(Time now) const {
    const bool is_needed = position_ != RowId{} || begun_at_ != wakes_;
    return is_needed && end(now) > RowId{} ? std::optional(next_) : std::nullopt;
}

std::optional<Cursors::Window> Cursors::sweep(Time now) {
    if (now < next_) return std::nullopt;
    const RowId end = this->end(now);
    if (end <= RowId{}) return std::nullopt;
    const RowId after = position_ < end ? position_ : RowId{};
    if (after == RowId{}) begun_at_ = wakes_;
    return Window{after, std::min(end, shifted(after, width_))};
}

void Cursors::swept(const Window& window, bool emptied, Duration took, Time now) {
    const bool whole = window.after == RowId{} && window.until >= end(now);
    if (took > longest) width_ = std::max(width_ / 2, narrowest);
    if (took < longest / 4) width_ = std::min(width_ * 2, widest);
    if (took > dear) costly_ = true;
    if (whole && took < cheap) costly_ = false;
    next_ = now + (share - 1) * took;
    if (!emptied) return;  // the same window again
    position_ = window.until;
    if (position_ >= end(now)) {
        position_ = RowId{};
        next_ = std::max(next_, now + interval_);
    }
}

}  // namespace worker
