#pragma once

// The engine: one claimer feeds all slots of the process, and writes what became of their jobs.
//
// Finished jobs go out with the next claim, in one round trip and one transaction. Nothing of a round's answer is acted
// on before it arrived whole. While claims come back full a second round may start before the first is back: then the
// server works on one while this process, and the disk, work on the other.
//
// Thread: every member may be called from any thread; the mutex guards what the slots and the claimer share.

#include "db/pool.hpp"
#include "db/transaction_end.hpp"
#include "jobs/handler.hpp"
#include "queue/claim.hpp"
#include "queue/handlers.hpp"
#include "queue/names.hpp"
#include "queue/workers.hpp"
#include "worker/abandoned.hpp"
#include "worker/adaptive_mutex.hpp"
#include "worker/config.hpp"
#include "worker/cursors.hpp"
#include "worker/kinds_elsewhere.hpp"
#include "worker/line.hpp"
#include "worker/logging.hpp"
#include "worker/metrics.hpp"
#include "worker/outcomes.hpp"
#include "worker/pacing.hpp"
#include "worker/progress.hpp"
#include "worker/suspect_turn.hpp"
#include "worker/wakeup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace worker {

// What the engine is made of; all outlive it.
struct EngineParts {
    boost::asio::any_io_executor executor;
    db::Pool& pool;
    const Config& config;
    const jobs::Registry& registry;
    Metrics& metrics;
};

class Engine {
public:
    using Clock = std::chrono::steady_clock;

    explicit Engine(EngineParts parts);
    ~Engine();

    // Learns the queues' and kinds' numbers; adds what is missing. Throws: db::Error.
    boost::asio::awaitable<void> prepare();
    // Claims, runs and writes until it was told to stop and everything is written. `worker` holds the leases.
    boost::asio::awaitable<void> run(queue::WorkerId worker);

    // Something may have become available.
    void wake();
    // Rows from this one on became available again: the cursors step back.
    void came_back(queue::RowId first);
    // Asks running jobs to stop, and takes those out that have not started.
    void cancel(const std::vector<queue::CancelRequest>& requests);
    // Every lease is lost: handlers are told to stop, nothing of theirs is written. Claims stop until adopt().
    void lose_leases();
    // Goes on under a new worker id.
    void adopt(queue::WorkerId worker);
    // Asks handlers to stop whose time is up.
    void stop_overdue(Clock::time_point now);
    // Reads the queues again: paused ones are not claimed from. Throws: db::Error.
    boost::asio::awaitable<void> refresh_queues(db::Session& session);
    // Whether wake() is called for what is enqueued: looks at an empty line become rare.
    void set_listening(bool listening);

    enum class Phase {
        running,
        draining,   // nothing new; what was not started is handed back; running jobs may end
        interrupt,  // running jobs are asked to stop
        closing,    // what still runs is handed back; run() ends
    };
    void enter(Phase phase);
    // Whether every handler has returned. One that ignores its stop token may outlive run().
    bool has_ended() const;

    struct Snapshot {
        int running = 0;
        int unstarted = 0;
        int unwritten = 0;
        bool claiming = false;
    };
    Snapshot snapshot() const;
    // Tells the metrics of the attempts that ended since the last call: for a scrape, before it reads them.
    void count_ended();

private:
    struct Running {
        jobs::JobContext* context = nullptr;
        const HeldBundle* held = nullptr;
        queue::JobId job{};
        queue::RowId row{};
        queue::ClaimNumber claim{};
        Clock::time_point started;
        bool reported = false;
        bool handed_back = false;          // its outcome is nobody's business any more
        db::TransactionWatch completes{};  // complete_in was called in this transaction
    };
    // An outcome that may have to wait for its row's lock.
    struct Apart {
        queue::WorkerId worker{};
        queue::FinishedRow row;
    };
    // One of the places where jobs run. What it needs for one serves the next: a job costs one lock and no allocation
    // of the engine's own.
    struct Slot {
        std::list<Running> node{1};  // its element is in running_ while a job runs, at `running`
        std::list<Running>::iterator running = node.begin();
        Start start;
        std::optional<jobs::JobContext> context;  // of start's job
        std::optional<Apart> apart;
    };
    // What one round trip takes along.
    struct Round {
        queue::WorkerId worker{};
        std::vector<queue::FinishedRow> whole;  // rows of which nothing is left
        std::vector<queue::FinishedRow> finished;
        std::vector<queue::Unstarted> released;
        std::vector<queue::TaskProgress> progress;
        queue::ClaimRequest request;
        bool claims = false;
        bool wants_suspect = false;
        bool looks_for_suspects = false;
        bool clears_hungry = false;
        bool may_overlap = false;
        std::optional<Cursors::Window> sweep;  // looks behind the cursors, beside the other rounds
        bool from_start = false;
        Clock::time_point sent;
    };
    struct Answer {
        std::vector<queue::RowId> unfinished;  // of round.whole
        std::vector<queue::RowId> lost;
        std::vector<queue::JobId> lost_jobs;  // of round.progress
        std::vector<queue::Bundle> bundles;
        bool alone = false;
        bool suspect_waits = false;
    };
    // Jobs of a kind without a handler here.
    struct Unknown {
        queue::Unstarted jobs;
        queue::KindInQueue of;
    };

