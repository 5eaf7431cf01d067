#include "worker/cli/why_text.hpp"

#include "worker/cli/kinds.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <fmt/format.h>

#include <algorithm>

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

// Slots and limits of those that could run it.
void add_load(const Situation& situation, std::vector<Reason>& reasons) {
    int able = 0;
    int slots = 0;
    bool free_slot = false;
    bool below_limit = false;
    for (const queue::Worker& worker : situation.workers) {
        const std::vector one{worker};
        if (!why_unserved(situation.job.kind, situation.job.queue, one).empty()) continue;
        const auto load = std::ranges::find(situation.loads, worker.id, &queue::WorkerLoad::worker);
        const std::int64_t held = load == situation.loads.end() ? 0 : load->held;
        const std::int64_t from_queue = load == situation.loads.end() ? 0 : load->from_queue;
        ++able;
        slots += worker.slots;
        free_slot = free_slot || held < worker.slots;
        below_limit = below_limit || from_queue < situation.obstacles->queue_limit.value_or(worker.slots + 1);
    }
    if (able == 0) return;
    const std::string them = able == 1 ? "the one worker" : fmt::format("the {} workers", able);
    if (!free_slot) {
        reasons.push_back(
            {"busy", fmt::format("all {} slots of {} that can run it are taken (worker.concurrency)", slots, them)}
        );
    } else if (situation.obstacles->queue_limit && !below_limit) {
        reasons.push_back(
            {"queue_limit",
             fmt::format(
                 "its queue allows {} jobs at once in a worker, and {} that can run it have as many "
                 "(queues.{}.concurrency)",
                 *situation.obstacles->queue_limit,
                 them,
                 printable(situation.job.queue)
             )}
        );
    }
}

void add_line(const Situation& situation, std::vector<Reason>& reasons) {
    const queue::Obstacles& obstacles = *situation.obstacles;
    if (obstacles.suspect) {
        reasons.push_back({"suspect", "workers died while it ran: it runs alone, when a worker has nothing else"});
    } else if (obstacles.ahead > 0) {
        const bool one = obstacles.ahead == 1;
        const std::string count = fmt::format("{}{}", obstacles.more_ahead ? "more than " : "", obstacles.ahead);
        reasons.push_back({"behind", fmt::format("{} job{} before it", count, one ? " stands" : "s stand")});
    }
}

}  // namespace

std::vector<Reason> why_not_running(const Situation& situation) {
    const queue::JobDetails& job = situation.job;
    std::vector<Reason> reasons;
    if (!situation.obstacles) {
        const std::string at = job.finished_at ? " at " + show_time(*job.finished_at) : std::string();
        return {{"ended", fmt::format("it has ended: {}{}", job.state, at)}};
    }
    const queue::Obstacles& obstacles = *situation.obstacles;
    if (obstacles.batch_state == "cancelled") {
        reasons.push_back({"batch_cancelled", "its batch is cancelled: it will not run again"});
    }
    if (job.state == "running") {
        add_holder(situation, reasons);
        return reasons;
    }
    const std::string unserved = why_unserved(job.kind, job.queue, situation.workers);
    if (!unserved.empty()) reasons.push_back({"unserved", unserved});
    if (obstacles.paused) {
        reasons.push_back({"paused", "its queue is paused: task-worker queue resume " + printable(job.queue)});
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
