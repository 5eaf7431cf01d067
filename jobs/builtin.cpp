#include "jobs/builtin.hpp"

#include "jobs/examples/echo.hpp"
#include "jobs/typed.hpp"

namespace jobs {

namespace {

boost::asio::awaitable<Outcome> noop(JobContext&) {
    co_return Complete{};
}

}  // namespace

void add_builtin_kinds(Registry& registry) {
    registry.add({.name = "echo", .handler = typed_handler<examples::EchoArgs>(examples::echo), .policy = {}});
    registry.add({.name = "noop", .handler = noop, .policy = {}});
}

}  // namespace jobs
