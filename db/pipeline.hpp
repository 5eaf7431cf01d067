#pragma once

// pipelined: several flat functions in one round trip and, outside an explicit transaction, in one implicit one.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace db {

// Starts every function, each of which must run exactly one statement through `session`, sends the statements
// together, and finishes the functions after the whole answer arrived without an error: so nothing that a function
// returns was rolled back. A function of type awaitable<void> answers std::monostate.
//
//     auto [settings, lost, bundles] = ...  // keep the tuple in a named variable, see docs/style
//     auto answers = co_await db::pipelined(session, queue::fix_plans(session), queue::finish_jobs(session, finished),
//                                           queue::claim_bundles(session, request));
//
// Transaction: the caller's, or an implicit one of its own: all or nothing.
// Throws:      the db::Error of the statement that failed; the others were rolled back with it.
template <class... T>
auto pipelined(Session& session, boost::asio::awaitable<T>... functions)
    -> boost::asio::awaitable<std::tuple<std::conditional_t<std::is_void_v<T>, std::monostate, T>...>>;

}  // namespace db

#include "db/pipeline_impl.hpp"
