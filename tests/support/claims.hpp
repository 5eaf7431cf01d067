#pragma once

// Claims to ask for, and what they brought.

#include "queue/bundle.hpp"
#include "queue/claim.hpp"
#include "tests/support/catch.hpp"

#include <cstdint>
#include <vector>

namespace tests {

inline std::vector<queue::JobId> jobs_of(const std::vector<queue::Bundle>& bundles) {
    std::vector<queue::JobId> jobs;
    for (const queue::Bundle& bundle : bundles) {
        for (int n = 0; n < queue::max_bundle_jobs; ++n) {
            if ((bundle.pending & queue::bit(n)) != 0) jobs.push_back(queue::job_id(bundle.id, n));
        }
    }
    return jobs;
}

inline queue::ClaimRequest request_of(queue::WorkerId worker, std::int64_t claim, int jobs) {
    queue::ClaimRequest request;
    request.worker = worker;
    request.claim = queue::ClaimNumber{claim};
    request.lanes = {{.queue = queue::QueueId{1}, .priority = 4}};
    request.jobs = jobs;
    request.rows = jobs;
    return request;
}

// A small claim may cut its last row, a large one does not: they are two statements. Runs the test case for both.
inline int small_or_large(int small) {
    return GENERATE(true, false) ? small : 2'000;
}

}  // namespace tests
