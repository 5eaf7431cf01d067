#pragma once

// Enqueues without a pause, on a thread of its own: jobs that leave a witness and quick ones, alone, many and in
// batches (tests/workers/ledger_worker.cpp runs them). A call that fails ends it, and is told.

#include "tests/support/psql.hpp"

#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <utility>

namespace tests {

class LedgerProducer {
public:
    explicit LedgerProducer(std::string url) : url_(std::move(url)), thread_([this] { run(); }) {}
    ~LedgerProducer() { stop(); }
    LedgerProducer(const LedgerProducer&) = delete;
    LedgerProducer& operator=(const LedgerProducer&) = delete;

    void stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }
    int enqueued() const { return enqueued_; }               // callbacks of batches included
    const std::string& trouble() const { return trouble_; }  // after stop

private:
    void run() {
        try {
            for (int turn = 0; !stopping_; ++turn) {
                psql(
                    url_,
                    R"(select task_queue.enqueue('ledger', '{}'), task_queue.enqueue('ledger', '{"how": "again"}'))"
                );
                psql(url_, "select count(*) from task_queue.enqueue_many('noop', array_fill('{}'::json, array[50]))");
                enqueued_ += 52;
                if (turn % 10 != 0) continue;
                const std::string batch =
                    psql(url_, "select task_queue.create_batch(name => 'b', on_finish => 'noop')").at(0).at(0);
                psql(url_, "select task_queue.enqueue('ledger', '{}', batch_id => '" + batch + "')");
                psql(url_, "select task_queue.seal_batch('" + batch + "')");
                enqueued_ += 2;
            }
        } catch (const std::exception& error) {
            trouble_ = error.what();
        }
    }

    const std::string url_;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> enqueued_ = 0;
    std::string trouble_;
    std::thread thread_;
};

}  // namespace tests
