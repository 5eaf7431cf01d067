#include "queue/packing.hpp"

#include "tests/support/catch.hpp"

#include <string>
#include <vector>

using namespace queue;

TEST_CASE("pack_job fills a bundle to its size before it starts the next", "[queue][packing]") {
    std::vector<PackedBundle> bundles;
    for (int n = 0; n < 7; ++n) pack_job(bundles, std::to_string(n), 3);
    REQUIRE(bundles.size() == 3);
    CHECK(bundles[0].args == "0,1,2");
    CHECK(bundles[1].args == "3,4,5");
    CHECK(bundles[2].args == "6");
    CHECK(bundles[2].jobs == 1);
}

TEST_CASE("pack_job keeps a bundle under 64 KiB, but for one job that has more", "[queue][packing]") {
    std::vector<PackedBundle> bundles;
    for (const std::size_t bytes : {30'000U, 30'000U, 10'000U, 100'000U, 10U}) {
        pack_job(bundles, std::string(bytes, '1'), max_bundle_jobs);
    }
    REQUIRE(bundles.size() == 4);
    CHECK(bundles[0].jobs == 2);
    CHECK(bundles[1].jobs == 1);
    CHECK(bundles[2].args.size() == 100'000);
    CHECK(bundles[3].jobs == 1);
    for (const std::size_t filler : {65'532U, 65'533U, 65'534U}) {
        std::vector<PackedBundle> edge;
        pack_job(edge, std::string(filler - 1, '1'), max_bundle_jobs);
        pack_job(edge, "2", max_bundle_jobs);
        CHECK((edge.size() == 1) == (filler + 1 + 2 <= max_bundle_bytes));  // comma and brackets
    }
}

TEST_CASE("append_copy_text escapes what the text format of COPY reads otherwise", "[queue][packing]") {
    std::string line = "x";
    append_copy_text(line, "a\\b\tc\nd\re");
    CHECK(line == "xa\\\\b\\tc\\nd\\re");
    line.clear();
    append_copy_text(line, "");
    append_copy_text(line, "\\");
    CHECK(line == "\\\\");
}

TEST_CASE("append_copy_line writes id, masks, the array of args and the shared columns", "[queue][packing]") {
    std::string buffer;
    append_copy_line(buffer, 256, {.jobs = 2, .args = "{},\"\\n\""}, "\t7\t\\N");
    CHECK(buffer == "256\t3\t3\t[{},\"\\\\n\"]\t7\t\\N\n");
}
