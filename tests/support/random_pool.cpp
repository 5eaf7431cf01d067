#include "tests/support/random_pool.hpp"

#include "db/pool_state.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>

using namespace db;
using namespace std::chrono_literals;
using Kind = PoolState::Action::Kind;
using Condition = PoolState::Condition;
using Slot = PoolState::Slot;
using Time = PoolState::Time;

namespace tests {

namespace {

class RandomPool {
public:
    RandomPool(std::mt19937_64& random, const PoolSettings& settings)
        : random_(random), settings_(settings), pool_(settings, random()) {}

    void step() {
        pass_time(std::chrono::milliseconds(dice(500)));
        if (dice(100) == 0) outage_ = !outage_;
        PoolState::Actions actions;
        switch (dice(15)) {
            case 0:
            case 1:
            case 2:
            case 3:
                check_out(actions);
                break;
            case 4:
            case 5:
            case 6:
            case 7:
                give_back(actions);
                break;
            case 8:
            case 9:
                finish_open(actions);
                break;
            case 10:
            case 11:
                finish_test(actions);
                break;
            case 12:
                give_up();
                break;
            case 13:
                finish_leaving(actions);
                break;
            default:
                if (!down_) pool_.upkeep(now_, actions);
        }
        perform(actions);
        check();
    }

    void shut_down() {
        PoolState::Actions actions;
        down_ = true;
        pool_.shut_down(actions);
        perform(actions);
        check();
    }

    // Whatever is on its way ends; nobody and nothing may be left.
    void run_dry() {
        while (!lent_.empty() || !opening_.empty() || !testing_.empty() || !leaving_.empty()) {
            PoolState::Actions actions;
            give_back(actions);
            perform(actions);
            actions.clear();
            finish_open(actions);
            perform(actions);
            actions.clear();
            finish_test(actions);
            perform(actions);
            actions.clear();
            finish_leaving(actions);
            perform(actions);
            check();
        }
        expect(waiting_.empty() && pool_.is_empty(), "a pool that was shut down ends empty");
        expect(opened_ == closed_, "whatever was opened was closed once");
    }

private:
    struct Known {
        Time opened{};
        Time proven{};  // when it was opened, or answered a test
        Time used{};    // the same, or when it came back
        Time lent{};
    };

    static void expect(bool holds, const char* promise) {
        if (!holds) throw std::logic_error(promise);
    }
    int dice(int sides) { return static_cast<int>(random_() % static_cast<std::uint64_t>(sides)); }
    template <class Set>
    auto draw(Set& set) {
        auto at = set.begin();
        std::advance(at, dice(static_cast<int>(set.size())));
        auto value = *at;
        set.erase(at);
        return value;
    }

    // The shell's timer calls upkeep() when it is due.
    void pass_time(std::chrono::milliseconds length) {
        const Time end = now_ + length;
        for (Time due = pool_.next_upkeep(now_); due <= end; due = pool_.next_upkeep(now_)) {
            expect(due > now_, "upkeep is due in time to come");
            now_ = due;
            PoolState::Actions actions;
            pool_.upkeep(now_, actions);
            perform(actions);
            check();
        }
        now_ = end;
    }

    void lend(Slot slot, Time since) {
        const Known& known = known_.at(slot);
        expect(known.proven >= lost_at_, "no connection older than a loss is lent");
        const bool aged = settings_.pool_recycle.count() > 0 && now_ - known.opened >= settings_.pool_recycle;
        expect(!aged, "no connection past pool_recycle is lent");
        const bool idle = settings_.pool_pre_ping && now_ - known.used > settings_.pre_ping_after;
        expect(!idle, "no connection that was idle for long is lent without a test");
        expect(lent_.insert(slot).second, "a connection is lent once");
        known_.at(slot).lent = now_;
        ++served_;
        waited_ += now_ - since;
    }

    void check_out(PoolState::Actions& actions) {
        const auto slot = pool_.take(now_);
        if (!slot) {
            const auto ticket = pool_.wait(now_, actions);
            expect(waiting_.empty() || ticket > waiting_.rbegin()->first, "tickets grow");
            waiting_.emplace(ticket, now_);
            return;
        }
        expect(waiting_.empty(), "nobody overtakes the line");
        if (dice(10) == 0) {
            pool_.found_suspicious(*slot, actions);
            waiting_.emplace(pool_.wait(now_, actions), now_);
        } else {
            lend(*slot, now_);
        }
    }

    void give_back(PoolState::Actions& actions) {
        if (lent_.empty()) return;
        const int fate = dice(20);
        const Condition condition = fate == 0   ? Condition::lost
                                    : fate == 1 ? Condition::spent
                                    : fate == 2 ? Condition::suspect
                                    : fate == 3 ? Condition::leaving
                                    : fate < 6  ? Condition::dirty
                                                : Condition::clean;
        if (condition == Condition::lost) lost_at_ = now_;
        const Slot slot = draw(lent_);
        known_[slot].used = now_;
        held_ += now_ - known_[slot].lent;
        ++returned_;
        pool_.returned(slot, condition, now_, actions);
    }

    void finish_open(PoolState::Actions& actions) {
        if (opening_.empty()) return;
        const Slot slot = draw(opening_);
        if (dice(10) < (outage_ ? 9 : 2)) {
            if (failing_ == 0 || slot == probe_) bar_connects();
            ++failed_;
            pool_.open_failed(slot, now_, actions);
            return;
        }
        failing_ = 0;
        probe_.reset();
        known_[slot] = {now_, now_, now_, {}};
        ++opened_;
        pool_.opened(slot, now_, actions);
    }

    // A failed connect, or one that was tried after it: the next comes later, and later each time.
    void bar_connects() {
        barred_until_ = now_ + std::min<std::chrono::milliseconds>(50ms * (1 << std::min(failing_, 8)), 1s);
        ++failing_;
        probe_.reset();
    }

