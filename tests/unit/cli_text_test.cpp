// What the command line prints: bars, tables, times, JSON.

#include "tests/support/catch.hpp"
#include "worker/cli/batch_text.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/details.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <cmath>
#include <limits>
#include <sstream>
#include <string>

using namespace worker::cli;
using namespace std::chrono_literals;

TEST_CASE("draw_bar fills its last cell only when all is done", "[worker][cli]") {
    struct Case {
        double fraction;
        const char* bar;
    };
    const auto [fraction, bar] = GENERATE(
        Case{0, "[----------]"},
        Case{0.05, "[----------]"},
        Case{0.5, "[#####-----]"},
        Case{0.999, "[#########-]"},
        Case{1, "[##########]"},
        Case{7, "[##########]"},
        Case{-1, "[----------]"},
        Case{std::numeric_limits<double>::quiet_NaN(), "[----------]"}
    );
    CHECK(draw_bar(fraction, 10) == bar);
}

TEST_CASE("draw_bar draws the failed share as x, one cell at least", "[worker][cli]") {
    CHECK(draw_bar(0.5, 10, 0.2) == "[###xx-----]");
    CHECK(draw_bar(0.5, 10, 0.001) == "[####x-----]");
    CHECK(draw_bar(0.5, 10, 0.5) == "[xxxxx-----]");
    CHECK(draw_bar(0.01, 10, 0.01) == "[----------]");
    CHECK(draw_bar(1, 10, 1) == "[xxxxxxxxxx]");
}

TEST_CASE("cut_to_width counts characters, not bytes", "[worker][cli]") {
    CHECK(cut_to_width("äöü", 3) == "äöü");
    CHECK(cut_to_width("äöüß", 3) == "äö…");
    CHECK(cut_to_width("abc", 1) == "…");
    CHECK(cut_to_width("abc", 0).empty());
    CHECK(shown_width("äöü…") == 4);
}

TEST_CASE("printable lets nothing steer the terminal", "[worker][cli]") {
    CHECK(printable("a\033[31mb\nc\x7F") == "a?[31mb c?");
    CHECK(
        printable("\xC2\x9B"
                  "1m ä") == "?1m ä"
    );
}

TEST_CASE(
    "render_table aligns, cuts the widest column that may be cut, and leaves no blanks at line ends", "[worker][cli]"
) {
    const std::vector<Column> columns{
        {.title = "N", .right = true}, {.title = "NAME", .shrinks = true}, {.title = "STATE"}
    };
    const std::vector<Cells> rows{{"1", "short", "open"}, {"100", "a name that is much too long", ""}};
    CHECK(
        render_table(columns, rows, 0) ==
        "  N  NAME                          STATE\n"
        "  1  short                         open\n"
        "100  a name that is much too long\n"
    );
    CHECK(
        render_table(columns, rows, 24) ==
        "  N  NAME          STATE\n"
        "  1  short         open\n"
        "100  a name that…\n"
    );
    CHECK(render_table(columns, rows, 1).find("a nam…") != std::string::npos);  // none below 6
    CHECK(render_table(columns, {}, 80) == "N  NAME  STATE\n");
}

TEST_CASE("render_table leaves out columns when it does not fit by cutting", "[worker][cli]") {
    const std::vector<Column> columns{
        {.title = "NAME", .shrinks = true},
        {.title = "MADE", .leaves = true},
        {.title = "ID"},
        {.title = "BY", .leaves = true}
    };
    const std::vector<Cells> rows{{"a name that is too long", "today", "0123456789", "me"}};
    CHECK(
        render_table(columns, rows, 29) ==
        "NAME    MADE   ID          BY\n"
        "a nam…  today  0123456789  me\n"
    );
    CHECK(
        render_table(columns, rows, 28) ==
        "NAME       MADE   ID\n"
        "a name t…  today  0123456789\n"
    );
    CHECK(
        render_table(columns, rows, 18) ==
        "NAME    ID\n"
        "a nam…  0123456789\n"
    );
    CHECK(render_table(columns, rows, 1) == render_table(columns, rows, 18));
}

TEST_CASE("count_of says one in the singular", "[worker][cli]") {
    CHECK(count_of(0, "job") == "0 jobs");
    CHECK(count_of(1, "job") == "1 job");
    CHECK(count_of(12, "dead letter") == "12 dead letters");
}

