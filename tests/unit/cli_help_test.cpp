// What --help prints, of every command that there is.

#include "tests/support/catch.hpp"
#include "tests/support/config_given.hpp"
#include "worker/cli/parse.hpp"
#include "worker/cli/terminal.hpp"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

using namespace worker::cli;

namespace {

using Words = std::vector<std::string>;

std::string help_of(Words words) {
    words.emplace_back("--help");
    const auto result = parse_arguments(words);
    REQUIRE(result.has_error());
    REQUIRE(result.error().code == 0);
    return result.error().text;
}

// The words of a line of a shell script, up to a redirection. Only single quotes.
Words shell_words(const std::string& line) {
    Words words;
    bool inside = false;
    bool quoted = false;
    for (const char c : line) {
        if (c == '\'') {
            quoted = !quoted;
        } else if (c == ' ' && !quoted) {
            inside = false;
        } else if (c == '>' && !quoted) {
            break;
        } else {
            if (!inside) words.emplace_back();
            inside = true;
            words.back() += c;
        }
    }
    return words;
}

// The commands that stand below "Examples:", without what they are for.
std::vector<Words> examples_in(const std::string& help) {
    std::istringstream lines(help.substr(std::min(help.find("Examples:\n"), help.size())));
    std::vector<Words> examples;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("  task-worker ") && !line.starts_with("  enqueue ")) continue;
        line = line.substr(2, line.find("   ", 2) - 2);
        if (line.starts_with("task-worker ")) line.erase(0, std::string("task-worker ").size());
        examples.push_back(shell_words(line));
    }
    return examples;
}

}  // namespace

TEST_CASE("every command's --help has no line over 80 columns", "[worker][cli]") {
    const auto shapes = command_shapes();
    CHECK(shapes.size() > 30);
    for (const CommandShape& shape : shapes) {
        std::istringstream lines(help_of(shape.words));
        for (std::string line; std::getline(lines, line);) {
            INFO(line);
            CHECK(shown_width(line) <= 80);
        }
    }
}

TEST_CASE("every command's --help has an example of it", "[worker][cli]") {
    for (const CommandShape& shape : command_shapes()) {
        INFO(help_of(shape.words));
        const std::vector<Words> examples = examples_in(help_of(shape.words));
        CHECK_FALSE(examples.empty());
        CHECK(std::ranges::any_of(examples, [&](const Words& example) {
            return example.size() >= shape.words.size() &&
                   std::equal(shape.words.begin(), shape.words.end(), example.begin());
        }));
    }
}

TEST_CASE("every example of a --help is a command that the parser takes", "[worker][cli]") {
    std::size_t seen = 0;
    for (const CommandShape& shape : command_shapes()) {
        for (const Words& example : examples_in(help_of(shape.words))) {
            const auto result = parse_arguments(example);
            INFO((result ? std::string() : result.error().text));
            CHECK(result.has_value());
            ++seen;
        }
    }
    CHECK(seen > 30);
}

TEST_CASE("the handler that run's --help shows is one", "[worker][cli]") {
    const std::string help = help_of({"run"});
    const std::size_t begin = help.find("  handlers:\n");
    REQUIRE(begin != std::string::npos);
    const std::string yaml = help.substr(begin, help.find("\n\n", begin) - begin);
    const worker::Config config = tests::loaded({.yaml = yaml + "\n"});
    CHECK(config.handlers.at("resize").policy.max_attempts == 3);
}

TEST_CASE("a command's --help tells of its own JSON alone", "[worker][cli]") {
    for (const CommandShape& shape : command_shapes()) {
        const std::string help = help_of(shape.words);
        const std::size_t first = help.find("\n--json: ");
        INFO(help);
        CHECK((first == std::string::npos || help.find("\n--json: ", first + 1) == std::string::npos));
    }
    CHECK(help_of({"batch"}).find("\n--json: ") == std::string::npos);
    CHECK(help_of({"batch", "list"}).find("eta_seconds") != std::string::npos);
    CHECK(help_of({"batch", "show"}).find("eta_seconds") == std::string::npos);
}

TEST_CASE("command_shapes knows options, their values and positionals", "[worker][cli]") {
    for (const CommandShape& shape : command_shapes()) {
        if (shape.words != Words{"batch", "list"}) continue;
        CHECK(shape.description == "The newest batches");
        for (const OptionShape& option : shape.options) {
            if (option.names == Words{"--state"}) {
                CHECK(option.choices == Words{"open", "sealed", "cancelled", "finished"});
            }
            if (option.names == Words{"--limit"}) CHECK(option.form == "N");
            if (option.names == Words{"-h", "--help"}) CHECK(option.form.empty());
        }
        CHECK(shape.options.size() == 3);
        return;
    }
    FAIL("no batch list");
}

TEST_CASE("hang_lines indents all lines but the first, and breaks them at blanks", "[worker][cli]") {
    CHECK(hang_lines("one", 4, 0) == "one");
    CHECK(hang_lines("one two\nthree", 4, 0) == "one two\n    three");
    CHECK(hang_lines("one two three four five six", 10, 30) == "one two three four\n          five six");
    CHECK(hang_lines("one two three four five six", 10, 5) == "one two three four\n          five six");  // 20 at least
}

TEST_CASE("wrap_lines breaks at blanks, below the second column or the first character", "[worker][cli]") {
    CHECK(wrap_lines("one two three\n", 9) == "one two\nthree\n");
    CHECK(wrap_lines("  one two three\n", 9) == "  one two\n  three\n");
    CHECK(wrap_lines("  -x    one two three\nnext\n", 15) == "  -x    one two\n        three\nnext\n");
    CHECK(wrap_lines("abcdefghij kl\n", 5) == "abcdefghij\nkl\n");
    CHECK(wrap_lines("  -x                 abc def\n", 5) == "  -x                 abc\n                     def\n");
    CHECK(wrap_lines("fits\n\nas well\n", 80) == "fits\n\nas well\n");
}

TEST_CASE("wrap_message breaks at blanks, but not in the command at the end", "[worker][cli]") {
    CHECK(wrap_message("fits", 10) == "fits");
    CHECK(wrap_message("one two three four", 9) == "one two\nthree\nfour");
    CHECK(
        wrap_message("nothing runs: start it with task-worker dev --data x", 30) ==
        "nothing runs: start it with\ntask-worker dev --data x"
    );
    CHECK(wrap_message("task-worker: one two", 15) == "task-worker:\none two");
    CHECK(wrap_message("see task-worker batch list", 10) == "see\ntask-worker\nbatch list");  // too long for a line
    CHECK(
        wrap_message("two problems:\n  the first one\n  the second", 12) ==
        "two\nproblems:\n  the first\n  one\n  the second"
    );
}
