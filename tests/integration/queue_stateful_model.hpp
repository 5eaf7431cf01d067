#pragma once

// The queue as its headers promise it, in memory: what each call does to rows, jobs and batches. No clock: what is
// scheduled stays so until it is promoted.

#include "queue/bundle.hpp"
#include "queue/finish.hpp"
#include "queue/transition.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tests {

using queue::Mask;

struct ModelRow {
    Mask members = 0;
    Mask pending = 0;
    Mask cancel = 0;
    queue::State state = queue::State::available;
    int attempt = 0;
    int rescues = 0;
    int strikes = 0;
    int priority = 4;
    int batch = -1;
    std::int64_t worker = 0;  // while it runs
    std::int64_t claim = 0;
    std::string unique{};
};

struct ModelBatch {
    std::string state = "open";
    int round = 1;
    bool is_due = false;    // to be sealed by the leader
    bool changed = false;   // something is not folded yet
    bool redriven = false;  // and a redrive is among it
    std::int64_t total = 0, completed = 0, discarded = 0, cancelled = 0;
};

struct ModelLease {
    std::int64_t worker = 0;
    std::int64_t claim = 0;
    std::int64_t row = 0;
    Mask jobs = 0;
};

// Which jobs to cancel, and then how many of them.
struct ModelFilter {
    int batch = -1;  // any
    std::optional<queue::State> state{};
    std::int64_t after = 0, upto = 0;  // rows
    int limit = 0;
};

struct ModelCancel {
    std::int64_t waiting = 0, running = 0;
    std::int64_t last = 0;  // row
};

class QueueModel {
public:
    // What one enqueue call gives all its jobs. The ids are what the queue answered, in rows of `bundle` jobs.
    void enqueue(const std::vector<std::int64_t>& ids, int bundle, const ModelRow& like);
    // The live job with this unique key.
    std::optional<std::int64_t> find_unique(const std::string& key) const;
    bool is_open(int batch) const { return batch < 0 || batches.at(batch).state == "open"; }

    std::vector<ModelLease> claim(std::int64_t worker, std::int64_t number, int jobs);
    // The same of a large claim, which cuts no row.
    std::vector<ModelLease> claim_whole(std::int64_t worker, std::int64_t number, int jobs);
    std::optional<ModelLease> claim_suspect(std::int64_t worker, std::int64_t number);
    bool holds(const ModelLease& lease) const;
    void finish(const ModelLease& lease, Mask done, const std::vector<queue::Leaver>& leavers);
    Mask release(const ModelLease& lease, Mask jobs);
    std::int64_t release_claim(std::int64_t worker, std::int64_t number);
    // Worker, claim, jobs asked to stop, row by row.
    std::vector<ModelLease> requests(std::int64_t worker) const;
    void kill(std::int64_t worker) { workers.at(worker) = false; }
    void rescue();
    void promote(int rows);
    std::string cancel(std::int64_t job);
    ModelCancel cancellable(const ModelFilter& filter) const;
    ModelCancel cancel_jobs(const ModelFilter& filter);
    void cancel_batch(int batch);
    void cancel_remaining();
    bool seal(int batch);
    int seal_due();
    std::vector<int> fold();  // those that finished
    bool redrive(std::int64_t job);
    void purge(std::int64_t job);
    int prune_batches();
    int prune_workers();
    bool runs(std::int64_t job) const;

    // Line by line what the database is asked for, too.
    std::string rows_text() const;
    std::string ended_text() const;
    std::string batches_text() const;

    std::map<std::int64_t, ModelRow> rows;       // by id
    std::map<std::int64_t, queue::State> ended;  // jobs that left the live rows
    std::map<std::int64_t, ModelRow> dead;       // what a dead letter keeps, by job
    std::map<int, ModelBatch> batches;
    std::map<std::int64_t, bool> workers;  // whether it lives

private:
    using Rows = std::map<std::int64_t, ModelRow>;
    Rows::iterator first_in_line(queue::State state);
    void count(int batch, std::int64_t ModelBatch::* what, std::int64_t jobs);
    void end_job(std::int64_t row, const ModelRow& of, int n, queue::State as);
    void end_row(Rows::iterator row);  // what completed in it is history now
    void take_out(std::int64_t row);   // cancels all that is pending
};

}  // namespace tests
