// The worker with two kinds more. All of its commands are there: newsletter run, newsletter check, newsletter dev ..
#include "jobs/typed.hpp"
#include "worker/cli/cli.hpp"

#include <iostream>

#include "count_lines.hpp"
#include "send_email.hpp"

namespace {

class Printer : public Outbox {
public:
    void send(const std::string& to, const std::string& subject) override {
        std::cerr << "mail to " << to << ": " << subject << '\n';
    }
};

}  // namespace

int main(int argc, char** argv) {
    Printer printer;
    return worker::cli::run(argc, argv, [&](jobs::Registry& registry, const worker::NativeTools& tools) {
        registry.add({
            .name = "send-email",
            .handler = jobs::typed_handler<Mail>(SendEmail(printer)),
            .policy = {.timeout = std::chrono::minutes(1), .max_attempts = 3},
        });
        registry.add({
            .name = "count-lines",
            .handler = jobs::blocking_handler<CountLines>(tools.blocking, count_lines),
            .policy = {},
        });
    });
}
