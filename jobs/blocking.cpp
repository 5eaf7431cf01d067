#include "jobs/blocking.hpp"

#include "jobs/exec_protocol.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

namespace jobs {

namespace asio = boost::asio;

// Thread: any.
class BlockingThreads::Line {
public:
    // What the function threw or answered; neither: it did not start.
    struct End {
        std::exception_ptr error{};
        std::optional<Outcome> outcome{};
    };
    struct Call {
        // Holds up the coroutine, which may destroy its event loop next, until whoever resumed it is out of that loop.
        void finish(End end) {
            const std::lock_guard lock(leaving);
            done(std::move(end));
        }

        std::function<Outcome()> function;
        std::function<void(End)> done;
        std::mutex leaving;
        bool is_withdrawn = false;  // guarded by the line's mutex
    };

    explicit Line(int threads) : size_(static_cast<std::size_t>(std::max(1, threads))) {}

    ~Line() {
        {
            const std::lock_guard lock(mutex_);
            is_closed_ = true;
        }
        changed_.notify_all();
        threads_.clear();  // joins
    }

    void add(const std::shared_ptr<Call>& call) {
        std::unique_lock lock(mutex_);
        if (call->is_withdrawn) {
            lock.unlock();
            return call->finish({});
        }
        waiting_.push_back(call);
        if (threads_.size() < size_ && threads_.size() < waiting_.size() + busy_) {
            threads_.emplace_back([this] { work(); });
        }
        lock.unlock();
        changed_.notify_one();
    }

    // Takes it out of the line, if it still stands there or has not come yet.
    void withdraw(const std::shared_ptr<Call>& call) {
        {
            const std::lock_guard lock(mutex_);
            call->is_withdrawn = true;
            if (std::erase(waiting_, call) == 0) return;
        }
        call->finish({});
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return is_closed_ || !waiting_.empty(); });
            if (is_closed_) return;
            const std::shared_ptr<Call> call = std::move(waiting_.front());
            waiting_.pop_front();
            ++busy_;
            lock.unlock();
            End end;
            try {
                end.outcome = call->function();
            } catch (...) {
                end.error = std::current_exception();
            }
            call->finish(std::move(end));
            lock.lock();
            --busy_;
        }
    }

    const std::size_t size_;
    std::mutex mutex_;  // guards all below
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Call>> waiting_;
    std::size_t busy_ = 0;
    bool is_closed_ = false;
    std::vector<std::jthread> threads_;
};

BlockingThreads::BlockingThreads(int threads) : line_(std::make_unique<Line>(threads)) {}

BlockingThreads::~BlockingThreads() = default;

asio::awaitable<Outcome> BlockingThreads::run(JobContext& context, std::function<Outcome()> function) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const auto call = std::make_shared<Line::Call>();
    call->function = std::move(function);
    const auto begin = [&](auto handler) {
        const auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        const auto work = std::make_shared<asio::executor_work_guard<asio::any_io_executor>>(executor);
        call->done = [resume, executor, work](Line::End end) {
            asio::post(executor, [resume, work, end = std::move(end)]() mutable {
                work->reset();  // here, where the event loop lives for sure
                std::move (*resume)(std::move(end));
            });
        };
        line_->add(call);
    };
    const std::stop_callback on_stop(context.stop_token(), [this, call] { line_->withdraw(call); });
    Line::End end =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Line::End)>(begin, asio::use_awaitable);
    {
        const std::lock_guard lock(call->leaving);
    }
    if (end.error) std::rethrow_exception(end.error);
    if (!end.outcome) co_return outcome_of_stop(context.stop_reason(), {});
    co_return std::move(*end.outcome);
}

}  // namespace jobs
