#pragma once

// The jobs that this process has claimed and not started, in the order in which they will start: most urgent first,
// then as claimed. It holds the limits per kind and per queue. Pure: no I/O, no clock, no lock (the engine's mutex
// guards it).

#include "jobs/handler.hpp"
#include "queue/bundle.hpp"
#include "queue/claim.hpp"
#include "queue/release.hpp"
#include "worker/args.hpp"
#include "worker/metrics.hpp"

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace worker {

// A kind, as this process runs it.
struct RunnableKind {
    const jobs::Kind* kind = nullptr;
    const KindMetrics* metrics = nullptr;
    int running = 0;
    int unstarted = 0;
    AttemptTally tally{};                         // not yet told to `metrics`
    std::optional<queue::RowId> skipped_after{};  // claims passed over its jobs, from this row on

    // Whether its limit leaves no room for jobs that are not here yet.
    bool is_full() const { return kind->policy.concurrency > 0 && running + unstarted >= kind->policy.concurrency; }
};

// What a queue's jobs are doing here.
struct QueueUse {
    int limit = 0;
    int running = 0;
    int unstarted = 0;
};

// A claimed row.
struct HeldBundle {
    queue::Bundle bundle;
    queue::ClaimNumber claim{};
    ArgsText args;  // the bundle's own are moved here
    RunnableKind* kind = nullptr;
    QueueUse* use = nullptr;                        // of its queue, set by the line
    std::string queue;                              // name
    std::string traceparent;                        // of the enqueue call, or empty
    queue::WorkerId worker{};                       // under whose id it was claimed
    std::chrono::steady_clock::time_point since{};  // when it was claimed
    queue::Mask unstarted = 0;
    queue::Mask running = 0;
    queue::Mask uncompleted = 0;  // of all that was claimed
};

struct Start {
    std::shared_ptr<HeldBundle> held;
    int n = 0;  // the job's number in its bundle
};

class Line {
public:
    using Time = std::chrono::steady_clock::time_point;

    // Jobs of this queue that may run at once here; 0 means no limit.
    void set_queue_limit(queue::QueueId queue, int concurrency);

    void add(std::shared_ptr<HeldBundle> held);
    // The next job that its kind's and its queue's limit let start, counted as running from now on.
    std::optional<Start> next();
    void ended(HeldBundle& held, int n);

    // Takes out every job that was not started, or only those claimed before a time: to be handed back.
    std::vector<queue::Unstarted> drop_unstarted(Time before = Time::max());
    // Of those only the ones that the limit of their kind or queue holds back.
    std::vector<queue::Unstarted> drop_held_back(Time before);
    // Takes these jobs of a claimed row out: cancelled before they started, or their lease is lost. Answers those it
    // found.
    queue::Mask drop(queue::RowId row, queue::ClaimNumber claim, queue::Mask jobs);
    // Whether the queue's limit leaves room for jobs that are not here yet.
    bool has_room(queue::QueueId queue) const;
    // When the oldest of those was claimed that were not started; nothing when there are none.
    std::optional<Time> oldest() const;
    std::optional<Time> oldest_held_back() const;  // of those that a limit holds back

    int unstarted() const { return unstarted_; }
    std::size_t unstarted_bytes() const { return unstarted_bytes_; }  // of args of rows with jobs not started
    int running() const { return running_; }
    // How many jobs could start now, were there slots without end.
    int startable() const;

private:
    bool may_start(const HeldBundle& held) const;
    void remove(HeldBundle& held, queue::Mask jobs);
    std::vector<queue::Unstarted> drop(Time before, bool held_back_only);
    std::optional<Time> oldest(bool held_back_only) const;

    std::array<std::deque<std::shared_ptr<HeldBundle>>, 10> by_priority_;  // as claimed
    bool limited_ = false;                                                 // some kind or queue here has a limit
    std::map<queue::QueueId, QueueUse> queues_;
    int unstarted_ = 0;
    std::size_t unstarted_bytes_ = 0;
    int running_ = 0;
};

}  // namespace worker
