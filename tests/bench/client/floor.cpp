#include "tests/bench/client/floor.hpp"

#include <algorithm>
#include <stdexcept>

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
constexpr const char* finish_sql = "delete from floor_bundles where id = any ($1::bigint[])";

}  // namespace

FloorConsumer::FloorConsumer(const std::string& url, int rows)
    : connection_(connect(url)), limit_(std::to_string(rows)) {
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
        cursor_ = std::max(cursor_, claimed_.back());
    }
    return jobs;
}

FloorProducer::FloorProducer(const std::string& url, int bundle)
    : connection_(connect(url)), bundle_(static_cast<std::size_t>(bundle)) {}

void FloorProducer::insert(std::span<const std::string> args) {
    PGconn* const session = connection_.get();
    lines_.clear();
    for (std::size_t at = 0; at < args.size(); at += bundle_) {
        const auto row = args.subspan(at, std::min(bundle_, args.size() - at));
        lines_ += std::to_string(++last_id_) + '\t' + std::to_string(row.size()) + "\t[";
        for (const std::string& one : row) {
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
