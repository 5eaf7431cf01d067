// The steps of handlers that say how far they are.
#include "queue/progress.hpp"
#include "tests/integration/queue_stateful_steps.hpp"

#include <fmt/format.h>

#include <algorithm>

using namespace queue;

namespace tests {

// What is stored of a lease's jobs.
std::map<std::int64_t, std::int64_t> QueueSteps::reported(const ModelLease& lease) {
    std::vector<JobId> jobs;
    for (int n = 0; n < max_bundle_jobs; ++n) {
        if ((lease.jobs & bit(n)) != 0) jobs.push_back(JobId{base_of(lease.row) + n});
    }
    std::map<std::int64_t, std::int64_t> stored;
    for (const ReportedProgress& one : call(read_task_progress(queue_.session, jobs)))
        stored[static_cast<std::int64_t>(one.job)] = one.done;
    return stored;
}

// Of all jobs of a lease, those that have ended or are others' by now, too.
std::string QueueSteps::report(const Step& step) {
    if (leases_.empty()) return "";
    const ModelLease& lease = any_lease(step.a);
    const Mask held = model_.holds(lease) ? model_.rows.at(lease.row).pending : 0;
    auto expected = reported(lease);
    std::vector<TaskProgress> reports;
    std::vector<JobId> lost;
    for (int n = 0; n < max_bundle_jobs; ++n) {
        if ((lease.jobs & bit(n)) == 0) continue;
        const JobId job{base_of(lease.row) + n};
        reports.push_back({job, RowId{lease.row}, ClaimNumber{lease.claim}, ++reports_, 0, {}});
        if ((held & bit(n)) != 0) {
            expected[static_cast<std::int64_t>(job)] = reports_;
        } else {
            lost.push_back(job);
        }
    }
    auto answered = call(record_task_progress(queue_.session, WorkerId{lease.worker}, reports));
    std::ranges::sort(answered);
    if (answered != lost) return fmt::format("{} jobs are lost instead of {}\n", answered.size(), lost.size());
    return reported(lease) == expected ? "" : "what was reported is not what is stored\n";
}

std::string QueueSteps::report_by_sql(const Step& step) {
    if (jobs_.empty()) return "";
    const std::int64_t job = jobs_[step.a % jobs_.size()];
    const std::string answer = queue_.value(fmt::format("select task_queue.report_progress({}, {})", job, ++reports_));
    return answer == (model_.runs(job) ? "t" : "f")
               ? ""
               : fmt::format("report_progress of job {} answers {}\n", job, answer);
}

}  // namespace tests
