// tests/bench/run pool: what the pool costs, each number against what the same machine does without it in the same run.

#include "db/connection.hpp"
#include "db/pipeline.hpp"
#include "db/pool.hpp"
#include "db/url.hpp"
#include "tests/support/fault_proxy.hpp"
#include "worker/embedded_postgres.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

std::atomic<std::uint64_t> allocations = 0;

}  // namespace

// Counts what the C++ side allocates; libpq's own buffers are not touched by a checkout.
void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    const auto step = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

namespace {

constexpr int connections = 8;
constexpr int sharers = 64;
constexpr int in_pipeline = 64;
constexpr int slices = 10;

const db::Statement one_sql{"bench_one", "select $1::integer"};

struct Options {
    int repeats = 5;
    double seconds = 1;  // of each kind of work in a repeat
};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Runs the coroutines on one thread until all have ended.
void run(asio::io_context& context, std::vector<asio::awaitable<void>> coroutines) {
    std::size_t running = coroutines.size();
    for (asio::awaitable<void>& one : coroutines) {
        asio::co_spawn(context, std::move(one), [&](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
            if (--running == 0) context.stop();
        });
    }
    context.restart();
    context.run();
}

asio::awaitable<int> ask(db::Session& session, int number) {
    const db::Rows rows = co_await session.execute(one_sql, number);
    co_return rows.front().get<int>(0);
}

db::PoolSettings pool_settings(bool pre_ping) {
    db::PoolSettings settings;
    settings.pool_size = connections;
    settings.max_overflow = 0;
    settings.pool_pre_ping = pre_ping;
    return settings;
}

// Microseconds of one checkout and return with nobody else about, and what they allocated together.
struct Checkout {
    std::vector<double> microseconds;  // each the median of many
    std::uint64_t allocations = 0;
    std::uint64_t count = 0;
};

asio::awaitable<void> measure_checkout(db::Pool& pool, Checkout& result) {
    for (int i = 0; i < 10'000; ++i) const db::Session warm = co_await pool.checkout();
    constexpr int rounds = 20'000;
    static std::vector<double> taken(rounds);
    const std::uint64_t before = allocations;
    for (double& one : taken) {
        const auto start = Clock::now();
        {
            const db::Session session = co_await pool.checkout();
        }
        one = seconds_since(start) * 1e6;
    }
    result.allocations += allocations - before;
    result.count += rounds;
    result.microseconds.push_back(median(taken));
}

// Statements that coroutines run in turn, as often as it is called: 64 that share a pool, each statement with a
// checkout of its own; or 8 with a connection each.
class Workload {
public:
    explicit Workload(asio::io_context& context) : context_(context) {}
    Workload(asio::io_context& context, const db::ConnectionSettings& settings, bool pre_ping)
        : context_(context), pool_(std::in_place, context.get_executor(), settings, pool_settings(pre_ping)) {}

    void open(const db::ConnectionSettings& settings) {
        const auto all = [&]() -> asio::awaitable<void> {
            for (int i = 0; i < connections; ++i) {
                sessions_.emplace_back(co_await db::Connection::open(context_.get_executor(), settings));
            }
        };
        std::vector<asio::awaitable<void>> one;
        one.push_back(all());
        run(context_, std::move(one));
    }

    void slice(double length) {
        const auto start = Clock::now();
        end_ = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(length));
        std::vector<asio::awaitable<void>> coroutines;
        for (int i = 0; pool_ && i < sharers; ++i) coroutines.push_back(share());
        for (db::Session& session : sessions_) coroutines.push_back(own(session));
        run(context_, std::move(coroutines));
        seconds_ += seconds_since(start);
    }
    void forget() {
        statements_ = 0;
        seconds_ = 0;
    }
    double rate() const { return static_cast<double>(statements_) / seconds_; }

private:
    asio::awaitable<void> share() {
        while (Clock::now() < end_) {
            db::Session session = co_await pool_->checkout();
            co_await ask(session, 1);
            ++statements_;
        }
    }
    asio::awaitable<void> own(db::Session& session) {
        while (Clock::now() < end_) {
            co_await ask(session, 1);
            ++statements_;
        }
    }

    asio::io_context& context_;
    std::optional<db::Pool> pool_;
    std::vector<db::Session> sessions_;
    Clock::time_point end_;
    std::uint64_t statements_ = 0;
    double seconds_ = 0;
};

// Statements of one session: one by one, or 64 to a packet.
struct Counted {
    std::uint64_t statements = 0;
    double seconds = 0;
    double rate() const { return static_cast<double>(statements) / seconds; }
};

asio::awaitable<void> count_statements(db::Session& session, bool pipelined, double length, Counted& counted) {
    const auto start = Clock::now();
    while (seconds_since(start) < length) {
        if (pipelined) {
            std::vector<asio::awaitable<int>> packet;
            packet.reserve(in_pipeline);
            for (int i = 0; i < in_pipeline; ++i) packet.push_back(ask(session, i));
            co_await db::pipelined(session, std::move(packet));
            counted.statements += in_pipeline;
        } else {
            co_await ask(session, 1);
            ++counted.statements;
        }
    }
    counted.seconds += seconds_since(start);
}

struct Speedup {
    Counted single;
    Counted pipelined;
    double ratio() const { return pipelined.rate() / single.rate(); }
};

Speedup measure_pipeline(asio::io_context& context, const db::ConnectionSettings& settings, double length) {
    Speedup speedup;
    const auto take_turns = [&]() -> asio::awaitable<void> {
        db::Session session(co_await db::Connection::open(co_await asio::this_coro::executor, settings));
        for (int i = 0; i < slices; ++i) {
            co_await count_statements(session, false, length, speedup.single);
            co_await count_statements(session, true, length, speedup.pipelined);
        }
    };
    std::vector<asio::awaitable<void>> one;
    one.push_back(take_turns());
    run(context, std::move(one));
    return speedup;
}

struct Result {
    Checkout checkout;
    std::vector<double> shared_vs_bare;
    std::vector<double> pre_ping_ratio;
    std::vector<double> pipeline_speedup;
    std::vector<double> remote_speedup;
    std::vector<double> bare;
    std::vector<double> single;
};

// The kinds of work take turns in slices, so that whatever else the machine does meets all of them alike.
void repeat_once(
    const Options& options, const db::ConnectionSettings& settings, const db::ConnectionSettings& remote, Result& result
) {
    asio::io_context context{1};
    {
        db::Pool pool(context.get_executor(), settings, pool_settings(true));
        std::vector<asio::awaitable<void>> one;
        one.push_back(measure_checkout(pool, result.checkout));
        run(context, std::move(one));
    }
    Workload bare(context);
    bare.open(settings);
    Workload shared(context, settings, true);
    Workload unpinged(context, settings, false);
    const double length = options.seconds / slices;
    for (int i = 0; i <= slices; ++i) {
        for (Workload* one : {&bare, &shared, &unpinged}) one->slice(length);
        for (Workload* one : {&unpinged, &shared, &bare}) one->slice(length);
        if (i > 0) continue;
        for (Workload* one : {&bare, &shared, &unpinged}) one->forget();  // warm
    }
    const Speedup here = measure_pipeline(context, settings, length);
    const Speedup far = measure_pipeline(context, remote, length);
    result.shared_vs_bare.push_back(shared.rate() / bare.rate());
    result.pre_ping_ratio.push_back(shared.rate() / unpinged.rate());
    result.pipeline_speedup.push_back(here.ratio());
    result.remote_speedup.push_back(far.ratio());
    result.bare.push_back(bare.rate());
    result.single.push_back(here.single.rate());
    fmt::print(
        stderr,
        "checkout {:.3f} us; statements/s: bare {:.0f}, shared {:.0f}, without pre-ping {:.0f}, single {:.0f}, "
        "pipelined {:.0f}\n",
        result.checkout.microseconds.back(),
        bare.rate(),
        shared.rate(),
        unpinged.rate(),
        here.single.rate(),
        here.pipelined.rate()
    );
}

void measure(const Options& options, const std::string& url) {
    db::ConnectionSettings settings;
    settings.url = url;
    // The same server as if it stood in another building.
    tests::FaultProxy network(db::parse_url(url)->hosts.front().name + "/.s.PGSQL.5432");
    network.delay(1ms);
    db::ConnectionSettings remote;
    remote.url = network.url("postgres");
    Result result;
    for (int i = 0; i < options.repeats; ++i) repeat_once(options, settings, remote, result);
    fmt::print(
        "{{\"checkout_us\": {:.3f}, \"allocations_per_checkout\": {:.3f}, \"shared_vs_bare\": {:.3f}, "
        "\"pre_ping_ratio\": {:.3f}, \"pipeline_speedup\": {:.1f}, \"pipeline_speedup_2ms\": {:.1f}, "
        "\"bare_statements_per_s\": {:.0f}, "
        "\"single_statements_per_s\": {:.0f}, \"repeats\": {}}}\n",
        median(result.checkout.microseconds),
        static_cast<double>(result.checkout.allocations) / static_cast<double>(result.checkout.count),
        median(result.shared_vs_bare),
        median(result.pre_ping_ratio),
        median(result.pipeline_speedup),
        median(result.remote_speedup),
        median(result.bare),
        median(result.single),
        options.repeats
    );
}

int usage(int code) {
    std::fputs("usage: bench_pool [--repeats N] [--seconds S]\n", code == 0 ? stdout : stderr);
    return code;
}

}  // namespace

int main(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string word = arguments[i];
        if (word == "--help") return usage(0);
        if (i + 1 >= count) return usage(2);
        if (word == "--repeats") {
            options.repeats = std::max(1, std::atoi(arguments[++i]));
        } else if (word == "--seconds") {
            options.seconds = std::max(0.01, std::atof(arguments[++i]));
        } else {
            return usage(2);
        }
    }
    std::string folder = (std::filesystem::temp_directory_path() / "task-worker-bench-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) return 1;
    std::filesystem::permissions(folder, std::filesystem::perms(0755));  // the server's user must pass
    int code = 0;
    try {
        const worker::EmbeddedPostgres postgres({.folder = folder});
        measure(options, postgres.url());
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_pool: {}\n", error.what());
        code = 1;
    }
    std::filesystem::remove_all(folder);
    return code;
}
