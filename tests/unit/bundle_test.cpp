#include "queue/bundle.hpp"

#include "tests/support/catch.hpp"

#include <random>

using namespace queue;

TEST_CASE("cut spreads every job over pieces of the asked size, in ascending order", "[queue][bundle]") {
    std::mt19937_64 random(20'261'121);
    for (int round = 0; round < 20'000; ++round) {
        const Mask pending = static_cast<Mask>(random() & random()) & first_bits(max_bundle_jobs);
        const int size = 1 + static_cast<int>(random() % 70);
        Mask seen = 0;
        int left = count(pending);
        for (const Mask piece : cut(pending, size)) {
            REQUIRE(count(piece) == std::min(size, left));
            REQUIRE((piece & seen) == 0);
            REQUIRE(piece > seen);
            seen |= piece;
            left -= count(piece);
        }
        REQUIRE(seen == pending);
    }
}

TEST_CASE("first_bits fills 1 to 63 bits and never the sign", "[queue][bundle]") {
    for (int n = 1; n <= max_bundle_jobs; ++n) {
        REQUIRE(count(first_bits(n)) == n);
        REQUIRE(first_bits(n) > 0);
    }
}

TEST_CASE("bundle_size is a sixteenth of the call, from 1 to 63", "[queue][bundle]") {
    CHECK(bundle_size(1) == 1);
    CHECK(bundle_size(31) == 1);
    CHECK(bundle_size(512) == 32);
    CHECK(bundle_size(100'000) == 63);
}

TEST_CASE("a job's args stand at its distance from the row's first job, or first in a single", "[queue][bundle]") {
    CHECK(element_of(RowId{256}, 5) == 5);
    CHECK(element_of(RowId{256 + 10}, 12) == 2);
    CHECK(element_of(RowId{256 + 64 + 12}, 12) == 0);
    CHECK(job_id(RowId{256 + 64 + 12}, 12) == JobId{256 + 12});
    CHECK(job_number(JobId{256 + 12}) == 12);
}
