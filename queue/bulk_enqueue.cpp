#include "queue/bulk_enqueue.hpp"

#include "db/error.hpp"
#include "queue/enqueue_times.hpp"
#include "queue/json_text.hpp"
#include "queue/packing.hpp"
#include "queue/statements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

namespace asio = boost::asio;

namespace queue {

namespace {

constexpr std::size_t chunk_bytes = std::size_t{4} * 1024 * 1024;
constexpr std::size_t chunk_bundles = 4096;
constexpr int read_ahead = 16 * max_bundle_jobs;  // from so many jobs on, a bundle is full by the rule

// Reads and checks one job after another.
class Reader {
public:
    Reader(NextArgs next, std::size_t args_limit) : next_(std::move(next)), args_limit_(args_limit) {}

    // False at the end.
    bool read(std::string& args) {
        if (!ahead_.empty()) {
            args = std::move(ahead_.front());
            ahead_.pop_front();
            return true;
        }
        return read_new(args);
    }

    // How many jobs to a row: by the rule for the whole stream, of which no more is read than the rule needs.
    int choose_bundle_size() {
        std::size_t bytes = 0;
        std::string args;
        while (std::cmp_less(jobs_, read_ahead) && bytes < chunk_bytes) {
            if (!read_new(args)) return bundle_size(jobs_);
            bytes += args.size();
            ahead_.push_back(std::move(args));
        }
        return max_bundle_jobs;
    }

    std::int64_t jobs() const { return jobs_; }

private:
    bool read_new(std::string& args) {
        args.clear();
        if (ended_ || !next_(args)) {
            ended_ = true;
            return false;
        }
        ++jobs_;
        if (args.size() > args_limit_) {
            refuse(fmt::format("{} bytes, more than the {} allowed", args.size(), args_limit_));
        }
        if (const auto problem = find_json_problem(args)) refuse(*problem);
        return true;
    }
    [[noreturn]] void refuse(const std::string& problem) const {
        throw db::Error(db::ErrorKind::usage, fmt::format("args of job {}: {}", jobs_, problem));
    }

