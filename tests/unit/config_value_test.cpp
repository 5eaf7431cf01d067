#include "worker/config_value.hpp"

#include "tests/support/catch.hpp"

using namespace worker;
using namespace std::chrono_literals;

TEST_CASE("parse_duration takes bare seconds and units, and nothing else", "[worker][config]") {
    struct Row {
        std::string_view text;
        std::optional<std::chrono::milliseconds> duration;
    };
    const Row rows[] = {
        {"30", 30s},
        {"30s", 30s},
        {"500ms", 500ms},
        {"5m", 5min},
        {"1h", 1h},
        {"1d", 24h},
        {"1.5s", 1500ms},
        {"0", 0ms},
        {"0.25", 250ms},
        {"3650d", 87'600h},
        {"", {}},
        {"s", {}},
        {"-1s", {}},
        {"5 s", {}},
        {"5min", {}},
        {"1e3", {}},
        {"3651d", {}},
        {"0.0001s", {}},
        {"1.2.3s", {}},
        {".5s", {}},
        {"5.s", {}},
        {"inf", {}},
        {"9999999999999999999d", {}},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        CHECK(parse_duration(row.text) == row.duration);
    }
}

TEST_CASE("parse_size takes bytes and binary units, and nothing else", "[worker][config]") {
    struct Row {
        std::string_view text;
        std::optional<std::uint64_t> bytes;
    };
    const Row rows[] = {
        {"0", 0},
        {"512", 512},
        {"64KiB", 65'536},
        {"1MiB", 1'048'576},
        {"2GiB", 2'147'483'648},
        {"64KB", {}},
        {"1.5MiB", {}},
        {"", {}},
        {"KiB", {}},
        {"-1", {}},
        {"99999999999999999GiB", {}},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        CHECK(parse_size(row.text) == row.bytes);
    }
}

TEST_CASE("show_duration and show_size use the largest whole unit", "[worker][config]") {
    CHECK(show_duration(90s) == "90s");
    CHECK(show_duration(120s) == "2m");
    CHECK(show_duration(1500ms) == "1500ms");
    CHECK(show_duration(0ms) == "0s");
    CHECK(show_duration(24h) == "1d");
    CHECK(show_size(65'536) == "64KiB");
    CHECK(show_size(1'000) == "1000");
    CHECK(show_size(0) == "0");
}

TEST_CASE("nearest finds the likely word and stays silent about others", "[worker][config]") {
    const std::vector<std::string> known{"pool_size", "pool_timeout", "echo", "max_overflow"};
    CHECK(nearest("pol_size", known) == "pool_size");
    CHECK(nearest("Pool_Size", known) == "pool_size");
    CHECK(nearest("overflow", known).empty());
    CHECK(nearest("xyz", known).empty());
    CHECK(nearest("", known).empty());
    CHECK(nearest("nope", {"more"}).empty());  // two of four letters, and the first is one of them
    CHECK(nearest("male", {"mail"}) == "mail");
    CHECK(nearest("ydatabase", {"database"}) == "database");
}

TEST_CASE("is_name accepts what kinds and queues are called", "[worker][config]") {
    for (const std::string_view name : {"default", "send-email", "a.b:c/d@e_1", "0"}) CHECK(is_name(name));
    CHECK(is_name(std::string(100, 'x')));
    for (const std::string_view name : {"", "-x", "a b", "\xc3\xa4", "a\n"}) CHECK_FALSE(is_name(name));
    CHECK_FALSE(is_name(std::string(101, 'x')));
}
