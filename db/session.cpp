#include "db/session.hpp"

#include "db/connection.hpp"
#include "db/gather.hpp"

namespace asio = boost::asio;

namespace db {

Session::Session(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

Session::Session(std::unique_ptr<Connection> connection, GiveBack give_back)
    : connection_(std::move(connection)), give_back_(std::move(give_back)) {}

Session::~Session() {
    if (connection_ && give_back_) give_back_(std::move(connection_));
}

Session::Session(Session&&) noexcept = default;

Session& Session::operator=(Session&& other) noexcept {
    if (this != &other) {
        if (connection_ && give_back_) give_back_(std::move(connection_));
        connection_ = std::move(other.connection_);
        give_back_ = std::move(other.give_back_);
    }
    return *this;
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
