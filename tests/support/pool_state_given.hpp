#pragma once

// A pool's state machine as a test finds it.

#include "db/pool_state.hpp"

#include <vector>

namespace tests {

using Kind = db::PoolState::Action::Kind;
using Condition = db::PoolState::Condition;
using Actions = db::PoolState::Actions;

inline const db::PoolState::Time start{std::chrono::hours(1)};

inline db::PoolSettings small_pool() {
    db::PoolSettings settings;
    settings.pool_size = 2;
    settings.max_overflow = 1;
    return settings;
}

inline std::vector<Kind> kinds(const Actions& actions) {
    std::vector<Kind> kinds;
    for (const auto& action : actions) kinds.push_back(action.kind);
    return kinds;
}

// A pool with `n` connections, all free but those beyond pool_size.
inline db::PoolState warm(const db::PoolSettings& settings, int n) {
    db::PoolState pool(settings);
    Actions actions;
    for (int i = 0; i < n; ++i) pool.wait(start, actions);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (actions[i].kind == Kind::open) pool.opened(db::PoolState::Slot{actions[i].slot}, start, actions);
    }
    for (const auto& action : Actions(actions)) {
        if (action.kind == Kind::lend) pool.returned(action.slot, Condition::clean, start, actions);
    }
    return pool;
}

}  // namespace tests
