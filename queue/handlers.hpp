#pragma once

// Which kinds have a handler in the fleet.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <compare>
#include <span>
#include <string>
#include <vector>

namespace queue {

struct KindInQueue {
    KindId kind{};
    QueueId queue{};
    auto operator<=>(const KindInQueue&) const = default;
};

struct Handlers {
    KindInQueue of{};
    std::string kind{};     // its name
    bool any_live = false;  // a worker that lives and serves the queue has the kind
};

// One answer for each of `asked`, in no order; those whose kind or queue is not known are left out.
// Throws: db::Error.
boost::asio::awaitable<std::vector<Handlers>> find_handlers(db::Session& session, std::span<const KindInQueue> asked);

}  // namespace queue
