#pragma once

// Task progress on its way to the database: the latest of each job, written at most once a second. Pure.

#include "queue/progress.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace worker {

class ProgressBuffer {
public:
    using Time = std::chrono::steady_clock::time_point;

    void report(queue::TaskProgress progress) {
        latest_[static_cast<std::int64_t>(progress.job)] = std::move(progress);
    }
    // The job ended: its outcome says the rest.
    void forget(queue::JobId job) { latest_.erase(static_cast<std::int64_t>(job)); }
    // When it may be written; nothing when there is nothing to write.
    std::optional<Time> due() const {
        if (latest_.empty()) return std::nullopt;
        return next_;
    }
    std::vector<queue::TaskProgress> take(Time now) {
        std::vector<queue::TaskProgress> progress;
        progress.reserve(latest_.size());
        for (auto& [job, one] : latest_) progress.push_back(std::move(one));
        latest_.clear();
        next_ = now + std::chrono::seconds(1);
        return progress;
    }
    // What could not be written goes out with the next, unless the job has said more meanwhile.
    void put_back(queue::TaskProgress progress) {
        latest_.try_emplace(static_cast<std::int64_t>(progress.job), std::move(progress));
    }
    void clear() { latest_.clear(); }

private:
    std::unordered_map<std::int64_t, queue::TaskProgress> latest_;
    Time next_{};
};

}  // namespace worker
