#include "tests/bench/client/floor.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace bench {

namespace {

constexpr const char* claim_sql = R"sql(
    update floor_bundles set state = 2
    where ctid = any (array(
        select ctid from floor_bundles where state = 1 and id > $1::bigint order by id limit $2::bigint
        for update skip locked
    ))
    returning id, jobs, args
)sql";
constexpr const char* insert_sql =
    "insert into floor_bundles (id, jobs, args) select * from unnest($1::bigint[], $2::bigint[], $3::json[])";
constexpr const char* finish_sql = "delete from floor_bundles where id = any ($1::bigint[])";

}  // namespace

FloorConsumer::FloorConsumer(const std::string& url, int rows, LookFrom from)
    : connection_(connect(url)), limit_(std::to_string(rows)), from_(from) {
    PGconn* const session = connection_.get();
    // Plans made while the table is empty would be full scans.
    execute(session, "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off");
    prepare(session, "claim", claim_sql);
    prepare(session, "finish", finish_sql);
    if (PQenterPipelineMode(session) != 1) throw std::runtime_error("no pipeline mode");
}

std::int64_t FloorConsumer::round() {
    PGconn* const session = connection_.get();
    const bool finishes = !claimed_.empty();
    const std::string rows = binary_array(claimed_);
    const std::string after = std::to_string(cursor_);
    if (finishes) send_prepared(session, "finish", {{rows, true}});
    send_prepared(session, "claim", {{after}, {limit_}});
    send_sync(session);
    if (finishes) take_result(session);
    const Result claim = take_result(session);
    take_sync(session);

    claimed_.clear();
    std::int64_t jobs = 0;
    for (int row = 0; row < PQntuples(claim.get()); ++row) {
        claimed_.push_back(bigint_at(claim.get(), row, 0));
        jobs += bigint_at(claim.get(), row, 1);
        if (from_ == LookFrom::cursor) cursor_ = std::max(cursor_, claimed_.back());
    }
    return jobs;
}

void FloorConsumer::consume(const std::atomic<bool>& all_in, const std::function<void(std::int64_t)>& done) {
    while (true) {
        const bool last = all_in;  // before the look, which then sees everything
        const std::int64_t claimed = round();
        if (claimed == 0 && last) return;
        if (claimed == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        done(claimed);
    }
}

FloorProducer::FloorProducer(const std::string& url, int bundle)
    : connection_(connect(url)), bundle_(static_cast<std::size_t>(bundle)) {
    prepare(connection_.get(), "insert", insert_sql);
}

std::span<const std::string> FloorProducer::row(std::span<const std::string> args, std::size_t at) const {
    return args.subspan(at, std::min(bundle_, args.size() - at));
}

void FloorProducer::insert(std::span<const std::string> args) {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> jobs;
    std::vector<std::string> rows;
    for (std::size_t at = 0; at < args.size(); at += bundle_) {
        const auto some = row(args, at);
        ids.push_back(++last_id_);
        jobs.push_back(std::ssize(some));
        std::string& text = rows.emplace_back("[");
        for (const std::string& one : some) {
            text += one;
            text += ',';
        }
        text.back() = ']';
    }
    const std::string id_array = binary_array(ids);
    const std::string job_array = binary_array(jobs);
    const std::string row_array = binary_array(rows);
    send_prepared(connection_.get(), "insert", {{id_array, true}, {job_array, true}, {row_array, true}});
    take_result(connection_.get());
}

void FloorProducer::copy(std::span<const std::string> args) {
    PGconn* const session = connection_.get();
    lines_.clear();
    for (std::size_t at = 0; at < args.size(); at += bundle_) {
        const auto some = row(args, at);
        lines_ += std::to_string(++last_id_) + '\t' + std::to_string(some.size()) + "\t[";
        for (const std::string& one : some) {
            lines_ += one;
            lines_ += ',';
        }
        lines_.back() = ']';
        lines_ += '\n';
    }
    execute(session, "copy floor_bundles (id, jobs, args) from stdin");
    if (PQputCopyData(session, lines_.data(), static_cast<int>(lines_.size())) != 1 ||
        PQputCopyEnd(session, nullptr) != 1) {
        throw std::runtime_error(PQerrorMessage(session));
    }
    take_result(session);
}

}  // namespace bench
