// tests/bench/run pool: what the pool costs, each number against what the same machine does without it in the same run.

#include "tests/bench/pool/checkout.hpp"
#include "tests/bench/pool/pipeline.hpp"
#include "tests/bench/pool/placement.hpp"
#include "tests/bench/pool/run.hpp"
#include "tests/bench/pool/workload.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/own_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace bench;

namespace {

constexpr int slices = 10;

struct Options {
    int repeats = 5;
    double seconds = 1;  // of each kind of work in a repeat
};

// The same server by three ways.
struct Ways {
    db::ConnectionSettings socket;
    db::ConnectionSettings tcp;      // on 127.0.0.1, as from a container beside it
    db::ConnectionSettings distant;  // as if it stood in another building
};

// Of one placement.
struct Result {
    std::vector<double> shared_vs_bare;
    std::vector<double> pre_ping_ratio;
    std::vector<double> socket_speedup;
    std::vector<double> tcp_speedup;
    std::vector<double> bare;
    std::vector<double> shared;
    std::vector<double> single;
};

// The kinds of work take turns in slices, so that whatever else the machine does meets all of them alike.
void repeat_once(const Options& options, Placement placement, const Ways& ways, Result& result) {
    boost::asio::io_context context{1};
    Workload bare = Workload::bare(context, ways.socket);
    Workload shared = Workload::shared(context, ways.socket, true);
    Workload unpinged = Workload::shared(context, ways.socket, false);
    const double length = options.seconds / slices;
    for (int i = 0; i <= slices; ++i) {
        for (Workload* one : {&bare, &shared, &unpinged}) one->slice(length);
        for (Workload* one : {&unpinged, &shared, &bare}) one->slice(length);
        if (i > 0) continue;
        for (Workload* one : {&bare, &shared, &unpinged}) one->forget();  // warm
    }
    const Speedup socket = measure_pipeline(context, ways.socket, length);
    const Speedup tcp = measure_pipeline(context, ways.tcp, length);
    result.shared_vs_bare.push_back(shared.rate() / bare.rate());
    result.pre_ping_ratio.push_back(shared.rate() / unpinged.rate());
    result.socket_speedup.push_back(socket.ratio());
    result.tcp_speedup.push_back(tcp.ratio());
    result.bare.push_back(bare.rate());
    result.shared.push_back(shared.rate());
    result.single.push_back(tcp.single.rate());
    fmt::print(
        stderr,
        "{}: statements/s (and us of processor time each, on this side): bare {:.0f} ({:.2f}), shared {:.0f} ({:.2f}), "
        "without pre-ping {:.0f} ({:.2f}); one by one and in packets: socket {:.0f} {:.0f}, TCP {:.0f} {:.0f}\n",
        name_of(placement),
        bare.rate(),
        bare.cpu_microseconds(),
        shared.rate(),
        shared.cpu_microseconds(),
        unpinged.rate(),
        unpinged.cpu_microseconds(),
        socket.single.rate(),
        socket.pipelined.rate(),
        tcp.single.rate(),
        tcp.pipelined.rate()
    );
}

void measure(const Options& options) {
    using namespace std::chrono_literals;
    const tests::OwnServer server({.tcp = true});
    tests::FaultProxy network(server.socket());
    network.delay(1ms);
    const Ways ways{
        .socket = {.url = server.url()},
        .tcp = {.url = fmt::format("postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable", server.port())},
        .distant = {.url = network.url("postgres")},
    };
    Checkout checkout;
    Result apart;
    Result together;
    std::vector<double> distant_speedup;
    for (int i = 0; i < options.repeats; ++i) {
        place(Placement::apart, server.pid());
        boost::asio::io_context context{1};
        {
            db::Pool pool(context.get_executor(), ways.socket, pool_settings(true));
            run(context, measure_checkout(pool, checkout));
        }
        distant_speedup.push_back(measure_pipeline(context, ways.distant, options.seconds / slices).ratio());
        repeat_once(options, Placement::apart, ways, apart);
        place(Placement::together, server.pid());
        repeat_once(options, Placement::together, ways, together);
    }
    const double checkouts = static_cast<double>(checkout.count);
    const std::vector<std::pair<std::string_view, std::string>> fields{
        {"measure", "\"pool\""},
        {"checkout_us", fmt::format("{:.3f}", median(checkout.microseconds))},
        {"allocations_per_checkout", fmt::format("{:.3f}", static_cast<double>(checkout.allocations) / checkouts)},
        {"shared_vs_bare", fmt::format("{:.3f}", median(apart.shared_vs_bare))},
        {"shared_vs_bare_one_core", fmt::format("{:.3f}", median(together.shared_vs_bare))},
        {"pre_ping_ratio", fmt::format("{:.3f}", median(apart.pre_ping_ratio))},
        {"pre_ping_ratio_one_core", fmt::format("{:.3f}", median(together.pre_ping_ratio))},
        {"pipeline_speedup", fmt::format("{:.1f}", median(apart.tcp_speedup))},
        {"pipeline_speedup_socket", fmt::format("{:.1f}", median(apart.socket_speedup))},
        {"pipeline_speedup_one_core", fmt::format("{:.1f}", median(together.tcp_speedup))},
        {"pipeline_speedup_socket_one_core", fmt::format("{:.1f}", median(together.socket_speedup))},
        {"pipeline_speedup_2ms", fmt::format("{:.1f}", median(distant_speedup))},
        {"bare_statements_per_s", fmt::format("{:.0f}", median(apart.bare))},
        {"shared_statements_per_s", fmt::format("{:.0f}", median(apart.shared))},
        {"bare_statements_per_s_one_core", fmt::format("{:.0f}", median(together.bare))},
        {"shared_statements_per_s_one_core", fmt::format("{:.0f}", median(together.shared))},
        {"single_statements_per_s", fmt::format("{:.0f}", median(apart.single))},
        {"repeats", std::to_string(options.repeats)},
    };
    std::string line;
    for (const auto& [name, value] : fields) line += fmt::format("{}\"{}\": {}", line.empty() ? "" : ", ", name, value);
    fmt::print("{{{}}}\n", line);
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
    try {
        measure(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_pool: {}\n", error.what());
        return 1;
    }
    return 0;
}
