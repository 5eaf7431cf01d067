// tests/bench/run pool: what the pool costs, each number against what the same machine does without it in the same run.

#include "tests/bench/pool/checkout.hpp"
#include "tests/bench/pool/pipeline.hpp"
#include "tests/bench/pool/run.hpp"
#include "tests/bench/pool/workload.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/own_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
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

struct Result {
    Checkout checkout;
    std::vector<double> shared_vs_bare;
    std::vector<double> pre_ping_ratio;
    std::vector<double> socket_speedup;
    std::vector<double> tcp_speedup;
    std::vector<double> distant_speedup;
    std::vector<double> bare;
    std::vector<double> single;
};

// The kinds of work take turns in slices, so that whatever else the machine does meets all of them alike.
void repeat_once(const Options& options, const Ways& ways, Result& result) {
    boost::asio::io_context context{1};
    {
        db::Pool pool(context.get_executor(), ways.socket, pool_settings(true));
        run(context, measure_checkout(pool, result.checkout));
    }
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
    const Speedup distant = measure_pipeline(context, ways.distant, length);
    result.shared_vs_bare.push_back(shared.rate() / bare.rate());
    result.pre_ping_ratio.push_back(shared.rate() / unpinged.rate());
    result.socket_speedup.push_back(socket.ratio());
    result.tcp_speedup.push_back(tcp.ratio());
    result.distant_speedup.push_back(distant.ratio());
    result.bare.push_back(bare.rate());
    result.single.push_back(socket.single.rate());
    fmt::print(
        stderr,
        "checkout {:.3f} us; statements/s (and us of processor time each, on this side): bare {:.0f} ({:.2f}), shared "
        "{:.0f} ({:.2f}), without pre-ping {:.0f} ({:.2f}); one by one and in packets: socket {:.0f} {:.0f}, TCP "
        "{:.0f} {:.0f}, distant {:.0f} {:.0f}\n",
        result.checkout.microseconds.back(),
        bare.rate(),
        bare.cpu_microseconds(),
        shared.rate(),
        shared.cpu_microseconds(),
        unpinged.rate(),
        unpinged.cpu_microseconds(),
        socket.single.rate(),
        socket.pipelined.rate(),
        tcp.single.rate(),
        tcp.pipelined.rate(),
        distant.single.rate(),
        distant.pipelined.rate()
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
    Result result;
    for (int i = 0; i < options.repeats; ++i) repeat_once(options, ways, result);
    fmt::print(
        "{{\"checkout_us\": {:.3f}, \"allocations_per_checkout\": {:.3f}, \"shared_vs_bare\": {:.3f}, "
        "\"pre_ping_ratio\": {:.3f}, \"pipeline_speedup\": {:.1f}, \"pipeline_speedup_socket\": {:.1f}, "
        "\"pipeline_speedup_2ms\": {:.1f}, \"bare_statements_per_s\": {:.0f}, \"single_statements_per_s\": {:.0f}, "
        "\"repeats\": {}}}\n",
        median(result.checkout.microseconds),
        static_cast<double>(result.checkout.allocations) / static_cast<double>(result.checkout.count),
        median(result.shared_vs_bare),
        median(result.pre_ping_ratio),
        median(result.tcp_speedup),
        median(result.socket_speedup),
        median(result.distant_speedup),
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
    try {
        measure(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_pool: {}\n", error.what());
        return 1;
    }
    return 0;
}
