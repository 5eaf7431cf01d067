#pragma once

// Names and their numbers: kinds and queues. Numbers never change, so that they may be remembered for ever.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace queue {

struct KindName {
    KindId id{};
    std::string name{};
};

// Every kind that was ever enqueued or declared, in the order of their ids.
// Throws: db::Error.
boost::asio::awaitable<std::vector<KindName>> read_kinds(db::Session& session);

struct NewKind {
    std::string name{};
    std::optional<std::int16_t> bundle{};  // most jobs to a row; empty: as the enqueue call chooses, or by its size
};

// Adds the kinds that are missing, sets `bundle` of all, and returns them in the order given.
// Throws: db::Error.
boost::asio::awaitable<std::vector<KindName>> intern_kinds(db::Session& session, std::span<const NewKind> kinds);

struct Queue {
    QueueId id{};
    std::string name{};
    bool paused = false;
    std::optional<int> concurrency{};  // started jobs of one worker process; empty: no limit
    bool operator==(const Queue&) const = default;
};

// Every queue, in the order of their ids.
// Throws: db::Error.
boost::asio::awaitable<std::vector<Queue>> read_queues(db::Session& session);

struct QueueDeclaration {
    std::string name{};
    std::optional<int> concurrency{};
    std::optional<bool> paused{};  // empty: as it is; a new queue is not paused
};

// Adds the queues that are missing, sets the limits of all, and returns them in the order given.
// Throws: db::Error.
boost::asio::awaitable<std::vector<Queue>> declare_queues(
    db::Session& session, std::span<const QueueDeclaration> queues
);

}  // namespace queue
