#include "tests/bench/pool/workload.hpp"

#include "db/connection.hpp"

#include <sys/resource.h>

#include <utility>

namespace asio = boost::asio;

namespace bench {

namespace {

constexpr int connections = 8;
constexpr int sharers = 64;

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

}  // namespace

db::PoolSettings pool_settings(bool pre_ping) {
    db::PoolSettings settings;
    settings.pool_size = connections;
    settings.max_overflow = 0;
    settings.pool_pre_ping = pre_ping;
    return settings;
}

Workload Workload::bare(asio::io_context& context, const db::ConnectionSettings& settings) {
    Workload workload(context);
    const auto open_all = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < connections; ++i) {
            workload.sessions_.emplace_back(co_await db::Connection::open(context.get_executor(), settings));
        }
    };
    run(context, open_all());
    return workload;
}

Workload Workload::shared(asio::io_context& context, const db::ConnectionSettings& settings, bool pre_ping) {
    Workload workload(context);
    workload.pool_ = std::make_unique<db::Pool>(context.get_executor(), settings, pool_settings(pre_ping));
    return workload;
}

void Workload::slice(double seconds) {
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    end_ = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<asio::awaitable<void>> coroutines;
    for (int i = 0; pool_ && i < sharers; ++i) coroutines.push_back(share());
    for (db::Session& session : sessions_) coroutines.push_back(own(session));
    run(context_, std::move(coroutines));
    seconds_ += seconds_since(start);
    cpu_seconds_ += cpu_seconds() - cpu;
}

void Workload::forget() {
    statements_ = 0;
    seconds_ = 0;
    cpu_seconds_ = 0;
}

asio::awaitable<void> Workload::share() {
    while (Clock::now() < end_) {
        db::Session session = co_await pool_->checkout();
        co_await ask(session, 1);
        ++statements_;
    }
}

asio::awaitable<void> Workload::own(db::Session& session) {
    while (Clock::now() < end_) {
        co_await ask(session, 1);
        ++statements_;
    }
}

}  // namespace bench
