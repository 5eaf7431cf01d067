// Whatever stands on the command line, one word a line here, is understood or refused with a reason.
#include "tests/fuzz/input.hpp"
#include "worker/cli/parse.hpp"
#include "worker/exit_code.hpp"

#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::string> words(1);
    for (const char c : tests::text_of(data, size)) {
        if (c == '\0') return 0;  // no argument can hold it
        if (c == '\n') {
            words.emplace_back();
        } else {
            words.back() += c;
        }
    }
    const auto parsed = worker::cli::parse_arguments(words);
    if (parsed) return 0;
    const worker::cli::NoInvocation& refusal = parsed.error();
    tests::expect(refusal.code == worker::exit_ok || refusal.code == worker::exit_usage);
    tests::expect(!refusal.text.empty());
    return 0;
}
