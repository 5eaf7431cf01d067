// Random lives of bundles, by their masks, against a plain set of jobs.

#include "queue/bundle.hpp"
#include "tests/support/catch.hpp"

#include <bit>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <span>
#include <utility>
#include <vector>

using namespace queue;

namespace {

struct Row {
    Mask members = 0;
    Mask pending = 0;
    std::vector<std::int64_t> args{};  // as the row carries them: here each is its job's id
    bool running = false;
};

int lowest(Mask mask) {
    return std::countr_zero(static_cast<std::uint64_t>(mask));
}

// What the queue does to its rows, and beside it what should have become of each job.
class Bundles {
public:
    explicit Bundles(unsigned seed) : random_(seed) {}

    void enqueue(int jobs) {
        const RowId row{next_base_};
        Row bundle{first_bits(jobs), first_bits(jobs)};
        for (int n = 0; n < jobs; ++n) {
            bundle.args.push_back(static_cast<std::int64_t>(job_id(row, n)));
            live_.insert(bundle.args.back());
        }
        add(row, bundle);
        next_base_ += base_step;
    }

    void step() {
        if (rows_.empty()) return;
        auto chosen = rows_.begin();
        std::advance(chosen, random_() % rows_.size());
        auto& [id, row] = *chosen;
        if (!row.running) return claim(id, row);
        switch (random_() % 3) {
            case 0:
                return complete(id, row);
            case 1:
                return leave(id, row);
            default:
                return hand_back(id, row);
        }
    }

    void check() const {
        std::set<std::int64_t> found;
        for (const auto& [id, row] : rows_) {
            const std::int64_t number = static_cast<std::int64_t>(id);
            REQUIRE((row.pending & ~row.members) == 0);
            REQUIRE((row.pending > 0 && row.members > 0));
            if (is_single_row(id)) REQUIRE(count(row.members) == 1);
            for (int n = 0; n < max_bundle_jobs; ++n) {
                if ((row.pending & bit(n)) == 0) continue;
                const JobId job = job_id(id, n);
                REQUIRE(job_number(job) == n);
                // Where job(id) looks for it, and its args.
                const std::int64_t base = base_of(number);
                REQUIRE(((number >= base && number <= base + n) || number == base + 64 + n));
                REQUIRE(row.args.at(static_cast<std::size_t>(element_of(id, n))) == static_cast<std::int64_t>(job));
                REQUIRE(found.insert(static_cast<std::int64_t>(job)).second);
            }
        }
        REQUIRE(found == live_);
    }

private:
    void add(RowId id, Row row) { REQUIRE(rows_.emplace(id, std::move(row)).second); }

    // The args from the first to the last of these jobs.
    static Row piece(RowId id, const Row& of, Mask jobs) {
        Row row{jobs, jobs};
        for (int n = lowest(jobs); jobs >> n != 0; ++n)
            row.args.push_back((jobs & bit(n)) == 0 ? -1 : of.args.at(static_cast<std::size_t>(element_of(id, n))));
        return row;
    }

    void add_pieces(RowId id, const Row& of, std::span<const Mask> pieces) {
        for (const Mask jobs : pieces)
            add(RowId{base_of(static_cast<std::int64_t>(id)) + lowest(jobs)}, piece(id, of, jobs));
    }

    void claim(RowId id, Row& row) {
        const std::vector<Mask> pieces = cut(row.pending, 1 + static_cast<int>(random_() % 63));
        REQUIRE(!pieces.empty());
        const Row before = row;
        row.running = true;
        row.pending = pieces.front();
        for (const Mask rest : std::span(pieces).subspan(1)) row.members &= ~rest;
        add_pieces(id, before, std::span(pieces).subspan(1));
    }

    Mask some_of(const Row& row) {
        const Mask some = static_cast<Mask>(random_()) & row.pending;
        return some == 0 ? row.pending : some;
    }

    void end(RowId id, Row& row, Mask gone, bool left) {
        row.pending &= ~gone;
        if (left) row.members &= ~gone;
        if (row.pending == 0) rows_.erase(id);
    }

    void complete(RowId id, Row& row) {
        const Mask done = some_of(row);
        for (int n = 0; n < max_bundle_jobs; ++n)
            if ((done & bit(n)) != 0) live_.erase(static_cast<std::int64_t>(job_id(id, n)));
        end(id, row, done, false);
    }

    // A retry: each job gets a row of its own, but for one that has its row to itself already.
    void leave(RowId id, Row& row) {
        const Mask gone = some_of(row);
        const Row before = row;
        end(id, row, gone, true);
        for (int n = 0; n < max_bundle_jobs; ++n) {
            if ((gone & bit(n)) == 0) continue;
            const std::int64_t job = static_cast<std::int64_t>(job_id(id, n));
            const bool is_alone = before.members == bit(n) && (static_cast<std::int64_t>(id) & 63) == n;
            add(is_alone ? id : RowId{base_of(job) + 64 + n}, piece(id, before, bit(n)));
        }
    }

    // What a stopping worker has not started: the tail, as it starts them in ascending order.
    void hand_back(RowId id, Row& row) {
        const Mask keeps = random_() % 2 == 0 ? 0 : cut(row.pending, 1 + static_cast<int>(random_() % 63)).front();
        const Mask gives = row.pending & ~keeps;
        if (gives == row.pending) {
            row.running = false;
            return;
        }
        if (gives == 0) return;
        const Row before = row;
        end(id, row, gives, true);
        add_pieces(id, before, cut(gives, max_bundle_jobs));
    }

    std::mt19937_64 random_;
    std::map<RowId, Row> rows_;
    std::set<std::int64_t> live_;
    std::int64_t next_base_ = base_step;
};

}  // namespace

TEST_CASE("bundles keep every job once, with its args, through any sequence of cuts", "[queue][bundle]") {
    const auto seed = GENERATE(range(1, 101));
    INFO("seed " << seed);
    Bundles bundles(static_cast<unsigned>(seed));
    for (int i = 0; i < 4; ++i) bundles.enqueue(1 + (seed * 31 + i * 17) % max_bundle_jobs);
    for (int i = 0; i < 150; ++i) {
        bundles.step();
        bundles.check();
    }
}