    NextArgs next_;
    std::size_t args_limit_;
    std::deque<std::string> ahead_;
    std::int64_t jobs_ = 0;
    bool ended_ = false;
};

void append_field(std::string& rest, const std::optional<std::string>& text) {
    rest += '\t';
    if (text) {
        append_copy_text(rest, *text);
    } else {
        rest += "\\N";
    }
}

// Fills one chunk. Returns false when the reader came to its end.
bool fill_chunk(std::vector<PackedBundle>& bundles, Reader& reader, int size) {
    std::string args;
    std::size_t bytes = 0;
    while (bytes < chunk_bytes && bundles.size() < chunk_bundles) {
        if (!reader.read(args)) return false;
        bytes += args.size();
        pack_job(bundles, args, size);
    }
    return true;
}

}  // namespace

const db::Statement begin_bulk_enqueue_sql{"begin_bulk_enqueue", R"sql(
    select c.kind_id, c.queue_id, c.state, c.due::text, c.bundle, c.args_limit, c.known_jobs is not null,
        lower(c.known_jobs), (select coalesce(sum(upper(r) - lower(r)), 0)::bigint from unnest(c.known_jobs) r)
    from task_queue.begin_copy(
        $1::text, $2::text, $3::integer, 'epoch'::timestamptz + $4::bigint * interval '1 microsecond',
        $5::bigint * interval '1 millisecond', $6::integer, $7::text, $8::uuid
    ) c
)sql"};

const db::Statement reserve_base_ids_sql{"reserve_base_ids", R"sql(
    select nextval('task_queue.base_ids') from generate_series(1, $1::integer)
)sql"};

const db::Statement end_bulk_enqueue_sql{"end_bulk_enqueue", R"sql(
    select
    from task_queue.end_copy($1::text, $2::smallint, $3::text, $4::uuid, $5::bigint, $6::text::int8multirange)
)sql"};

namespace {

// Not among statements(): COPY cannot be prepared.
const db::Statement copy_bundles_sql{"copy_bundles", R"sql(
    copy task_queue.bundles (
        id, members, pending, args, kind_id, queue_id, state, run_at, priority, max_attempts, batch_id, meta
    ) from stdin
)sql"};

// Reserves ids for the bundles and streams them. Returns the first id.
asio::awaitable<std::int64_t> copy_chunk(
    db::Session& session, const std::vector<PackedBundle>& bundles, const std::string& rest, std::string* ranges
) {
    const db::Rows ids = co_await session.execute(reserve_base_ids_sql, static_cast<std::int32_t>(bundles.size()));
    std::size_t at = 0;
    const auto fill = [&](std::string& buffer) {
        if (at == bundles.size()) return false;
        append_copy_line(buffer, ids[static_cast<int>(at)].get<std::int64_t>(0), bundles[at], rest);
        ++at;
        return true;
    };
    co_await session.copy_in(copy_bundles_sql, fill);
    if (ranges != nullptr) {
        for (std::size_t i = 0; i < bundles.size(); ++i) {
            const auto base = ids[static_cast<int>(i)].get<std::int64_t>(0);
            fmt::format_to(
                std::back_inserter(*ranges), "{}[{},{})", ranges->empty() ? "" : ",", base, base + bundles[i].jobs
            );
        }
    }
    co_return ids.front().get<std::int64_t>(0);
}

}  // namespace

asio::awaitable<BulkEnqueued> bulk_enqueue(
    db::Session& session, std::string kind, EnqueueOptions options, NextArgs next
) {
    if (options.bundle && (*options.bundle < 1 || *options.bundle > max_bundle_jobs)) {
        throw db::Error(db::ErrorKind::usage, fmt::format("bundle must be 1 to 63 jobs, not {}", *options.bundle));
    }
    const db::Rows begun = co_await session.execute(
        begin_bulk_enqueue_sql,
        kind,
        options.queue,
        options.priority,
        microseconds_of(options.run_at),
        milliseconds_of(options.delay),
        options.max_attempts,
        options.enqueue_key,
        options.batch
    );
    const db::Row row = begun.front();
    if (row.get<bool>(6)) {
        co_return BulkEnqueued{
            .jobs = row.get<std::int64_t>(8), .first = row.get<std::optional<JobId>>(7), .existed = true
        };
    }
    const auto state = row.get<std::int16_t>(2);
    std::string rest;
    append_field(rest, std::to_string(row.get<int>(0)));
    append_field(rest, std::to_string(row.get<int>(1)));
    append_field(rest, std::to_string(state));
    append_field(rest, row.get<std::string>(3));
    append_field(rest, std::to_string(options.priority.value_or(4)));
    append_field(rest, std::to_string(options.max_attempts.value_or(20)));
    append_field(rest, options.batch);
    append_field(rest, options.meta);

    Reader reader(std::move(next), static_cast<std::size_t>(row.get<std::int64_t>(5)));
    const auto most = row.get<std::optional<int>>(4);  // of this kind
    const std::optional<int> chosen = options.bundle && most ? std::min(*options.bundle, *most) : options.bundle;
    const int size = chosen ? *chosen : most ? *most : reader.choose_bundle_size();

    BulkEnqueued enqueued;
    std::string ranges;
    bool more = true;
    while (more) {
        std::vector<PackedBundle> bundles;
        more = fill_chunk(bundles, reader, size);
        if (bundles.empty()) break;
        const std::int64_t first = co_await copy_chunk(session, bundles, rest, options.enqueue_key ? &ranges : nullptr);
        if (!enqueued.first) enqueued.first = JobId{first};
    }
    enqueued.jobs = reader.jobs();
    co_await session.execute(
        end_bulk_enqueue_sql,
        options.queue,
        state,
        options.enqueue_key,
        options.batch,
        enqueued.jobs,
        fmt::format("{{{}}}", ranges)
    );
    co_return enqueued;
}

}  // namespace queue
