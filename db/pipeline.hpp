#pragma once

// pipelined: several flat functions in one round trip and, outside an explicit transaction, in one implicit one.

#include "db/gather.hpp"
#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace db {

// Starts every function, each of which must run exactly one statement through `session`, sends the statements
// together, and finishes the functions after the whole answer arrived without an error: so nothing that a function
// returns was rolled back. A function of type awaitable<void> answers std::monostate.
//
//     auto answers = co_await db::pipelined(session, queue::fix_plans(session), queue::finish_jobs(session, finished),
//                                           queue::claim_bundles(session, request));
//
// Transaction: the caller's, or an implicit one of its own: all or nothing.
// Throws:      the db::Error of the statement that failed; the others were rolled back with it.
template <class... T>
auto pipelined(Session& session, boost::asio::awaitable<T>... functions)
    -> boost::asio::awaitable<std::tuple<std::conditional_t<std::is_void_v<T>, std::monostate, T>...>> {
    std::tuple<std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>>...> results;
    Connection::Gather gather(session.connection());
    std::apply([&](auto&... result) { (gather.start(std::move(functions), result), ...); }, results);
    co_await gather.finish();
    co_return std::apply([](auto&... result) { return std::tuple(std::move(*result)...); }, results);
}

// The same for any number of functions of one kind. Answers their results in order.
template <class T>
boost::asio::awaitable<std::vector<T>> pipelined(Session& session, std::vector<boost::asio::awaitable<T>> functions) {
    std::vector<std::optional<T>> results(functions.size());
    Connection::Gather gather(session.connection());
    for (std::size_t i = 0; i < functions.size(); ++i) gather.start(std::move(functions[i]), results[i]);
    co_await gather.finish();
    std::vector<T> values;
    values.reserve(results.size());
    for (std::optional<T>& result : results) values.push_back(std::move(*result));
    co_return values;
}

}  // namespace db
