#pragma once

// Why a job does not run, in words. Pure.

#include "jobs/handler.hpp"
#include "queue/read_job.hpp"
#include "queue/why.hpp"
#include "queue/workers.hpp"

#include <optional>
#include <string>
#include <vector>

namespace worker::cli {

struct Situation {
    queue::JobDetails job;
    std::optional<queue::Obstacles> obstacles;  // empty: the job is not live
    std::vector<queue::Worker> workers;
    std::vector<queue::WorkerLoad> loads;
    jobs::KindPolicy policy;  // of its kind, in this configuration
};

struct Reason {
    std::string code;  // as help_steer.hpp lists them
    std::string text;
};

// Every reason, that which must be dealt with first at the front; at least one.
std::vector<Reason> why_not_running(const Situation& situation);

}  // namespace worker::cli
