#include "worker/cli/why_text.hpp"

#include "worker/cli/count_text.hpp"
#include "worker/cli/error_text.hpp"
#include "worker/cli/kinds.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace worker::cli {

namespace {

std::string span_between(db::TimePoint from, db::TimePoint to) {
    return show_span(std::chrono::duration_cast<std::chrono::milliseconds>(to - from));
}

std::string name_of(const queue::Worker& worker) {
    return fmt::format(
        "worker {} ({}, process {})", static_cast<std::int64_t>(worker.id), printable(worker.host), worker.pid
    );
}

void add_holder(const Situation& situation, std::vector<Reason>& reasons) {
    const queue::JobDetails& job = situation.job;
    if (job.cancel_requested) reasons.push_back({"cancel_requested", "its worker was asked to stop it"});
    const std::string since = job.claimed_at ? ", since " + show_time(*job.claimed_at) : std::string();
    const auto holder =
        std::ranges::find_if(situation.workers, [&](const queue::Worker& one) { return one.id == job.worker; });
    if (holder == situation.workers.end()) {
        reasons.push_back(
            {"lost_worker", fmt::format("a worker that is not known any more holds it{}: see task-worker doctor", since)
            }
        );
        return;
    }
    const std::string name = name_of(*holder);
    if (holder->dead_at) {
        reasons.push_back(
            {"lost_worker",
             fmt::format(
                 "{} held it{} and died at {}: the worker that leads hands it back",
                 name,
                 since,
                 show_time(*holder->dead_at)
             )}
        );
        return;
    }
    reasons.push_back(
        {"running",
         fmt::format(
             "{} holds it{}; its last heartbeat was {} ago",
             name,
             since,
             span_between(holder->heartbeat_at, situation.obstacles->now)
         )}
    );
}

void add_time(const Situation& situation, std::vector<Reason>& reasons) {
    const queue::JobDetails& job = situation.job;
    if (!job.run_at) return;
    const db::TimePoint now = situation.obstacles->now;
    const bool retry = job.state == "retryable";
    const std::string before = retry ? fmt::format("attempt {} failed; ", job.attempt) : std::string();
    if (*job.run_at > now) {
        reasons.push_back(
            {retry ? "retry" : "scheduled",
             fmt::format("{}it is due at {}, in {}", before, show_time(*job.run_at), span_between(now, *job.run_at))}
        );
    } else if (!situation.obstacles->led) {
        reasons.push_back(
            {"no_leader",
             fmt::format(
                 "{}it was due at {}, but no worker leads and makes it available: start one with task-worker run",
                 before,
                 show_time(*job.run_at)
             )}
        );
    } else {
        reasons.push_back({"next", before + "it is due, and about to join its line"});
    }
}

// Slots and limits of those that could run it. One that is below all of them takes it.
void add_load(const Situation& situation, std::vector<Reason>& reasons) {
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    const std::optional<int> queue_limit = situation.obstacles->queue_limit;
    const std::int64_t of_queue = queue_limit ? *queue_limit : none;
    const std::int64_t of_kind = situation.policy.concurrency > 0 ? situation.policy.concurrency : none;
    int able = 0;
    int slots = 0;
    bool free_slot = false;
    bool below_queue = false;
    bool below_kind = false;
    for (const queue::Worker& worker : situation.workers) {
        const std::vector one{worker};
        if (!why_unserved(situation.job.kind, situation.job.queue, one).empty()) continue;
        const auto found = std::ranges::find(situation.loads, worker.id, &queue::WorkerLoad::worker);
        const queue::WorkerLoad load = found == situation.loads.end() ? queue::WorkerLoad{} : *found;
        ++able;
        slots += worker.slots;
        if (load.held >= worker.slots) continue;
        free_slot = true;
        if (load.from_queue >= of_queue) continue;
        below_queue = true;
        below_kind = below_kind || load.of_kind < of_kind;
    }
    if (able == 0) return;
    const std::string them = able == 1 ? "the one worker" : fmt::format("the {} workers", able);
    const std::string full = fmt::format("{} that can run it {} as many", them, able == 1 ? "has" : "have");
    const std::string queue = printable(situation.job.queue);
    const std::string kind = printable(situation.job.kind);
    if (!free_slot) {
        reasons.push_back(
            {"busy",
             fmt::format(
                 "no slot is free: {} that can run it {} {} (worker.concurrency)",
                 them,
                 able == 1 ? "has" : "have",
                 slots
             )}
        );
    } else if (!below_queue) {
        const std::string allows = fmt::format("its queue allows {} at once in a worker", count_of(of_queue, "job"));
        reasons.push_back({"queue_limit", fmt::format("{}, and {} (queues.{}.concurrency)", allows, full, queue)});
    } else if (!below_kind) {
        const std::string allows = fmt::format("its kind allows {} at once in a worker", count_of(of_kind, "job"));
        reasons.push_back({"kind_limit", fmt::format("{}, and {} (handlers.{}.concurrency)", allows, full, kind)});
    }
}

void add_line(const Situation& situation, std::vector<Reason>& reasons) {
    const queue::Obstacles& obstacles = *situation.obstacles;
    if (obstacles.suspect) {
        reasons.push_back({"suspect", "workers died while it ran: it runs alone, when a worker has nothing else"});
    } else if (obstacles.ahead > 0) {
        const bool one = obstacles.ahead == 1;
        const std::string count = fmt::format("{}{}", obstacles.more_ahead ? "at least " : "", obstacles.ahead);
        reasons.push_back({"behind", fmt::format("{} job{} before it", count, one ? " stands" : "s stand")});
    }
}

// And of a dead letter, how it runs again.
void add_end(const Situation& situation, std::vector<Reason>& reasons) {
    const queue::JobDetails& job = situation.job;
    const std::string at = job.finished_at ? " at " + show_time(*job.finished_at) : std::string();
    const std::string ended = fmt::format("it has ended: {}{}", job.state, at);
    if (job.state != "discarded") {
        reasons.push_back({"ended", ended});
        return;
    }
    const auto number = static_cast<std::int64_t>(job.id);
    reasons.push_back({"ended", ended + "; " + discard_reason(job, situation.policy.max_attempts)});
    if (job.error) {
        const std::string line = printable(telling_line(*job.error));
        reasons.push_back({"error", fmt::format("its error: {} (whole: task-worker job show {})", line, number)});
    }
    std::string again = fmt::format("to run it again: task-worker dead redrive {}", number);
    if (job.batch) again += "; with all others of its batch: task-worker batch redrive " + *job.batch;
    reasons.push_back({"redrive", again});
}

}  // namespace

std::vector<Reason> why_not_running(const Situation& situation) {
    const queue::JobDetails& job = situation.job;
    std::vector<Reason> reasons;
    if (!situation.obstacles) {
        add_end(situation, reasons);
        return reasons;
    }
    const queue::Obstacles& obstacles = *situation.obstacles;
    if (obstacles.batch_state == "cancelled") {
        const bool runs = job.state == "running";
        const char* then = runs ? "it will not run again" : "the worker that leads takes it out of the line";
        reasons.push_back({"batch_cancelled", fmt::format("its batch is cancelled: {}", then)});
    }
    if (job.state == "running") {
        add_holder(situation, reasons);
        return reasons;
    }
    const std::string unserved = why_unserved(job.kind, job.queue, situation.workers);
    if (!unserved.empty()) reasons.push_back({"unserved", unserved});
    if (obstacles.paused) {
        reasons.push_back({"paused", why_paused("its queue", job.queue)});
    }
    if (job.state != "available") {
        add_time(situation, reasons);
        return reasons;
    }
    add_load(situation, reasons);
    add_line(situation, reasons);
    if (reasons.empty()) reasons.push_back({"next", "nothing stands before it: a worker takes it at its next look"});
    return reasons;
}

}  // namespace worker::cli
