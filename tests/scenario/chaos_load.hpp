#pragma once

// The mixed load of the chaos test: programs that complete, retry, snooze and are discarded, alone and in batches, some
// of them cancelled; jobs that complete in their handlers' transactions (tests/workers/ledger_worker.cpp); and bursts
// of quick jobs, so that there is always something to be written, some of them large enough for claims that take whole
// rows (queue/claim_whole.cpp). Every call is repeated until the server has said yes, so that the books are exact.

#include "tests/support/temporary_folder.hpp"

#include <atomic>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace tests {

class ChaosLoad {
public:
    ChaosLoad(std::string direct_url, std::uint64_t seed);  // begins at once, on a thread of its own
    ~ChaosLoad();
    ChaosLoad(const ChaosLoad&) = delete;
    ChaosLoad& operator=(const ChaosLoad&) = delete;

    void stop();         // seals the batches that are open; returns when the books are closed
    void large_burst();  // quick jobs for claims that take whole rows; from outside only after stop

    struct Books {
        std::int64_t jobs = 0;    // of kind `chaos`, programs
        std::int64_t ledger = 0;  // of kind `ledger`, in transactions
        std::int64_t quick = 0;   // of kind `noop`, not urgent ones
        std::int64_t batches = 0;
        std::int64_t batch_jobs = 0;
        std::int64_t cancels = 0;  // asked for
    };
    const Books& books() const { return books_; }  // after stop
    std::int64_t runs() const;                     // of programs, so far
    std::int64_t repeats() const;                  // of these: one attempt run again, its end having been lost
    bool ran_twice_at_once() const;

    const std::string& folder() const { return folder_.path(); }  // its config.yml declares the kind
    std::vector<std::string> arguments() const { return {"--config", folder() + "/config.yml"}; }

private:
    void run();
    void enqueue();
    void enqueue_ledger();
    // Jobs of the kind that do as `behaviours` say, most of them alone, half of them in a batch. Answers how many.
    int enqueue(const std::string& kind, const std::string& member, std::span<const char* const> behaviours);
    void burst();
    void enqueue_quick(int jobs, int bundle);
    void open_batch();
    void seal_batch();
    void cancel();
    std::string insist(const std::string& sql);
    int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

    const std::string url_;
    TemporaryFolder folder_;
    std::mt19937_64 random_;
    Books books_;
    std::vector<std::string> ids_;
    std::vector<std::string> open_batches_;
    std::int64_t calls_ = 0;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

}  // namespace tests
