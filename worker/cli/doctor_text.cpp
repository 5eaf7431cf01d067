#include "worker/cli/doctor_text.hpp"

#include "worker/cli/count_text.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <fmt/format.h>

#include <cstdlib>

using namespace std::chrono_literals;

namespace worker::cli {

namespace {

Findings unless_empty(Findings findings, const char* check, const char* all_well) {
    if (findings.empty()) findings.push_back({check, true, all_well});
    return findings;
}

std::string horizon_advice(const db::HorizonHolder& holder) {
    if (holder.what == "replication slot") {
        return "let its reader catch up, or drop it: select pg_drop_replication_slot('" + holder.name + "')";
    }
    if (holder.what == "prepared transaction") return "finish it: rollback prepared '" + holder.name + "'";
    return fmt::format(
        "let it end, or end it: select pg_terminate_backend({}); idle_in_transaction_session_timeout does so by itself",
        holder.pid.value_or(0)
    );
}

std::string describe(const db::HorizonHolder& holder) {
    std::string text = holder.what + " " + printable(holder.name);
    if (holder.pid && holder.what == "session") text += fmt::format(" (pid {}, {})", *holder.pid, holder.state);
    if (holder.age) text += " began " + show_span(*holder.age) + " ago and";
    const char* rows = holder.state == "catalogues" ? "dead rows of the catalogues" : "dead rows";
    return text +
           fmt::format(" keeps {} from being removed, {} back", rows, count_of(holder.transactions, "transaction"));
}

std::string describe(const db::SchemaObject& object) {
    if (object.kind == "body") return fmt::format("the function task_queue.{} has another body", object.name);
    const char* what = object.kind == "trigger" ? "missing or disabled" : "missing";
    return fmt::format("the {} task_queue.{} is {}", object.kind, object.name, what);
}

}  // namespace

Findings judge_connections(const db::Budget& budget, int open, int max_connections) {
    Findings findings;
    if (!budget.fits()) {
        findings.push_back(
            {"connections",
             false,
             fmt::format(
                 "the workers and services may take {} connections, {} too many", budget.total, budget.overrun()
             ),
             "lower database.pool_size and database.max_overflow, raise max_connections, or put a PgBouncer between"}
        );
    }
    if (open * 10 >= max_connections * 9) {
        findings.push_back(
            {"connections",
             false,
             fmt::format("{} of the server's {} connections are open", open, max_connections),
             "see who has them: select application_name, count(*) from pg_stat_activity group by 1 order by 2 desc"}
        );
    }
    if (findings.empty()) {
        const std::string text = fmt::format(
            "{} of {} claimed by {}, {} open now", budget.total, budget.limit, count_of(budget.workers, "worker"), open
        );
        findings.push_back({"connections", true, text});
    }
    return findings;
}

Findings judge_horizon(const std::vector<db::HorizonHolder>& holders, std::chrono::milliseconds patience) {
    Findings findings;
    for (const db::HorizonHolder& holder : holders) {
        // A slot without an age is a problem once it is far behind: a busy queue begins that many in a minute or so.
        const bool old = holder.age ? *holder.age >= patience : holder.transactions >= 100'000;
        if (old) findings.push_back({"horizon", false, describe(holder), horizon_advice(holder)});
    }
    return unless_empty(std::move(findings), "horizon", "no old transaction keeps dead rows from being removed");
}

Findings judge_heads(const queue::HeadCost& cost) {
    const std::int64_t usual = 10 * cost.lanes + 100;
    const std::string text = fmt::format(
        "{} read to find the first job of {}", count_of(cost.blocks, "block"), count_of(cost.lanes, "lane")
    );
    if (cost.blocks <= usual) return {{"heads", true, text}};
    return {
        {"heads",
         false,
         text + ": dead rows stand before it",
         "vacuum (index_cleanup on) task_queue.bundles, once nothing holds the horizon; look at autovacuum's settings "
         "when "
         "it comes back"}
    };
}

Findings judge_leases(const std::vector<queue::StuckLease>& leases) {
    Findings findings;
    for (const queue::StuckLease& lease : leases) {
        const auto id = static_cast<std::int64_t>(lease.worker);
        const std::string place = lease.place.empty() ? std::string() : " (" + printable(lease.place) + ")";
        const std::string held = fmt::format("holds {} since {}", count_of(lease.jobs, "job"), show_time(lease.since));
        if (lease.trouble == "silent") {
            findings.push_back(
                {"leases",
                 false,
                 fmt::format("worker {}{} {}, and its heartbeat has stopped", id, place, held),
                 "a worker that leads takes its jobs back: see that one runs (task-worker worker list)"}
            );
        } else if (lease.trouble == "dead") {
            findings.push_back(
                {"leases",
                 false,
                 fmt::format("worker {}{} is dead and {}", id, place, held),
                 "a worker that leads takes them back: see that one runs, and its log for why it does not"}
            );
        } else {
            findings.push_back(
                {"leases",
                 false,
                 fmt::format("a worker that is not known, {}, {}", id, held),
                 fmt::format(
                     "hand them back: update task_queue.bundles set state = 1, worker_id = null, claimed_at = null "
                     "where "
                     "worker_id = {}",
                     id
                 )}
            );
        }
    }
    return unless_empty(std::move(findings), "leases", "every lease is held by a live worker");
}

Findings judge_batches(const std::vector<queue::StuckBatch>& batches) {
    Findings findings;
    for (const queue::StuckBatch& batch : batches) {
        const std::string name = batch.name.empty() ? batch.id : printable(batch.name) + " (" + batch.id + ")";
        if (batch.trouble == "open") {
            findings.push_back(
                {"batches",
                 false,
                 fmt::format("batch {} is open since {} and will not finish", name, show_time(batch.since)),
                 fmt::format("task-worker batch seal {0}, or task-worker batch cancel {0}", batch.id)}
            );
        } else if (batch.trouble == "gone") {
            findings.push_back(
                {"batches",
                 false,
                 fmt::format("the batch {} is not there, but named by {}", batch.id, count_of(batch.jobs, "job")),
                 fmt::format(
                     "take it off them: update task_queue.bundles set batch_id = null where batch_id = '{}'", batch.id
                 )}
            );
        } else {
            findings.push_back(
                {"batches",
                 false,
                 fmt::format("batch {} waits for {}, found nowhere", name, count_of(batch.jobs, "job")),
                 fmt::format(
                     "someone deleted rows of task_queue.bundles; count them as cancelled: insert into "
                     "task_queue.batch_changes (batch_id, cancelled) values ('{}', {})",
                     batch.id,
                     batch.jobs
                 )}
            );
        }
    }
    return unless_empty(std::move(findings), "batches", "every batch can finish");
}

Findings judge_clock(std::chrono::milliseconds skew, std::chrono::milliseconds error) {
    const bool ahead = skew > 0ms;
    const std::chrono::milliseconds size = ahead ? skew : -skew;
    if (size <= error + 1s) return {{"clock", true, "this machine's clock and the server's agree"}};
    return {
        {"clock",
         false,
         fmt::format("the server's clock is {} {} this machine's", show_span(size), ahead ? "ahead of" : "behind"),
         "set both by NTP: times given to --at and shown here are off by as much; leases do not depend on it"}
    };
}

Findings judge_indexes(const std::vector<db::SchemaObject>& missing) {
    Findings findings;
    for (const db::SchemaObject& object : missing) {
        if (object.kind != "index") continue;
        const std::string advice = object.text.empty() ? "restore its constraint: task-worker migrate sql has it"
                                                       : "drop what is left of it, then: " + object.text;
        findings.push_back({"indexes", false, fmt::format("the index {} is missing or not valid", object.name), advice}
        );
    }
    return unless_empty(std::move(findings), "indexes", "every index is there and valid");
}

Findings judge_schema(
    const std::vector<db::SchemaObject>& missing, const std::vector<db::MigrationStatus>& migrations
) {
    Findings findings;
    for (const db::MigrationStatus& migration : migrations) {
        if (!migration.known) {
            const std::string text = migration.name + " was applied by a newer task-worker";
            findings.push_back({"schema", false, text, "install that version"});
        } else if (!migration.applied_at) {
            findings.push_back({"schema", false, migration.name + " is pending", "task-worker migrate up"});
        } else if (migration.changed) {
            const std::string text = migration.name + " was applied with another text than this task-worker has";
            findings.push_back({"schema", false, text, "compare with task-worker migrate sql"});
        }
    }
    for (const db::SchemaObject& object : missing) {
        if (object.kind == "index") continue;
        const char* again = object.kind == "body" ? "replace it by the one" : "make it again by the statement";
        findings.push_back(
            {"schema", false, describe(object), fmt::format("{} which task-worker migrate sql prints", again)}
        );
    }
    return unless_empty(std::move(findings), "schema", "the schema is as the migrations make it");
}

}  // namespace worker::cli
