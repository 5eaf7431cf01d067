#pragma once

// One step of a random sequence: a call of a queue function, on the database and on the model at once.

#include "tests/integration/queue_stateful_model.hpp"
#include "tests/support/queue_fixture.hpp"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tests {

// What a step means depends on what there is when it runs, so that a sequence stays one when steps are left out.
struct Step {
    int call = 0;
    std::uint32_t a = 0, b = 0, c = 0;
};

std::vector<Step> random_steps(std::mt19937& random, std::size_t count);
std::string step_text(const Step& step);
// "" or what a call answered that it should not.
std::string differ(const std::string& what, const std::string& database, const std::string& model);

class QueueSteps {
public:
    explicit QueueSteps(QueueFixture& queue);  // an empty queue

    // "" or how database and model differ after the step.
    std::string run(const Step& step);
    // "" or which job has not the args that it was enqueued with.
    std::string check_args();

    using Verb = std::string (QueueSteps::*)(const Step& step);
    struct Call {
        const char* name;
        int weight;
        Verb verb;
    };
    static const std::vector<Call>& calls();

private:
    std::string enqueue_one(const Step& step);
    std::string enqueue_many(const Step& step);
    std::string copy(const Step& step);
    std::string claim(const Step& step);
    std::string claim_suspect(const Step& step);
    std::string finish(const Step& step);
    std::string finish_whole(const Step& step);
    std::string complete(const Step& step);
    std::string report(const Step& step);
    std::string report_by_sql(const Step& step);
    std::string release(const Step& step);
    std::string release_claim(const Step& step);
    std::string heartbeat(const Step& step);
    std::string add_worker(const Step& step);
    std::string kill(const Step& step);
    std::string retire(const Step& step);
    std::string rescue(const Step& step);
    std::string promote(const Step& step);
    std::string cancel(const Step& step);
    std::string cancel_many(const Step& step);
    std::string create_batch(const Step& step);
    std::string seal_batch(const Step& step);
    std::string seal_due(const Step& step);
    std::string cancel_batch(const Step& step);
    std::string cancel_remaining(const Step& step);
    std::string fold(const Step& step);
    std::string redrive(const Step& step);
    std::string purge(const Step& step);
    std::string prune_dead(const Step& step);
    std::string prune_batches(const Step& step);
    std::string prune_keys(const Step& step);
    std::string prune_workers(const Step& step);
    std::string prune_progress(const Step& step);
    std::string pause(const Step& step);
    void add_worker();
    void keep_one_alive();
    void forget(const std::vector<std::int64_t>& letters);
    std::vector<std::int64_t> reported_jobs();
    std::string compare_workers(const std::string& after);
    std::string compare();
    std::map<std::int64_t, std::int64_t> reported(const ModelLease& lease);
    static std::string batch_id(int batch);
    std::vector<std::string> some_args(std::size_t jobs);
    void remember(const std::vector<std::int64_t>& ids);
    int any_batch(std::uint32_t number) const;  // or none: -1
    std::int64_t any_worker(std::uint32_t number) const;
    const ModelLease& any_lease(std::uint32_t number) const;
    const ModelLease& any_lease_of_one(std::uint32_t number) const;
    template <class T>
    T call(boost::asio::awaitable<T> function) {
        return queue_.call(std::move(function));
    }

    QueueFixture& queue_;
    QueueModel model_;
    std::vector<std::int64_t> workers_;
    std::vector<ModelLease> leases_;  // those that ended, too
    std::vector<std::int64_t> jobs_;
    std::map<std::int64_t, std::int64_t> args_;               // by job
    std::map<std::string, std::vector<std::int64_t>> keyed_;  // ids by enqueue key
    std::int64_t next_args_ = 0;
    std::int64_t claims_ = 0;
    std::int64_t reports_ = 0;
    bool paused_ = false;
};

}  // namespace tests
