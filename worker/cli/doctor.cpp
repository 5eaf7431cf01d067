// `doctor`: what goes wrong, and what to do.

#include "db/catalogue.hpp"
#include "db/pipeline.hpp"
#include "queue/plans.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/doctor_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/startup.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <tuple>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker::cli {

namespace {

constexpr std::chrono::hours open_for = 24h;  // a batch may be filled for so long

void append(Findings& findings, Findings more) {
    std::ranges::move(more, std::back_inserter(findings));
}

asio::awaitable<Findings> examine_clock(db::Session& session) {
    using Clock = std::chrono::system_clock;
    const auto before = Clock::now();
    const db::TimePoint server = co_await db::read_clock(session);
    const auto after = Clock::now();
    const auto here = before + (after - before) / 2;
    const auto in_ms = [](auto span) { return std::chrono::duration_cast<std::chrono::milliseconds>(span); };
    co_return judge_clock(in_ms(server - here), in_ms(after - before));
}

struct SchemaFindings {
    Findings findings;
    bool sound = true;  // the other checks can be made
};

bool has_all_that_is_asked(const std::vector<db::SchemaObject>& missing) {
    return std::ranges::all_of(missing, [](const db::SchemaObject& one) {
        return one.kind == "index" || one.kind == "constraint" || one.kind == "trigger";
    });
}

asio::awaitable<SchemaFindings> examine_schema(db::Session& session) {
    const auto missing = co_await db::find_missing(session, db::created_objects(db::embedded_migrations()));
    const auto migrations = co_await db::read_migrations(session);
    SchemaFindings schema{.findings = judge_schema(missing, migrations)};
    const bool whole = std::ranges::all_of(migrations, [](const db::MigrationStatus& one) {
        return one.known && one.applied_at && !one.changed;
    });
    schema.sound = whole && has_all_that_is_asked(missing);
    append(schema.findings, judge_indexes(missing));
    co_return schema;
}

asio::awaitable<Findings> examine_queue(db::Session& session, const DoctorCommand& command) {
    // One at a time: each looks at a snapshot and at plans of its own.
    auto leases =
        co_await db::pipelined(session, queue::fix_plans(session), queue::list_stuck_leases(session, command.patience));
    auto batches =
        co_await db::pipelined(session, queue::fix_plans(session), queue::list_stuck_batches(session, open_for));
    auto heads = co_await db::pipelined(session, queue::fix_plans(session), queue::measure_heads(session));
    Findings findings = judge_leases(std::get<1>(leases));
    append(findings, judge_batches(std::get<1>(batches)));
    append(findings, judge_heads(std::get<1>(heads)));
    co_return findings;
}

asio::awaitable<Findings> examine(db::Session& session, const Config& config, const DoctorCommand& command) {
    SchemaFindings schema = co_await examine_schema(session);
    Findings findings = std::move(schema.findings);
    Findings clock = co_await examine_clock(session);
    append(findings, std::move(clock));
    const auto holders = co_await db::read_horizon_holders(session);
    append(findings, judge_horizon(holders, command.patience));
    if (!schema.sound) co_return findings;
    const db::Budget budget = co_await read_budget(session, config, queue::WorkerId{});
    const db::ServerLimits limits = co_await db::read_server_limits(session);
    const int open = co_await db::count_connections(session);
    append(findings, judge_connections(budget, open, limits.max_connections));
    Findings more = co_await examine_queue(session, command);
    append(findings, std::move(more));
    co_return findings;
}

void print_findings(const Global& global, const Findings& findings) {
    const bool colours = inspect_terminal(STDOUT_FILENO, global.no_color).colours;
    const std::size_t width = table_width();
    constexpr std::size_t text_column = 22;
    for (const Finding& one : findings) {
        if (one.ok && global.quiet) continue;
        const std::string mark =
            one.ok ? paint("ok     ", Colour::green, colours) : paint("PROBLEM", Colour::red, colours);
        fmt::print("{}  {:<11}  {}\n", mark, one.check, hang_lines(one.text, text_column, width));
        if (one.advice.empty()) continue;
        const std::string advice = hang_lines(one.advice, text_column + 3, width);
        fmt::print("{}-> {}\n", std::string(text_column, ' '), advice);
    }
}

asio::awaitable<int> report(
    db::Session& session, const Global& global, const Config& config, const DoctorCommand& command
) {
    const Findings findings = co_await examine(session, config, command);
    const auto problems = std::ranges::count(findings, false, &Finding::ok);
    if (global.json) {
        std::vector<std::string> objects;
        for (const Finding& one : findings) {
            JsonObject object;
            object.add("check", one.check).add("ok", one.ok).add("text", one.text).add("advice", one.advice);
            objects.push_back(object.text());
        }
        fmt::print("{}\n", json_array(objects));
    } else {
        print_findings(global, findings);
    }
    co_return problems == 0 ? exit_ok : exit_failed;
}

}  // namespace

int perform(const Global& global, const DoctorCommand& command) {
    const LoadedConfig loaded = load(global);
    return with_session(loaded.config, {.needs_schema = false}, [&](db::Session& session) {
        return report(session, global, loaded.config, command);
    });
}

}  // namespace worker::cli
