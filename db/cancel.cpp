#include "db/cancel.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <libpq-fe.h>

#include <array>
#include <atomic>
#include <chrono>
#include <utility>

namespace asio = boost::asio;

namespace db {

namespace {

// While a server is a black hole each takes long, and none of them is of use any more.
constexpr int most_waiting = 16;
// What a pooler needs to pass a request on, and more; a network that is so slow gets no more time for it.
constexpr std::chrono::seconds longest_answer{2};

// PQcancel opens a connection of its own and blocks: never on the threads that serve jobs.
struct Threads {
    asio::thread_pool pool{2};  // one for the requests, one after another, and one for the timers
    asio::strand<asio::thread_pool::executor_type> requests{pool.get_executor()};
    std::atomic<int> waiting = 0;
};

Threads& threads() {
    static Threads& threads = *new Threads;  // never joined: a request may hang at exit
    return threads;
}

}  // namespace

void Cancel::Deleter::operator()(PGcancel* request) const {
    PQfreeCancel(request);
}

void Cancel::Deleter::operator()(PGconn* connection) const {
    PQfinish(connection);
}

Cancel::Cancel(PGcancel* request) : request_(request), until_(std::chrono::steady_clock::now() + longest_answer) {}

std::shared_ptr<Cancel> Cancel::send(PGconn* connection) {
    if (PQstatus(connection) != CONNECTION_OK || threads().waiting >= most_waiting) return nullptr;
    PGcancel* const request = PQgetCancel(connection);
    if (request == nullptr) return nullptr;
    auto cancel = std::make_shared<Cancel>(request);
    ++threads().waiting;
    asio::post(threads().requests, [cancel] { cancel->request(); });
    return cancel;
}

void Cancel::request() {
    std::array<char, 256> error{};
    PQcancel(request_.get(), error.data(), static_cast<int>(error.size()));
    --threads().waiting;
    end();
}

void Cancel::end() {
    std::unique_lock lock(mutex_);
    ended_ = true;
    const auto closing = std::move(closing_);
    lock.unlock();  // closing it writes to the network
}

bool Cancel::has_ended() const {
    const std::lock_guard lock(mutex_);
    return ended_ || std::chrono::steady_clock::now() >= until_;
}

void Cancel::close_after(std::unique_ptr<PGconn, Deleter> connection) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;                                                             // closes it
    PQsetNoticeReceiver(connection.get(), [](void*, const PGresult*) {}, nullptr);  // who listened is gone
    closing_ = std::move(connection);
    const auto timer = std::make_shared<asio::steady_timer>(threads().pool, until_);
    timer->async_wait([timer, self = shared_from_this()](boost::system::error_code) { self->end(); });
}

}  // namespace db