    void finish_test(PoolState::Actions& actions) {
        if (testing_.empty()) return;
        const Slot slot = draw(testing_);
        const int fate = dice(10);
        const Condition condition = fate == 0   ? Condition::lost
                                    : fate == 1 ? Condition::dirty
                                    : fate == 2 ? Condition::spent
                                    : fate == 3 ? Condition::leaving
                                                : Condition::clean;
        if (condition == Condition::lost) lost_at_ = now_;
        if (condition == Condition::clean) known_[slot].proven = known_[slot].used = now_;
        pool_.tested(slot, condition, now_, actions);
    }

    void finish_leaving(PoolState::Actions& actions) {
        if (!leaving_.empty()) pool_.left(draw(leaving_), now_, actions);
    }

    void give_up() {
        if (waiting_.empty()) return;
        const bool timed_out = dice(2) == 0;
        expect(pool_.leave(draw(waiting_).first, timed_out), "a waiter may leave");
        if (timed_out) ++timeouts_;
    }

    void perform(const PoolState::Actions& actions) {
        for (const auto& action : actions) {
            switch (action.kind) {
                case Kind::lend:
                    expect(!waiting_.empty() && action.ticket == waiting_.begin()->first, "first in, first out");
                    lend(action.slot, waiting_.begin()->second);
                    waiting_.erase(waiting_.begin());
                    break;
                case Kind::fail:
                    expect(waiting_.erase(action.ticket) == 1, "only who waits is failed");
                    break;
                case Kind::open:
                    expect(!down_, "nothing is opened after the end");
                    if (failing_ > 0) {
                        expect(opening_.empty(), "while connects fail one is tried at a time");
                        expect(now_ >= barred_until_, "a connect that failed is not repeated at once");
                        probe_ = action.slot;
                    }
                    expect(opening_.insert(action.slot).second, "a slot is opened once");
                    break;
                case Kind::test:
                case Kind::reset:
                    expect(testing_.insert(action.slot).second, "a slot is tested once");
                    break;
                case Kind::leave:
                    expect(leaving_.insert(action.slot).second, "a slot is left once");
                    break;
                case Kind::close:
                    expect(
                        lent_.count(action.slot) + testing_.count(action.slot) + leaving_.count(action.slot) == 0,
                        "what is in use stays open"
                    );
                    if (action.reason == CloseReason::invalid) {
                        expect(known_.at(action.slot).proven <= lost_at_, "only a loss makes a connection invalid");
                    }
                    ++closed_;
                    break;
            }
        }
    }

    void check() const {
        pool_.check_invariants();  // throws the rule that is broken
        const PoolStats stats = pool_.stats();
        const auto busy = lent_.size() + opening_.size() + testing_.size() + leaving_.size();
        expect(stats.checked_out == static_cast<int>(busy), "checked_out is lent, opening, tested or leaving");
        expect(stats.waiting == static_cast<int>(waiting_.size()), "waiting is who waits");
        expect(stats.checkouts == served_, "checkouts counts what was lent");
        expect(stats.waits.count() == served_ && stats.waits.sum() == waited_, "waits are of what was lent");
        expect(stats.holds.count() == returned_ && stats.holds.sum() == held_, "holds are of what came back");
        expect(stats.opened == opened_, "opened counts what was opened");
        expect(stats.connect_failures == failed_, "connect_failures counts what was not");
        expect(stats.timeouts == timeouts_, "timeouts counts whose time passed");
        expect(opened_ - closed_ + opening_.size() == static_cast<std::size_t>(stats.checked_in) + busy, "none leaks");
        const bool full = stats.checked_in + stats.checked_out == settings_.pool_size + settings_.max_overflow;
        if (failing_ == 0 || waiting_.empty() || !opening_.empty() || !testing_.empty() || full) return;
        expect(pool_.next_upkeep(now_) <= now_ + 2s, "who waits while connects fail has one tried within two seconds");
    }

    std::mt19937_64& random_;
    const PoolSettings settings_;
    PoolState pool_;
    Time now_{1h};
    Time lost_at_{};
    std::map<Slot, Known> known_;
    std::set<Slot> lent_, opening_, testing_, leaving_;
    std::map<PoolState::Ticket, Time> waiting_;  // since when
    std::uint64_t served_ = 0;
    std::uint64_t returned_ = 0;
    std::chrono::nanoseconds waited_{};
    std::chrono::nanoseconds held_{};
    std::uint64_t failed_ = 0;
    std::uint64_t timeouts_ = 0;
    std::uint64_t opened_ = 0;
    std::uint64_t closed_ = 0;
    bool outage_ = false;
    int failing_ = 0;  // connects that failed one after another
    Time barred_until_{};
    std::optional<Slot> probe_;  // tried while they fail
    bool down_ = false;
};

}  // namespace

void run_random_pool(std::uint64_t seed, int events) {
    std::mt19937_64 random(seed);
    const auto dice = [&](int sides) { return static_cast<int>(random() % static_cast<std::uint64_t>(sides)); };
    PoolSettings settings;
    settings.pool_size = dice(5);
    settings.max_overflow = settings.pool_size == 0 ? 1 + dice(4) : dice(5);
    settings.connecting_limit = 1 + dice(3);
    settings.pool_recycle = std::chrono::seconds(dice(3) == 0 ? 0 : 20);
    settings.pool_pre_ping = dice(2) == 0;
    settings.pre_ping_after = 1s;
    RandomPool pool(random, settings);
    for (int event = 0; event < events; ++event) pool.step();
    pool.shut_down();
    for (int event = 0; event < events / 50; ++event) pool.step();
    pool.run_dry();
}

}  // namespace tests
