// The worker as shipped with kinds that end in every way and two that tell what the process holds, and how often it has
// allocated. The definition below takes the place of the one in jobs/builtin.cpp, which the linker then leaves out.

#include "jobs/builtin.hpp"
#include "tests/bench/pool/allocations.hpp"
#include "worker/cli/cli.hpp"

#include <boost/json/object.hpp>

#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace {

using namespace std::chrono_literals;

std::int64_t allocated_bytes() {
#if __has_feature(address_sanitizer)
    return static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
#else
    return static_cast<std::int64_t>(mallinfo2().uordblks);
#endif
}

// Ends as its args say: {"do": ...}.
boost::asio::awaitable<jobs::Outcome> mixed(jobs::JobContext& context) {
    static std::atomic<unsigned> snoozes = 0;
    const std::string what(context.job().args.value().as_object().at("do").as_string());
    if (what == "result") co_return jobs::Complete{boost::json::object{{"attempt", context.job().attempt}}};
    if (what == "discard") co_return jobs::Discard{"asked to"};
    if (what == "retry" && context.job().attempt == 1) co_return jobs::Retry{"asked to", 0ms};
    if (what == "throw" && context.job().attempt == 1) throw std::runtime_error("asked to");
    if (what == "snooze" && ++snoozes % 3 != 0) co_return jobs::Snooze{1ms, "asked to"};
    co_return jobs::Complete{};
}

boost::asio::awaitable<jobs::Outcome> noop(jobs::JobContext&) {
    co_return jobs::Complete{};
}

boost::asio::awaitable<jobs::Outcome> measure(jobs::JobContext&) {
    co_return jobs::Complete{allocated_bytes()};
}

boost::asio::awaitable<jobs::Outcome> allocations(jobs::JobContext&) {
    co_return jobs::Complete{bench::allocations_so_far()};
}

}  // namespace

namespace jobs {

void add_builtin_kinds(Registry& registry) {
    KindPolicy quick;
    quick.backoff.first = 1ms;
    registry.add({.name = "mixed", .handler = mixed, .policy = quick});
    registry.add({.name = "noop", .handler = noop, .policy = {}});
    registry.add({.name = "allocations", .handler = allocations, .policy = {}});
    registry.add({.name = "measure", .handler = measure, .policy = {}});
}

}  // namespace jobs

int main(int count, char** words) {
    return worker::cli::run(count, words);
}
