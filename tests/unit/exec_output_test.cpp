#include "jobs/exec_output.hpp"

#include "jobs/utf8.hpp"
#include "tests/support/catch.hpp"

#include <numeric>
#include <string>
#include <vector>

using namespace jobs;

namespace {

const std::string replacement = "\xEF\xBF\xBD";

struct Sunk {
    std::vector<std::string> lines;  // each "i text" or "w text"
    LogCapture::Sink sink() {
        return [this](LogLevel level, std::string_view line) {
            lines.push_back((level == LogLevel::warning ? "w " : "i ") + std::string(line));
        };
    }
};

std::vector<std::string> split(const std::vector<std::string>& pieces, std::size_t cap = 100) {
    LineSplitter splitter(cap);
    std::vector<std::string> lines;
    const auto add = [&](std::string_view line, std::size_t left_out) {
        lines.push_back(std::string(line) + (left_out > 0 ? "+" + std::to_string(left_out) : ""));
    };
    for (const std::string& piece : pieces) splitter.feed(piece, add);
    splitter.finish(add);
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("LineSplitter gives the same lines however the bytes arrive", "[jobs][exec]") {
    CHECK(split({}) == Lines{});
    CHECK(split({"a\n"}) == Lines{"a"});
    CHECK(split({"a\nbc\n\nd"}) == Lines{"a", "bc", "", "d"});
    CHECK(split({"a", "b", "\n", "\n", "c\nd", "e"}) == Lines{"ab", "", "c", "de"});
    CHECK(split({std::string("a\0b\n", 4)}) == Lines{std::string("a\0b", 3)});
}

TEST_CASE("LineSplitter keeps the start of a line past its cap", "[jobs][exec]") {
    CHECK(split({"abcd\n"}, 4) == Lines{"abcd"});
    CHECK(split({"abcdef\ngh\n"}, 4) == Lines{"abcd+2", "gh"});
    CHECK(split({"abc", "def", "ghi\n", "jk"}, 4) == Lines{"abcd+5", "jk"});
    CHECK(split({"abcdefgh"}, 4) == Lines{"abcd+4"});
}

TEST_CASE("LogCapture passes lines on at once up to half of its limit", "[jobs][exec]") {
    Sunk sunk;
    LogCapture log(20, sunk.sink());
    log.add(LogLevel::info, "1234");
    log.add(LogLevel::warning, "5678");
    CHECK(sunk.lines == Lines{"i 1234", "w 5678"});
    log.add(LogLevel::info, "9");
    CHECK(sunk.lines.size() == 2);
    log.finish();
    CHECK(sunk.lines == Lines{"i 1234", "w 5678", "i 9"});
}

TEST_CASE("LogCapture keeps the first and the last half and says what is missing", "[jobs][exec]") {
    Sunk sunk;
    LogCapture log(2000, sunk.sink());
    for (int number = 1000; number < 9000; ++number) log.add(LogLevel::info, std::to_string(number));
    log.finish();
    // 200 lines of 5 bytes at once; 166 of 6, the mark included, at the end.
    REQUIRE(sunk.lines.size() == 200 + 1 + 166);
    CHECK(sunk.lines[0] == "i 1000");
    CHECK(sunk.lines[199] == "i 1199");
    CHECK(sunk.lines[200] == "w [... 7634 lines, 38170 bytes left out]");
    CHECK(sunk.lines[201] == "i 8834");
    CHECK(sunk.lines.back() == "i 8999");
}

TEST_CASE("LogCapture without a limit to speak of still knows the last lines", "[jobs][exec]") {
    Sunk sunk;
    LogCapture log(0, sunk.sink());
    log.add(LogLevel::warning, "the reason");
    log.finish();
    CHECK(log.tail() == "the reason");
    CHECK(sunk.lines == Lines{"w [... 1 lines, 11 bytes left out]"});
}

TEST_CASE("LogCapture adds nothing when everything was passed on", "[jobs][exec]") {
    Sunk sunk;
    LogCapture log(100, sunk.sink());
    log.finish();
    CHECK(sunk.lines.empty());
    CHECK(log.tail().empty());
}

TEST_CASE("LogCapture cuts long lines and repairs broken text", "[jobs][exec]") {
    Sunk sunk;
    LogCapture log(100'000, sunk.sink());
    log.add(LogLevel::info, std::string(5000, 'x'));
    log.add(
        LogLevel::info,
        "a\xFF"
        "b",
        7
    );
    REQUIRE(sunk.lines.size() == 2);
    CHECK(sunk.lines[0] == "i " + std::string(4096, 'x') + " [... 904 bytes left out]");
    CHECK(sunk.lines[1] == "i a" + replacement + "b [... 7 bytes left out]");
}

TEST_CASE("LogCapture::tail prefers stderr, newest lines last", "[jobs][exec]") {
    Sunk sunk;
    LogCapture log(100'000, sunk.sink());
    log.add(LogLevel::info, "one");
    log.add(LogLevel::info, "");
    log.add(LogLevel::info, "two");
    CHECK(log.tail() == "one\n\ntwo");
    log.add(LogLevel::warning, "bad");
    log.add(LogLevel::info, "three");
    log.add(LogLevel::warning, "worse");
    CHECK(log.tail() == "bad\nworse");
    for (int number = 0; number < 50; ++number) log.add(LogLevel::warning, std::to_string(number));
    const std::string tail = log.tail();
    CHECK(std::ranges::count(tail, '\n') == 19);
    CHECK(tail.starts_with("30\n"));
    CHECK(tail.ends_with("\n49"));
    log.add(LogLevel::warning, std::string(3000, 'y'));
    CHECK(log.tail() == std::string(2048, 'y'));
}

TEST_CASE("append_valid_utf8 replaces what is broken and nothing else", "[jobs][utf8]") {
    struct Row {
        std::string bytes;
        std::string text;
    };
    const auto row = GENERATE_REF(values<Row>({
        {"", ""},
        {"plain\ttext", "plain\ttext"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xEF\xBF\xBD", "\xEF\xBF\xBD"},
        {std::string("a\0b", 3), "a" + replacement + "b"},
        {"a\xFFz", "a" + replacement + "z"},
        {"\x80z", replacement + "z"},
        {"\xC3", replacement},  // stops in the middle
        {"\xC3z", replacement + "z"},
        {"\xE2\x82z", replacement + replacement + "z"},
        {"\xC0\xAF", replacement + replacement},                    // overlong
        {"\xE0\x80\x80", replacement + replacement + replacement},  // overlong
        {"\xF0\x80\x80\x80", replacement + replacement + replacement + replacement},
        {"\xED\xA0\x80", replacement + replacement + replacement},                    // a surrogate
        {"\xF4\x90\x80\x80", replacement + replacement + replacement + replacement},  // past the last plane
    }));
    std::string text;
    append_valid_utf8(text, row.bytes);
    CHECK(text == row.text);
}

TEST_CASE("cut_utf8 does not cut a character in two", "[jobs][utf8]") {
    const std::string text =
        "ab\xE2\x82\xAC"
        "c";
    CHECK(cut_utf8(text, 100) == text);
    CHECK(cut_utf8(text, 6) == text);
    CHECK(cut_utf8(text, 5) == "ab\xE2\x82\xAC");
    CHECK(cut_utf8(text, 4) == "ab");
    CHECK(cut_utf8(text, 3) == "ab");
    CHECK(cut_utf8(text, 2) == "ab");
    CHECK(cut_utf8(text, 0).empty());
    CHECK(cut_utf8(std::string(10, '\x80'), 5) == std::string(5, '\x80'));
}
