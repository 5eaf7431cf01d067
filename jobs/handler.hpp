#pragma once

// What a handler is: an awaitable function from a job's context to its outcome.

#include "jobs/context.hpp"
#include "jobs/counters.hpp"
#include "jobs/outcome.hpp"
#include "queue/transition.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace jobs {

// Runs one attempt. An exception is a retry with its message.
using Handler = std::function<boost::asio::awaitable<Outcome>(JobContext&)>;

using Backoff = queue::Backoff;

// How the jobs of one kind are run.
struct KindPolicy {
    std::optional<std::chrono::milliseconds> timeout{};  // of one attempt
    int concurrency = 0;                // jobs of the kind at once in this process; 0: no limit of its own
    std::optional<int> max_attempts{};  // overrides what the enqueue call gave
    Backoff backoff{};
    bool own_row = false;  // a row for each job, so that its handler may call complete_in
};

struct Kind {
    std::string name;
    Handler handler;
    KindPolicy policy{};
    // Ends what the handler keeps from job to job, such as programs; may be empty. Called once, when no job runs any
    // more, on the executor that ran them.
    std::function<boost::asio::awaitable<void>()> close{};
    std::shared_ptr<const ProgramCounters> programs{};  // what it counts, if it starts programs
    std::shared_ptr<const HttpCounters> http{};         // or calls URLs
};

// The kinds that a worker can run, by name.
class Registry {
public:
    // Throws: std::invalid_argument when the kind is there already.
    void add(Kind kind);
    const Kind* find(std::string_view name) const;
    std::vector<std::string> names() const;

private:
    std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace jobs
