#include "db/session.hpp"

#include "db/connection.hpp"
#include "db/gather.hpp"
#include "db/pool_core.hpp"

namespace asio = boost::asio;

namespace db {

Session::Session(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

Session::Session(std::unique_ptr<Connection> connection, std::shared_ptr<PoolCore> pool, std::uint32_t slot)
    : connection_(std::move(connection)), pool_(std::move(pool)), slot_(slot) {}

Session::~Session() {
    give_back();
}

Session::Session(Session&&) noexcept = default;

Session& Session::operator=(Session&& other) noexcept {
    if (this != &other) {
        give_back();
        connection_ = std::move(other.connection_);
        pool_ = std::move(other.pool_);
        slot_ = other.slot_;
    }
    return *this;
}

void Session::give_back() {
    if (connection_ && pool_) pool_->give_back(std::move(connection_), slot_);
}

asio::awaitable<Rows> Session::run(const Statement& statement, Parameters parameters) {
    if (connection_->gather != nullptr) co_return co_await connection_->gather->run(statement, parameters);
    connection_->send(statement, parameters);
    std::vector<Rows> answers = co_await connection_->exchange();
    co_return std::move(answers.back());
}

asio::awaitable<void> Session::run_script(std::string_view sql, std::chrono::milliseconds timeout) {
    return connection_->run_script(sql, timeout);
}

asio::awaitable<std::int64_t> Session::copy_in(const Statement& statement, Fill fill) {
    co_return co_await connection_->copy_in(statement, fill);
}

}  // namespace db