    Load load() const;  // under the mutex
    bool is_done() const;
    Round plan(Clock::time_point now);
    std::optional<Round> plan_sweep(Clock::time_point now);
    void request(Round& round, int wanted, Clock::time_point now);
    boost::asio::awaitable<Answer> exchange(Round& round);
    boost::asio::awaitable<void> settle(Round round);
    boost::asio::awaitable<void> settle_beside(Round round);
    boost::asio::awaitable<void> write_by_halves(queue::WorkerId worker, std::vector<queue::FinishedRow> rows);
    boost::asio::awaitable<void> write(queue::WorkerId worker, const std::vector<queue::FinishedRow>& rows);
    void accept(Round& round, Answer answer);
    void failed(Round round, const db::Error& error);
    void hold(std::shared_ptr<HeldBundle> held, Clock::time_point now);
    boost::asio::awaitable<void> return_unknown();
    void hand_back_unstarted();
    std::vector<queue::KindId> full_kinds(const std::vector<queue::LaneCursor>& lanes);
    void make_room(RunnableKind& kind);
    bool take_queues(const std::vector<queue::Queue>& queues);
    std::vector<queue::LaneCursor> lanes(const Round& round, Clock::time_point now);
    bool has_room_for_suspect(const Load& load) const;
    bool wants_suspect(const Round& round, const Load& load, Clock::time_point now) const;
    void take_claim(const Round& round, const std::vector<std::shared_ptr<HeldBundle>>& claimed, Clock::time_point now);
    void move_cursors(
        const Round& round, const std::vector<std::shared_ptr<HeldBundle>>& claimed, bool full, Clock::time_point now
    );
    int largest_claim() const;
    bool can_release() const;

    void start_slots();
    boost::asio::awaitable<void> run_slot();
    bool start_next(Slot& slot, Clock::time_point now);
    void end(Slot& slot, jobs::Outcome outcome, Clock::time_point now);
    void report_progress(const jobs::Job& job, const jobs::Progress& progress);
    Running* find_running(const jobs::Job& job);
    boost::asio::awaitable<void> complete_in(
        const jobs::Job& job, db::Session& session, std::optional<boost::json::value> result
    );
    bool has_completed(Slot& slot, jobs::Outcome& outcome);
    void leave(Slot& slot, queue::Leaver leaver, Clock::time_point now);
    boost::asio::awaitable<void> write_apart(Apart apart);
    bool is_over(queue::WorkerId worker) const;
    jobs::ContextHooks context_hooks();
    void log_failure(const jobs::Job& job, const queue::Leaver& leaver) const;
    queue::WorkerId worker_id() const;
    void finish_otherwise(
        std::vector<queue::FinishedRow> whole, const std::vector<queue::RowId>& unfinished, Clock::time_point now
    );
    void drop_lost(const std::vector<queue::RowId>& lost, const std::vector<queue::FinishedRow>& finished);
    void stop_lost(const std::vector<queue::JobId>& lost, const std::vector<queue::TaskProgress>& progress);
    boost::asio::awaitable<void> release_abandoned();
    bool is_ours(const HeldBundle& held) const { return !suspended_ && held.worker == worker_; }
    std::optional<Clock::time_point> next_round(Clock::time_point now);
    bool may_sweep(Clock::time_point now) const;
    std::optional<Clock::time_point> next_sweep(Clock::time_point now) const;
    void hand_back_aged(Clock::time_point now);

    EngineParts parts_;
    Wakeup wakeup_;
    std::map<std::string, RunnableKind, std::less<>> kinds_;  // of the registry, by name
    const queue::FinishOptions keep_;
    const jobs::ContextHooks hooks_;

    mutable AdaptiveMutex mutex_;                    // guards all below, and the counts in kinds_
    std::map<queue::QueueId, queue::Queue> queues_;  // those this worker serves
    Line line_;
    Outcomes outcomes_;
    ProgressBuffer progress_;
    Pacing pacing_;
    Cursors cursors_;
    bool sweeping_ = false;        // a sweep is on its way
    bool asking_suspect_ = false;  // a round that may bring a suspect is: nothing may come beside it
    std::unordered_map<queue::KindId, RunnableKind*> kinds_by_id_;
    std::vector<queue::KindId> own_row_;
    std::vector<std::pair<queue::KindId, RunnableKind*>> limited_kinds_;
    // After a lost lease one job may run twice here, the older run being told to stop.
    std::list<Running> running_;
    std::vector<queue::Unstarted> releases_;  // interrupted or dropped, to be handed back
    Abandoned abandoned_;                     // claims whose answer never came
    std::mt19937_64 random_;
    queue::WorkerId worker_{};
    std::int64_t last_claim_ = 0;
    int slots_ = 0;   // running slot coroutines
    int rounds_ = 0;  // round trips on their way
    int asked_ = 0;   // jobs that they ask for
    int apart_ = 0;   // outcomes that are written by themselves
    Phase phase_ = Phase::running;
    bool suspended_ = false;          // without leases until adopt()
    bool hungry_ = false;             // producers notify this worker
    Clock::time_point full_since_{};  // since when claims come back full
    bool alone_ = false;              // a suspect runs: nothing beside it
    SuspectTurn suspect_turn_;
    std::vector<Unknown> unknown_;  // claimed without a handler, to be given back
    KindsElsewhere elsewhere_;
    Clock::time_point next_suspect_{};       // at a wake-up, which a rescue sends
    Clock::time_point next_idle_suspect_{};  // without one: rarer and rarer
    double jobs_per_row_ = 1.0;
    Clock::duration quickest_round_trip_{0
    };  // of a statement that does nothing: what looks take besides is the server's work
    std::size_t first_queue_ = 0;      // rotates, so that queues of one priority take turns
    Clock::time_point quiet_until_{};  // after a failed round
    std::chrono::milliseconds retry_delay_{0};
    SayOnce trouble_;
};

}  // namespace worker
