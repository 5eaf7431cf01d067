// The cuts of SQL against those of queue/bundle.

#include "queue/bundle.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"

#include <fmt/format.h>

#include <bit>
#include <random>
#include <string>
#include <vector>

using namespace queue;

namespace {

struct Piece {
    std::int64_t id;
    Mask jobs;
    std::string args;  // JSON: each job's number, null where there is none
    bool operator==(const Piece&) const = default;
};

int lowest(Mask mask) {
    return std::countr_zero(static_cast<std::uint64_t>(mask));
}

// What a row of these jobs carries, from its first to its last.
std::string args_of(Mask jobs) {
    std::string args;
    for (int n = lowest(jobs); jobs >> n != 0; ++n) {
        args += args.empty() ? "[" : ",";
        args += (jobs & bit(n)) != 0 ? std::to_string(n) : "null";
    }
    return args + "]";
}

std::vector<Piece> by_model(std::int64_t row, Mask jobs, int size) {
    std::vector<Piece> pieces;
    for (const Mask piece : cut(jobs, size)) pieces.push_back({base_of(row) + lowest(piece), piece, args_of(piece)});
    return pieces;
}

std::vector<Piece> by_sql(const tests::TestDatabase& database, std::int64_t row, Mask members, Mask jobs, int size) {
    std::vector<Piece> pieces;
    for (const auto& fields : database.psql(fmt::format(
             "select piece_id, piece, piece_args from task_queue.pieces({}, {}, {}, '{}') order by piece_id",
             row,
             jobs,
             size,
             args_of(members)
         ))) {
        pieces.push_back({std::stoll(fields[0]), std::stoll(fields[1]), fields[2]});
    }
    return pieces;
}

}  // namespace

TEST_CASE("task_queue.pieces cuts as queue::cut does, piece after piece", "[queue][bundle][db]") {
    const tests::TestDatabase database;
    std::mt19937_64 random(20'261'127);
    const auto some_of = [&](Mask of) {
        const Mask some = static_cast<Mask>(random() & random() & static_cast<std::uint64_t>(of));
        return some == 0 ? of : some;
    };
    for (int sequence = 0; sequence < 60; ++sequence) {
        INFO("sequence " << sequence);
        const std::int64_t base = base_step * (1 + static_cast<std::int64_t>(random() % 1'000'000'000));
        std::int64_t row = base;
        Mask members = first_bits(1 + static_cast<int>(random() % max_bundle_jobs));
        for (;;) {
            const Mask jobs = some_of(members);  // others of the row are done or go on
            const int size = 1 + static_cast<int>(random() % 20);
            INFO("row " << row << ", members " << members << ", jobs " << jobs << ", size " << size);
            const std::vector<Piece> pieces = by_sql(database, row, members, jobs, size);
            REQUIRE(pieces == by_model(row, jobs, size));
            if (count(members) == 1) break;
            const Piece& next = pieces[random() % pieces.size()];
            row = next.id;
            members = next.jobs;
        }
        // A job that left its bundle.
        const std::int64_t single = base + 64 + lowest(members);
        REQUIRE(by_sql(database, single, members, members, 1) == by_model(single, members, 1));
    }
}

TEST_CASE("SQL counts, finds and places a mask's jobs as queue/bundle does", "[queue][bundle][db]") {
    const tests::TestDatabase database;
    std::mt19937_64 random(20'261'128);
    for (int i = 0; i < 100; ++i) {
        const Mask mask = static_cast<Mask>(random() & random()) & first_bits(max_bundle_jobs);
        if (mask == 0) continue;
        const std::int64_t base = base_step * (1 + i);
        const std::int64_t row = i % 3 == 0 ? base + 64 + lowest(mask) : base + lowest(mask);
        const int n = 63 - std::countl_zero(static_cast<std::uint64_t>(mask));
        CHECK(
            database.value(fmt::format(
                "select format('%s %s %s', task_queue.count_jobs({0}), task_queue.first_job({0}), "
                "task_queue.element_of({1}, {2}))",
                mask,
                row,
                n
            )) == fmt::format("{} {} {}", count(mask), lowest(mask), element_of(RowId{row}, n))
        );
    }
}
