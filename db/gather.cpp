#include "db/gather.hpp"

#include <boost/asio/execution.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <cstdlib>

namespace asio = boost::asio;

namespace db {

namespace {

// Runs whatever it is given at once, in place.
class InlineExecutor {
public:
    explicit InlineExecutor(asio::execution_context& context) : context_(&context) {}

    asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.possibly;
    }
    InlineExecutor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
    InlineExecutor require(asio::execution::blocking_t::possibly_t) const noexcept { return *this; }
    template <class Function>
    void execute(Function function) const {
        std::move(function)();
    }
    friend bool operator==(const InlineExecutor&, const InlineExecutor&) noexcept = default;

private:
    asio::execution_context* context_;
};

}  // namespace

Connection::Gather::Gather(Connection& connection)
    : connection_(connection), executor_(InlineExecutor(asio::query(connection.executor(), asio::execution::context))) {
    if (connection_.gather != nullptr) throw Error(ErrorKind::usage, "db::pipelined inside db::pipelined");
    connection_.gather = this;
}

Connection::Gather::~Gather() {
    connection_.gather = nullptr;
}

asio::awaitable<Rows> Connection::Gather::run(const Statement& statement, const Parameters& parameters) {
    if (!collecting_) throw Error(ErrorKind::usage, "a pipelined function runs exactly one statement");
    connection_.send(statement, parameters);
    const std::size_t place = waiting_.size();
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) { waiting_.emplace_back(std::move(handler)); }, asio::use_awaitable
    );
    if (failure_) std::rethrow_exception(failure_);
    co_return std::move(answers_[place]);
}

void Connection::Gather::end(const std::exception_ptr& error) {
    --running_;
    if (error && !failure_) failure_ = error;
}

asio::awaitable<void> Connection::Gather::finish() {
    collecting_ = false;
    if (!waiting_.empty()) {
        try {
            answers_ = co_await connection_.exchange();
        } catch (...) {
            if (!failure_) failure_ = std::current_exception();
        }
        for (auto& handler : waiting_) std::move(handler)();
    }
    if (running_ != 0) {
        std::fputs("db::pipelined: a function waited for something other than its one statement\n", stderr);
        std::abort();
    }
    if (failure_) std::rethrow_exception(failure_);
}

}  // namespace db