TEST_CASE("batch_line fits any width and shows counts, rate, time left and failures", "[worker][cli]") {
    queue::BatchStatus batch;
    batch.name = "photos";
    batch.total = 1000;
    batch.completed = 509;
    batch.discarded = 3;
    batch.recent_rate = 340.4;
    batch.eta = 2s;
    CHECK(batch_line(batch, 80) == "photos  [#############x--------------] 512/1000 51 %  340/s  ETA 2 s  3 failed");
    batch.name = std::string(200, 'x');
    for (const int columns : {1, 20, 40, 80, 200}) {
        INFO(columns);
        CHECK(shown_width(batch_line(batch, columns)) <= static_cast<std::size_t>(columns));
    }
    batch.name = std::string(70, 'x');  // whole where there is room, beside a bar that has its full width
    CHECK(batch_line(batch, 160).starts_with(batch.name + "  [" + std::string(14, '#') + "x" + std::string(15, '-')));
    CHECK(batch_line(batch, 80).starts_with(std::string(23, 'x') + "…  [####x-----]"));
}

TEST_CASE("batch_line colours what failed, and no more", "[worker][cli]") {
    queue::BatchStatus batch;
    batch.name = "b";
    batch.total = 10;
    batch.completed = 4;
    CHECK(batch_line(batch, 80, true) == batch_line(batch, 80));
    batch.discarded = 2;
    CHECK(
        batch_line(batch, 80, true) ==
        "b  [############\033[31mxxxxxx\033[0m------------] 6/10 60 %\033[31m  2 failed\033[0m"
    );
    batch.completed = 8;
    batch.overall_rate = 5;
    batch.finished_at = batch.created_at + 2s;
    CHECK(
        batch_line(batch, 80, true) ==
        "b  [\033[32m########################\033[0m\033[31mxxxxxx\033[0m] 10/10 100 %  5.0/s  in 2 s\033[31m  2 "
        "failed\033[0m"
    );
    batch.completed = 10;
    batch.discarded = 0;
    CHECK(
        batch_line(batch, 80, true).find("[\033[32m##############################\033[0m] 10/10") != std::string::npos
    );
    CHECK(batch_line(batch, 20, true).find('\033') == std::string::npos);  // cut: no colours
}

TEST_CASE("batch_line says 100 % only when every job has ended", "[worker][cli]") {
    queue::BatchStatus batch;
    batch.name = "b";
    batch.total = 1'000'000;
    batch.completed = 999'999;
    CHECK(batch_line(batch, 80).find(" 99 %") != std::string::npos);
    batch.cancelled = 1;
    batch.eta = 0s;  // ended, but not finished yet
    CHECK(batch_line(batch, 80).find("ETA") == std::string::npos);
    CHECK(batch_line(batch, 80).find(" 100 %") != std::string::npos);
    CHECK(batch_line(batch, 80).find("1 cancelled") != std::string::npos);
    queue::BatchStatus empty;
    CHECK(batch_line(empty, 80).find("0/0 0 %") != std::string::npos);
    empty.finished_at = empty.created_at;
    CHECK(batch_line(empty, 80).find("0/0 100 %") != std::string::npos);
}

TEST_CASE("RateMeter measures over ten seconds and starts anew when jobs come back", "[worker][cli]") {
    const RateMeter::Time start{};
    RateMeter meter;
    const auto measure = [&](std::chrono::milliseconds at, std::int64_t completed) {
        queue::BatchStatus batch;
        batch.total = 1000;
        batch.completed = completed;
        batch.recent_rate = 7;
        meter.measure(batch, start + at);
        return batch;
    };
    CHECK(measure(0ms, 0).recent_rate == 7);  // nothing to go by
    CHECK(measure(500ms, 0).recent_rate == 7);
    CHECK(measure(1s, 100).recent_rate == Approx(100));
    CHECK(measure(2s, 200).eta == 8s);
    CHECK(measure(20s, 200).recent_rate == 7);  // nothing has moved for longer than the window
    CHECK(measure(21s, 210).recent_rate == Approx(10.0 / 19));
    CHECK(measure(22s, 100).recent_rate == 7);
    CHECK(measure(23s, 150).recent_rate == Approx(50));
}

