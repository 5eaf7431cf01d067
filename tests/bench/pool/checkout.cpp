#include "tests/bench/pool/checkout.hpp"

#include "tests/bench/pool/allocations.hpp"
#include "tests/bench/pool/run.hpp"

namespace bench {

boost::asio::awaitable<void> measure_checkout(db::Pool& pool, Checkout& result) {
    for (int i = 0; i < 10'000; ++i) const db::Session warm = co_await pool.checkout();
    constexpr int rounds = 20'000;
    std::vector<double> taken(rounds);
    const std::uint64_t before = allocations_so_far();
    for (double& one : taken) {
        const auto start = Clock::now();
        {
            const db::Session session = co_await pool.checkout();
        }
        one = seconds_since(start) * 1e6;
    }
    result.allocations += allocations_so_far() - before;
    result.count += rounds;
    result.microseconds.push_back(median(std::move(taken)));
}

}  // namespace bench
