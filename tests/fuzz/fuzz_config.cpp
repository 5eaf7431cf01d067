// Whatever stands in config.yml or .env, all of it is understood or refused with a reason.
#include "tests/fuzz/input.hpp"
#include "worker/config_sources.hpp"

namespace {

void check(worker::Draft& draft) {
    const worker::DatabaseConfig& database = draft.loaded.config.database;
    // A fuzzer must not open whatever file it thinks of.
    if (database.url_file.empty() && database.password_file.empty()) worker::check_config(draft);
    for (const worker::Problem& problem : draft.loaded.problems) tests::expect(!problem.text.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(tests::text_of(data, size));
    worker::Draft from_yaml;
    worker::apply_file(from_yaml, worker::parse_yaml(text, "config.yml", from_yaml.loaded.problems), "config.yml");
    check(from_yaml);

    worker::Draft from_dotenv;
    worker::apply_dotenv(from_dotenv, worker::parse_dotenv(text, ".env", from_dotenv.loaded.problems), ".env");
    check(from_dotenv);
    return 0;
}
