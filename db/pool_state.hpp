#pragma once

// The pool's state machine: pure. It decides which connection is lent, opened, tested, reset or closed, and who waits;
// the shell in db/pool_core.cpp does it. No I/O, no clock of its own, no lock.
//
// Connections are named by slot (0 .. pool_size + max_overflow - 1), waiters by ticket. Reuse is last in, first out, so
// that a quiet pool uses few connections and lets the others age; waiters are served first in, first out.

#include "db/pool_stats.hpp"
#include "db/settings.hpp"

#include <boost/container/small_vector.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace db {

class PoolState {
public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;
    using Slot = std::uint32_t;
    using Ticket = std::uint64_t;

    struct Action {
        enum class Kind {
            lend,   // give the slot's connection to the ticket's waiter
            open,   // open a connection for the slot, then opened() or open_failed()
            test,   // ask the server whether the connection lives, then tested()
            reset,  // end its transaction, then tested()
            leave,  // wait until the server let go of it, then left()
            close,  // close the slot's connection
            fail,   // wake the ticket's waiter with the last connect error, or with closed
        };
        Kind kind{};
        Slot slot = 0;
        Ticket ticket = 0;
        CloseReason reason = CloseReason::overflow;  // of close
    };
    using Actions = boost::container::small_vector<Action, 4>;  // one event seldom asks for more

    // How a connection came back.
    enum class Condition {
        clean,    // it can be lent again
        suspect,  // it may be dead: to be tested
        dirty,    // inside a transaction: to be reset; after a reset: it cannot be cleaned
        spent,    // of no use any more by itself; says nothing about others
        leaving,  // the same, but the server has it until a request to cancel was answered
        lost,     // the server went away: every connection opened before is held to be dead as well
    };

    // `seed` is of the jitter: each process should have its own.
    explicit PoolState(const PoolSettings& settings, std::uint64_t seed = 1);

    // A caller wants a session. Answers the slot when one is free, fresh and nobody waits: the fast path, which the
    // shell may still refuse by found_suspicious(). Otherwise call wait().
    std::optional<Slot> take(Time now);
    // The caller joins the line. Appends what there is to do.
    Ticket wait(Time now, Actions& actions);
    // A waiter gave up or its time passed. False when it was served or failed meanwhile.
    bool leave(Ticket ticket, bool timed_out);

    // `answered`: when the server last answered, if that is not now. From then on the connection is idle.
    void returned(
        Slot slot, Condition condition, Time now, Actions& actions, std::optional<Time> answered = std::nullopt
    );
    // A taken connection looked dead before it was lent.
    void found_suspicious(Slot slot, Actions& actions);
    void opened(Slot slot, Time now, Actions& actions);
    void open_failed(Slot slot, Time now, Actions& actions);
    // After test or reset: clean when it may be lent.
    void tested(Slot slot, Condition condition, Time now, Actions& actions);
    // After leave.
    void left(Slot slot, Time now, Actions& actions);
    // Tries again to connect for those who wait, after a pause; else opens a replacement for a free connection of age,
    // one at a time.
    void upkeep(Time now, Actions& actions);
    // When upkeep() is due next, as known after opened(), open_failed() and upkeep(); Time::max(): never.
    Time next_upkeep(Time now) const;
    // Refuses new work: fails every waiter and closes what is free.
    void shut_down(Actions& actions);

    PoolStats stats() const;
    bool is_shut_down() const { return shut_down_; }
    // Whether nothing is open but what leaves by itself.
    bool is_empty() const { return open_ == leaving_; }
    std::optional<Time> lent_since(Slot slot) const;
    // Throws std::logic_error naming the broken rule. For tests, after each event.
    void check_invariants() const;

private:
    enum class Use : std::uint8_t { empty, opening, free, testing, lent, leaving };
    struct Place {
        Use use = Use::empty;
        bool replaced = false;  // its replacement is open: to be closed when it is not needed
        Time opened_at{};
        Time used_at{};
        Time lent_at{};
        Time replace_at{};  // from then on a replacement is opened in the background
        Time expires_at{};  // from then on it is never lent
    };
    // At most one replacement is being opened at a time.
    struct Replacement {
        Slot fresh;
        std::optional<Slot> old;  // empty when it was closed meanwhile
    };

    struct Waiting {
        Ticket ticket;
        Time since;
    };

    void lend(Slot slot, Time since, Time now);
    void available(Slot slot, Time now, Actions& actions);  // lends it, keeps it or closes it
    void close(Slot slot, CloseReason reason, Actions& actions);
    void lose(Slot slot, Time now, Actions& actions);
    void serve_waiters(Time now, Actions& actions);
    void start_open(Actions& actions);
    void start_test(Slot slot, Action::Kind kind, Actions& actions);
    void start_leaving(Slot slot, Actions& actions);
    void forget_replacement(Slot slot);
    Ticket first_waiter();
    void retire_replaced(Slot fresh, Actions& actions);
    bool may_connect(Time now) const;
    void back_off(Time now);
    std::uint64_t random();
    void plan_age(Place& place, Time now);
    bool is_expired(const Place& place, Time now) const;
    bool needs_test(const Place& place, Time now) const;
    int extra() const;  // open only because one connection takes another's place
    std::optional<Slot> oldest_free() const;

    PoolSettings settings_;
    std::vector<Place> places_;
    std::vector<Slot> free_;   // last in, first out
    std::vector<Slot> empty_;  // slots without a connection
    std::deque<Waiting> line_;
    Ticket last_ticket_ = 0;
    Time valid_from_ = Time::min();  // connections opened before a loss was seen are not lent again
    std::optional<Replacement> replacement_;
    int failures_ = 0;                 // connects in a row that failed, those of one moment counted once
    Time next_connect_ = Time::min();  // none is begun before
    PoolStats counters_;
    int open_ = 0;  // not empty
    int opening_ = 0;
    int testing_ = 0;
    int lent_ = 0;
    int leaving_ = 0;  // open, and of no use any more: counted so that the pool never has more than it may
    int replaced_ = 0;
    std::uint64_t random_;
    bool shut_down_ = false;
};

}  // namespace db