TEST_CASE("show_span uses the two largest units", "[worker][cli]") {
    struct Case {
        std::chrono::milliseconds span;
        const char* text;
    };
    const auto [span, text] = GENERATE(
        Case{-5ms, "0 ms"},
        Case{850ms, "850 ms"},
        Case{2s, "2 s"},
        Case{2500ms, "2.5 s"},
        Case{42s, "42 s"},
        Case{59'700ms, "1 min"},
        Case{185s, "3 min 5 s"},
        Case{3h, "3 h"},
        Case{2h + 10min, "2 h 10 min"},
        Case{76h, "3 d 4 h"}
    );
    CHECK(show_span(span) == text);
}

TEST_CASE("show_short_span uses one unit and no more than seven characters", "[worker][cli]") {
    struct Case {
        std::chrono::milliseconds span;
        const char* text;
    };
    const auto [span, text] = GENERATE(
        Case{-5ms, "0 ms"},
        Case{999ms, "999 ms"},
        Case{1s, "1 s"},
        Case{2540ms, "2.5 s"},
        Case{9'960ms, "10 s"},
        Case{59'400ms, "59 s"},
        Case{59'700ms, "1 min"},
        Case{185s, "3.1 min"},
        Case{59min + 40s, "1 h"},
        Case{2h + 10min, "2.2 h"},
        Case{23h + 45min, "1 d"},
        Case{76h, "3.2 d"},
        Case{24h * 99'999, "99999 d"}
    );
    CHECK(show_short_span(span) == text);
}

TEST_CASE("parse_time understands ISO 8601 with and without zone, and nothing else", "[worker][cli]") {
    struct Case {
        const char* text;
        const char* shown;  // empty: refused
    };
    const auto [text, shown] = GENERATE(
        Case{"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"},
        Case{"2026-01-31 12:00", "2026-01-31T12:00:00.000Z"},
        Case{"2026-01-31", "2026-01-31T00:00:00.000Z"},
        Case{"2026-01-31T12:00:00.25+02:00", "2026-01-31T10:00:00.250Z"},
        Case{"3026-01-30T02:00", "3026-01-30T02:00:00.000Z"},
        Case{"2026-01-31T23:30:00-0130", "2026-02-01T01:00:00.000Z"},
        Case{"2026-02-30", ""},
        Case{"2026-01-31T24:00:00Z", ""},
        Case{"2026-01-31T12:00:00Zx", ""},
        Case{"2026-01-31T12", ""},
        Case{"31.1.2026", ""},
        Case{"tomorrow", ""},
        Case{"", ""}
    );
    INFO(text);
    const auto time = parse_time(text);
    CHECK((time ? show_exact_time(*time) : std::string()) == shown);
}

TEST_CASE("JsonObject keeps the order of its fields and escapes", "[worker][cli]") {
    JsonObject object;
    object.add("b", std::string("\"\n")).add("a", 5).add("none", std::optional<int>()).add_json("args", "[1]");
    object.add("yes", true).add("rate", 1.5).add("nan", std::nan("")).add("job", queue::JobId{7});
    CHECK(
        object.text() ==
        R"({"b": "\"\n", "a": 5, "none": null, "args": [1], "yes": true, "rate": 1.500, "nan": null, "job": 7})"
    );
    CHECK(JsonObject().text() == "{}");
}

TEST_CASE("pretty_json breaks what is wide and leaves numbers and strings as they are", "[worker][cli]") {
    CHECK(pretty_json(R"({"a":1,"b":[1,2]})", 80) == R"({"a": 1, "b": [1, 2]})");
    CHECK(
        pretty_json(R"({"big": 12345678901234567890123, "s": "a,{\"}b", "l": [1.10,{}]})", 20) ==
        "{\n  \"big\": 12345678901234567890123,\n  \"s\": \"a,{\\\"}b\",\n  \"l\": [1.10, {}]\n}"
    );
    CHECK(pretty_json("5", 1) == "5");
    CHECK(pretty_json(R"(["aaaaaaaa", "b"])", 4) == "[\n  \"aaaaaaaa\",\n  \"b\"\n]");
}

TEST_CASE("Details leaves empty values out and indents further lines", "[worker][cli]") {
    const std::string text =
        Details().add("a", "1\n2").add("none", std::optional<std::string>()).add("bcd", "3").text(0);
    CHECK(text == "a    1\n     2\nbcd  3\n");
}
