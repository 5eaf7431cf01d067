#pragma once

// One connection: libpq, non-blocking, on Asio coroutines.
//
// Statements go out in packets: send() queues one in libpq's buffer, exchange() flushes the packet and reads its whole
// answer. A packet is one round trip and, outside an explicit transaction, one implicit transaction (pipeline mode).
//
// Cancellation of a call ends it with db::Error (closed); the server is asked to stop, and the connection is of no use
// any more.
//
// Thread: one coroutine at a time; it may resume on any thread of the executor. interrupt() may be called from any.

#include "db/cancel.hpp"
#include "db/error.hpp"
#include "db/parameters.hpp"
#include "db/rows.hpp"
#include "db/settings.hpp"
#include "db/socket_wait.hpp"
#include "db/statement.hpp"
#include "db/transaction_end.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

struct pg_conn;
struct pg_result;

namespace db {

struct Notification {
    std::string channel;
    std::string payload;
};

enum class Isolation { server_default, repeatable_read, serializable };

class Connection {
public:
    using Clock = std::chrono::steady_clock;

    // Connects and logs in. Throws: db::Error (connection, deadline, or server for a refused login).
    static boost::asio::awaitable<std::unique_ptr<Connection>> open(
        boost::asio::any_io_executor executor, ConnectionSettings settings, std::shared_ptr<const Hooks> hooks = {}
    );
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // BEGIN goes out in front of the next statement; without a next statement there is no transaction.
    void begin(Isolation isolation = Isolation::server_default);
    // Queues one statement. Throws: db::Error (usage, connection).
    void send(const Statement& statement, const Parameters& parameters);
    // Sends what is queued and reads the whole answer. Throws the first statement's error; nothing of a packet that
    // failed has happened. `limit` zero: statement_timeout and grace, without one longest_call.
    boost::asio::awaitable<std::vector<Rows>> exchange(std::chrono::milliseconds limit = {});
    boost::asio::awaitable<void> commit();
    boost::asio::awaitable<void> rollback(std::chrono::milliseconds limit = {});

    // Tells how the explicit transaction that is open now ends. It stays unknown when the connection breaks, and when
    // the transaction ends by a statement instead of commit() and rollback(). Throws: db::Error (usage) when there is
    // none.
    TransactionWatch watch_transaction();

    boost::asio::awaitable<void> run_script(std::string_view sql, std::chrono::milliseconds timeout);
    boost::asio::awaitable<std::int64_t> copy_in(
        const Statement& statement, const std::function<bool(std::string& buffer)>& fill
    );

    // Waits for a notification of a channel that this connection listens to; nothing when none came within the limit
    // (zero: none). Ends by interrupt() as well. A server that is gone without a word is not noticed here: ask it.
    boost::asio::awaitable<std::optional<Notification>> wait_notification(std::chrono::milliseconds limit = {});

    // Whether the next exchange can work: connected, and nothing left over. No system call.
    bool is_usable() const;
    bool is_lost() const;  // the server or the way to it is gone; other unusable connections say nothing of it
    // Of no use any more, and not gone yet: it closes when the server has answered the request to cancel, 2 s later at
    // most.
    bool is_being_cancelled() const { return cancel_ && !cancel_->has_ended(); }
    bool in_transaction() const;
    // A system call, no round trip: the server closed or wrote something while nobody asked.
    bool has_unread_input() const;
    // Waits end at once with db::Error (closed). Thread: any.
    void interrupt() { wait_.interrupt(); }

    std::int64_t backend_pid() const;  // as the server or pooler told at login
    int server_version() const;        // 150020 for 15.20
    Clock::time_point opened_at() const { return opened_at_; }
    Clock::time_point answered_at() const { return answered_at_; }  // the last whole answer, or the login
    boost::asio::any_io_executor executor() const { return wait_.executor(); }
    const ConnectionSettings& settings() const { return settings_; }

    // For db::pipelined: while gathering, statements wait for each other (db/gather.cpp).
    class Gather;
    Gather* gather = nullptr;

private:
    Connection(
        const boost::asio::any_io_executor& executor, ConnectionSettings settings, std::shared_ptr<const Hooks> hooks
    );

    // What the answer to one queued command will be.
    struct Expected {
        enum class Kind { control, prepare, statement } kind = Kind::control;
        const Statement* statement = nullptr;
    };

    struct Clearer {
        void operator()(const pg_result* result) const;
    };
    using Result = std::unique_ptr<const pg_result, Clearer>;

    boost::asio::awaitable<void> connect();
    boost::asio::awaitable<Result> next_result();
    void consume();
    boost::asio::awaitable<void> flush();
    void queue_command(const char* sql);
    void queue_begin();
    void queue_statement_timeout();
    void enter_pipeline();
    void leave_pipeline();
    void arm(std::chrono::milliseconds limit);
    [[noreturn]] void lose(std::string_view doing);
    // After a lost connection or a missed deadline: nothing more comes of it, and the server stops working for it.
    [[noreturn]] void give_up(const std::exception_ptr& lost);
    void report(const Statement& statement, std::chrono::nanoseconds took, const Error* error) const;

    ConnectionSettings settings_;
    std::shared_ptr<const Hooks> hooks_;
    std::unique_ptr<pg_conn, Cancel::Deleter> pg_;
    SocketWait wait_;                 // destroyed before pg_, which owns the descriptor
    std::shared_ptr<Cancel> cancel_;  // once the server was asked to stop: pg_ is closed behind it
    std::vector<Expected> expected_;
    std::vector<Expected> reading_;                  // what exchange() is reading the answers of
    Parameters::View view_;                          // kept for its memory
    std::unordered_set<std::string_view> prepared_;  // names, which are literals
    Clock::time_point opened_at_;
    Clock::time_point answered_at_;
    std::shared_ptr<std::atomic<TransactionEnd>> watched_;  // once somebody asked, until the transaction ends
    bool begin_pending_ = false;
    const char* begin_sql_ = "begin";  // of the pending begin
    bool packet_limited_ = false;      // the server's statement_timeout is set in this packet or transaction
    bool broken_ = false;
    bool lost_ = false;
};

}  // namespace db
