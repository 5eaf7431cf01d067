#pragma once

// Native handlers that block: plain functions, on threads of their own, so that they hold up nobody else.
//
//   jobs::Outcome make_thumbnail(jobs::JobContext& context, Thumbnail args);
//   registry.add({.name = "thumbnail", .handler = blocking_handler<Thumbnail>(threads, make_thumbnail), .policy = {}});
//
// Such a function asks context.stop_token() or stop_reason() now and then. It may report progress and log; a session of
// the pool is not for it.

#include "jobs/handler.hpp"
#include "jobs/typed.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace jobs {

// So many functions run at once, first come first served; the threads start with the first of them.
class BlockingThreads {
public:
    explicit BlockingThreads(int threads);
    // Waits for those that run; what waits in line is dropped.
    ~BlockingThreads();
    BlockingThreads(const BlockingThreads&) = delete;
    BlockingThreads& operator=(const BlockingThreads&) = delete;

    // Runs `function` and answers what it answers. A job that is stopped while it waits in line does not start.
    // Throws: what the function throws.
    // Thread: the coroutine goes on where it was; its event loop outlives the function.
    boost::asio::awaitable<Outcome> run(JobContext& context, std::function<Outcome()> function);

private:
    class Line;
    std::unique_ptr<Line> line_;
};

namespace detail {

template <class Args, class Function>
Outcome call_blocking(const Function& function, JobContext& context) {
    Args args{};
    if (auto discard = decode_args(context.job(), args)) return std::move(*discard);
    return function(context, std::move(args));
}

}  // namespace detail

// A handler from `function(JobContext&, Args) -> Outcome`; args as typed_handler() takes them. The threads outlive it.
template <class Args, class Function>
Handler blocking_handler(BlockingThreads& threads, Function function) {
    return [&threads, function = std::move(function)](JobContext& context) {
        return threads.run(context, [function, &context] { return detail::call_blocking<Args>(function, context); });
    };
}

}  // namespace jobs
