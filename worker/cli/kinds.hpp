#pragma once

// Is a kind known to anybody who could run it?

#include "db/session.hpp"
#include "queue/batches.hpp"
#include "queue/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace worker::cli {

// Throws: Failure (usage), with the nearest name, for the first kind that is neither known here (see kind_names()) nor
// to a
//         live worker.
boost::asio::awaitable<void> check_kinds(
    db::Session& session, std::vector<std::string> known, std::vector<std::string> kinds
);

// Why no live worker takes a job of this kind from this queue, with the way out; empty when one does. Pure.
std::string why_unserved(std::string_view kind, std::string_view queue, std::span<const queue::Worker> workers);

// Why a job of a paused queue waits, with the way out: of what `of` names, such as "its queue". Pure.
std::string why_paused(std::string_view of, std::string_view queue);

// Jobs that no live worker takes, or none may.
struct Unserved {
    std::string kind;
    std::string queue;
    std::string reason;  // as why_unserved gives it, or why_paused
};
// What the jobs of a batch wait for.
struct Waits {
    std::vector<Unserved> unserved;
    std::optional<db::TimePoint> due_at;  // when the first of them is due, where none is available
};
// Throws: db::Error.
boost::asio::awaitable<Waits> read_waits(db::Session& session, queue::BatchId batch);

// Each reason once.
std::vector<std::string> reasons_of(const std::vector<Unserved>& unserved);

}  // namespace worker::cli
