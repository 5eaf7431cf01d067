#include "worker/cli/cli.hpp"

#include "worker/cli/commands.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/parse.hpp"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace worker::cli {

namespace {

int finish(int code) {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    complain("standard output cannot be written: is the disk full?");
    return code == exit_ok ? exit_failed : code;
}

}  // namespace

int run(int argc, char** argv, AddKinds add_kinds) {
    std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    if (argc > 0 && std::filesystem::path(argv[0]).filename() == "enqueue") {
        arguments.insert(arguments.begin(), "enqueue");
    }
    try {
        auto parsed = parse_arguments(std::move(arguments));
        if (!parsed) {
            const NoInvocation& reason = parsed.error();
            if (reason.code != exit_ok) {
                complain(reason.text);
                return reason.code;
            }
            std::fputs(reason.text.c_str(), stdout);
            return finish(exit_ok);
        }
        parsed->global.add_kinds = std::move(add_kinds);
        const auto perform_it = [&](const auto& command) { return perform(parsed->global, command); };
        return finish(std::visit(perform_it, parsed->command));
    } catch (...) {
        const Ending ending = describe_failure(std::current_exception());
        if (!ending.text.empty()) complain(ending.text);
        return ending.code;
    }
}

}  // namespace worker::cli
