#include "db/socket_wait.hpp"

#include "db/error.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>

#include <array>
#include <mutex>
#include <optional>
#include <tuple>

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using Clock = std::chrono::steady_clock;

namespace db {

// The timer fires on any thread while the connection's coroutine runs on another: every use of the descriptor object
// and of the deadline is under the mutex.
struct SocketWait::State : std::enable_shared_from_this<State> {
    explicit State(const asio::any_io_executor& executor) : descriptor(executor), timer(executor) {}

    void start_timer(Clock::time_point when) {  // under the mutex
        timer_pending = true;
        timer.expires_at(when);
        timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
            if (const auto state = weak.lock(); state && !error) state->look();
        });
    }

    void look() {
        const std::lock_guard lock(mutex);
        timer_pending = false;
        if (!deadline) return;
        if (Clock::now() < *deadline) {
            start_timer(*deadline);
            return;
        }
        expired = true;
        if (descriptor.is_open()) descriptor.cancel();
    }

    std::mutex mutex;
    Descriptor descriptor;
    asio::steady_timer timer;
    std::optional<Clock::time_point> deadline;
    bool timer_pending = false;
    bool expired = false;
    bool interrupted = false;
};

SocketWait::SocketWait(const asio::any_io_executor& executor) : state_(std::make_shared<State>(executor)) {}

SocketWait::~SocketWait() {
    release();
    const std::lock_guard lock(state_->mutex);
    state_->timer.cancel();
}

void SocketWait::assign(int descriptor) {
    const std::lock_guard lock(state_->mutex);
    boost::system::error_code ignored;
    if (state_->descriptor.is_open()) state_->descriptor.close(ignored);
    // A number of our own: libpq closes its socket when it pleases, and the number may be another connection's by the
    // time ours is taken out of the reactor.
    const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (own < 0) throw Error(ErrorKind::connection, "no descriptor is left for a connection");
    state_->descriptor.assign(own);
}

void SocketWait::release() {
    const std::lock_guard lock(state_->mutex);
    boost::system::error_code ignored;
    if (state_->descriptor.is_open()) state_->descriptor.close(ignored);
}

void SocketWait::arm(Clock::time_point deadline) {
    const std::lock_guard lock(state_->mutex);
    state_->deadline = deadline;
    state_->expired = false;
    // A running timer that fires early looks again; only one that would fire late must be moved.
    if (!state_->timer_pending || state_->timer.expiry() > deadline) state_->start_timer(deadline);
}

void SocketWait::disarm() {
    const std::lock_guard lock(state_->mutex);
    state_->deadline.reset();
    state_->expired = false;
}

bool SocketWait::has_expired() const {
    const std::lock_guard lock(state_->mutex);
    return state_->expired;
}

asio::awaitable<void> SocketWait::wait(Event event) {
    const auto initiate = [state = state_.get(), event](auto handler) {
        const std::lock_guard lock(state->mutex);
        if (state->expired || state->interrupted || !state->descriptor.is_open()) {
            const auto executor = asio::get_associated_executor(handler, state->descriptor.get_executor());
            asio::post(executor, [handler = std::move(handler)]() mutable {
                std::move(handler)(boost::system::error_code(asio::error::operation_aborted));
            });
            return;
        }
        if (event != Event::either) {
            state->descriptor.async_wait(
                event == Event::readable ? Descriptor::wait_read : Descriptor::wait_write, std::move(handler)
            );
            return;
        }
        const auto executor = asio::get_associated_executor(handler, state->descriptor.get_executor());
        const auto cancellation = asio::get_associated_cancellation_slot(handler);
        asio::experimental::make_parallel_group(
            state->descriptor.async_wait(Descriptor::wait_read, asio::deferred),
            state->descriptor.async_wait(Descriptor::wait_write, asio::deferred)
        )
            .async_wait(
                asio::experimental::wait_for_one(),
                asio::bind_cancellation_slot(
                    cancellation,
                    asio::bind_executor(
                        executor,
                        [handler = std::move(handler)](
                            std::array<std::size_t, 2> order,
                            boost::system::error_code read,
                            boost::system::error_code write
                        ) mutable { std::move(handler)(order[0] == 0 ? read : write); }
                    )
                )
            );
    };
    // Deferred: awaited without a coroutine frame of its own.
    const std::tuple<boost::system::error_code> answer =
        co_await asio::async_initiate<const asio::as_tuple_t<asio::deferred_t>, void(boost::system::error_code)>(
            initiate, asio::as_tuple(asio::deferred)
        );
    if (!std::get<0>(answer)) co_return;
    const std::lock_guard lock(state_->mutex);
    if (state_->expired) throw Error(ErrorKind::deadline, "no answer from the server in time");
    throw Error(ErrorKind::closed, "the call was cancelled, or the connection is being closed");
}

void SocketWait::interrupt() {
    const std::lock_guard lock(state_->mutex);
    state_->interrupted = true;
    if (state_->descriptor.is_open()) state_->descriptor.cancel();
}

asio::any_io_executor SocketWait::executor() const {
    return state_->descriptor.get_executor();
}

}  // namespace db
