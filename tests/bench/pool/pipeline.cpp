#include "tests/bench/pool/pipeline.hpp"

#include "db/connection.hpp"
#include "db/pipeline.hpp"
#include "tests/bench/pool/run.hpp"

#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace bench {

namespace {

constexpr int packet_size = 64;
constexpr int turns = 10;

asio::awaitable<void> one_by_one(db::Session& session, double seconds, Counted& counted) {
    const auto start = Clock::now();
    while (seconds_since(start) < seconds) {
        co_await ask(session, 1);
        ++counted.statements;
    }
    counted.seconds += seconds_since(start);
}

asio::awaitable<void> in_packets(db::Session& session, double seconds, Counted& counted) {
    const auto start = Clock::now();
    while (seconds_since(start) < seconds) {
        std::vector<asio::awaitable<int>> packet;
        packet.reserve(packet_size);
        for (int i = 0; i < packet_size; ++i) packet.push_back(ask(session, i));
        co_await db::pipelined(session, std::move(packet));
        counted.statements += packet_size;
    }
    counted.seconds += seconds_since(start);
}

}  // namespace

Speedup measure_pipeline(asio::io_context& context, const db::ConnectionSettings& settings, double seconds) {
    Speedup speedup;
    const auto take_turns = [&]() -> asio::awaitable<void> {
        db::Session session(co_await db::Connection::open(context.get_executor(), settings));
        for (int i = 0; i < turns; ++i) {
            co_await one_by_one(session, seconds, speedup.single);
            co_await in_packets(session, seconds, speedup.pipelined);
        }
    };
    run(context, take_turns());
    return speedup;
}

}  // namespace bench
