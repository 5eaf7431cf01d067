// The worker as shipped with one more native kind, `stamp`: it writes down when its handler started.

#include "worker/cli/cli.hpp"

#include <boost/json/object.hpp>

#include <time.h>

#include <cstdio>
#include <cstdlib>

namespace {

// A line a job: its n and the monotonic clock in nanoseconds. Flushed when the process ends.
std::FILE* stamps() {
    static std::FILE* const file = std::fopen(std::getenv("TASK_WORKER_BENCH_STAMPS"), "w");
    return file;
}

boost::asio::awaitable<jobs::Outcome> stamp(jobs::JobContext& context) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t n = context.job().args.value().as_object().at("n").to_number<std::int64_t>();
    std::fprintf(stamps(), "%lld %lld\n", static_cast<long long>(n), now.tv_sec * 1'000'000'000LL + now.tv_nsec);
    co_return jobs::Complete{};
}

}  // namespace

int main(int count, char** words) {
    return worker::cli::run(count, words, [](jobs::Registry& registry, const worker::NativeTools&) {
        registry.add({.name = "stamp", .handler = stamp, .policy = {}});
    });
}
