// A line of jobs in which everything happens that can: nothing waits longer than a sweep's interval while slots are
// free.

#include "tests/support/catch.hpp"
#include "worker/cursors.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

using namespace worker;
using namespace std::chrono_literals;
using queue::QueueId;
using queue::RowId;

namespace {

constexpr QueueId queue_a{1};
constexpr Cursors::Time start{1h};
constexpr auto step = 20ms;
constexpr int most = 1'000;             // rows of one claim
constexpr std::int16_t first_lane = 3;  // most urgent; the last is the fast one
constexpr std::int16_t last_lane = 5;

class World {
public:
    // Sweeps either whenever a window is to be had, or only when due() asks for it.
    World(unsigned seed, bool only_when_due) : only_when_due_(only_when_due), random_(seed) {}

    void run(Cursors::Time now) {
        now_ = now;
        // Then for a while nothing happens that could bring a sweep about.
        if ((now - start) % 6s < 3s) {
            arrive();
            come_back(uncommitted_, 0.01);
            come_back(running_, 0.002);  // retried, released, rescued, or the claim was rolled back
        }
        for (std::int16_t lane = first_lane; lane <= last_lane; ++lane) {
            while (claim(lane) == most) {
            }
        }
        sweep();
        some_of(running_, 0.02);  // finished
        // Sweeps may take a twentieth of the time: what those since then took times twenty, and a step or two more.
        const auto has_waited_too_long = [&](const auto& row) {
            return now - row.second.since > 1'100ms + (paid_ - row.second.paid);
        };
        REQUIRE(std::ranges::none_of(available_, has_waited_too_long));
    }

private:
    struct Row {
        std::int16_t lane = first_lane;
        Cursors::Time since{};     // available
        Cursors::Duration paid{};  // for sweeps until then, without the one in progress
    };
    using Rows = std::vector<std::pair<std::int64_t, Row>>;
    struct Sweep {
        Cursors::Window window;
        bool emptied = true;
        Cursors::Duration took{};
        Cursors::Time ends{};
    };

    bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
    int between(int least, int greatest) { return std::uniform_int_distribution(least, greatest)(random_); }

    void enqueue(std::int16_t lane) {
        const std::pair<std::int64_t, Row> row(next_id_, {.lane = lane});
        next_id_ += 128;
        if (chance(0.05)) {
            uncommitted_.push_back(row);
        } else {
            make_available(row);
        }
    }

    void arrive() {
        // So far apart that a sweep has several windows, however wide.
        if (chance(0.02)) next_id_ += std::int64_t{1} << 56;
        for (int i = between(0, 6); i > 0; --i) enqueue(static_cast<std::int16_t>(between(first_lane, last_lane)));
        // So many that claims are 8,000 rows further within far less than two seconds.
        if (!chance(0.004)) return;
        for (int i = between(2'000, 15'000); i > 0; --i) enqueue(last_lane);
    }

    void make_available(std::pair<std::int64_t, Row> row) {
        row.second.since = now_;
        row.second.paid = paid_before_last_;
        available_.insert(row);
        cursors_.woken();
    }

    // Removes a share of the rows, and answers them.
    Rows some_of(Rows& rows, double share) {
        Rows some;
        const double wanted = static_cast<double>(rows.size()) * share;
        for (auto n = static_cast<std::size_t>(wanted + std::uniform_real_distribution()(random_)); n > 0; --n) {
            std::swap(rows[random_() % rows.size()], rows.back());
            some.push_back(rows.back());
            rows.pop_back();
        }
        return some;
    }

    void come_back(Rows& rows, double share) {
        for (const auto& row : some_of(rows, share)) make_available(row);
    }

    // Takes what is there, in order, but for what another worker holds at this moment and then gives back.
    int take(std::int16_t lane, RowId after, RowId until, RowId& last) {
        int taken = 0;
        auto row = available_.upper_bound(static_cast<std::int64_t>(after));
        while (row != available_.end() && row->first <= static_cast<std::int64_t>(until) && taken < most) {
            if (row->second.lane == lane && chance(0.01)) {
                const auto held = *row;
                row = available_.erase(row);
                make_available(held);
            } else if (row->second.lane == lane) {
                last = RowId{row->first};
                running_.push_back(*row);
                row = available_.erase(row);
                ++taken;
            } else {
                ++row;
            }
        }
        return taken;
    }

    int claim(std::int16_t lane) {
        RowId last{};
        const RowId after = cursors_.after(queue_a, lane, now_);
        const int taken = take(lane, after, RowId{std::numeric_limits<std::int64_t>::max()}, last);
        if (taken > 0) cursors_.claimed(queue_a, lane, last, static_cast<std::size_t>(taken), now_);
        return taken;
    }

    // One at a time, which takes what it takes.
    void sweep() {
        if (sweep_ && now_ >= sweep_->ends) {
            cursors_.swept(sweep_->window, sweep_->emptied, sweep_->took, now_);
            sweep_.reset();
        }
        const std::optional<Cursors::Time> due = cursors_.due(now_);
        if (sweep_ || (only_when_due_ && (!due || *due > now_))) return;
        const std::optional<Cursors::Window> window = cursors_.sweep(now_);
        REQUIRE((window || !due || *due > now_));
        if (!window) return;
        int taken = 0;
        RowId last{};
        for (std::int16_t lane = first_lane; lane <= last_lane; ++lane)
            taken = std::max(taken, take(lane, window->after, window->until, last));
        const Cursors::Duration took =
            std::chrono::microseconds(chance(0.02) ? between(3'000, 150'000) : between(100, 3'000));
        sweep_ = {*window, taken < most, took, now_ + took};
        paid_before_last_ = paid_;
        paid_ += 20 * took + 2 * step;
    }

    const bool only_when_due_;
    std::mt19937 random_;
    Cursors cursors_;
    Cursors::Time now_{};
    std::map<std::int64_t, Row> available_;
    Rows uncommitted_, running_;
    std::int64_t next_id_ = 128;
    std::optional<Sweep> sweep_;  // in progress
    Cursors::Duration paid_{}, paid_before_last_{};
};

}  // namespace

TEST_CASE("Cursors leave no available row unclaimed for longer than a sweep", "[worker][cursors]") {
    const auto seed = GENERATE(range(1, 11));
    const bool only_when_due = GENERATE(false, true);
    INFO("seed " << seed << (only_when_due ? ", sweeps when due" : ", sweeps whenever they may"));
    World world(static_cast<unsigned>(seed), only_when_due);
    for (Cursors::Time now = start; now < start + 60s; now += step) world.run(now);
}
