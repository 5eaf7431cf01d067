#include "worker/cursors.hpp"

#include "tests/support/catch.hpp"

using namespace worker;
using namespace std::chrono_literals;
using queue::QueueId;
using queue::RowId;

namespace {

constexpr QueueId queue_a{1};
const Cursors::Time start{1h};

// One row.
void claim(Cursors& cursors, std::int16_t priority, RowId row, Cursors::Time now) {
    cursors.claimed(queue_a, priority, row, 1, now);
}

}  // namespace

TEST_CASE("Cursors let claims begin where they stood two seconds ago", "[worker][cursors]") {
    Cursors cursors;
    CHECK(cursors.after(queue_a, 4, start) == RowId{});
    for (int i = 0; i <= 40; ++i) claim(cursors, 4, RowId{100 + i}, start + i * 100ms);
    CHECK(cursors.after(queue_a, 4, start + 1900ms) == RowId{});
    // A stand every 200 ms.
    CHECK(cursors.after(queue_a, 4, start + 4s) == RowId{120});
    CHECK(cursors.after(queue_a, 4, start + 4100ms) == RowId{120});
    CHECK(cursors.after(queue_a, 5, start + 4s) == RowId{});  // another lane
    CHECK(cursors.after(queue_a, 4, start + 6s) == RowId{140});
    claim(cursors, 4, RowId{50}, start + 4s);  // an older row does not move it
    CHECK(cursors.after(queue_a, 4, start + 6s) == RowId{140});
    cursors.step_back(RowId{110});
    CHECK(cursors.after(queue_a, 4, start + 6s) == RowId{109});
    cursors.forget();
    CHECK(cursors.after(queue_a, 4, start + 6s) == RowId{});
}

TEST_CASE("Cursors let no claim begin more than 8,000 rows back, however fast they come", "[worker][cursors]") {
    Cursors cursors;
    for (int i = 1; i <= 100; ++i) cursors.claimed(queue_a, 4, RowId{i * 1'000}, 1'000, start + i * 1ms);
    CHECK(cursors.after(queue_a, 4, start + 100ms) == RowId{92'000});
    cursors.claimed(queue_a, 4, RowId{200'000}, 20'000, start + 101ms);  // one that took more
    CHECK(cursors.after(queue_a, 4, start + 101ms) == RowId{100'000});
    cursors.step_back(RowId{150'000});
    cursors.step_back(RowId{50'001});
    CHECK(cursors.after(queue_a, 4, start + 101ms) == RowId{50'000});
    for (int i = 1; i <= 8; ++i) cursors.claimed(queue_a, 4, RowId{300'000 + i}, 1'000, start + 102ms);
    CHECK(cursors.after(queue_a, 4, start + 102ms) == RowId{50'000});
    cursors.claimed(queue_a, 4, RowId{400'000}, 1'000, start + 103ms);
    CHECK(cursors.after(queue_a, 4, start + 103ms) == RowId{300'001});
}

TEST_CASE("Cursors sweep what lies behind them, in windows, for a twentieth of the time at most", "[worker][cursors]") {
    Cursors cursors;
    CHECK_FALSE(cursors.sweep(start));  // claims begin at the start themselves
    const RowId last{std::int64_t{1} << 30};
    claim(cursors, 4, last, start);
    CHECK_FALSE(cursors.sweep(start + 1s));
    Cursors::Time now = start + 2s;
    RowId seen{};
    int windows = 0;
    while (const auto window = cursors.sweep(now)) {
        CHECK(window->after == seen);
        REQUIRE(window->until > window->after);
        seen = window->until;
        ++windows;
        cursors.swept(*window, true, 20ms, now);
        if (seen == last) break;
        CHECK_FALSE(cursors.sweep(now + 379ms));
        now += 380ms;
    }
    CHECK(seen == last);
    CHECK(windows > 2);
    CHECK_FALSE(cursors.sweep(now + 999ms));
    const auto again = cursors.sweep(now + 1s);
    REQUIRE(again);
    CHECK(again->after == RowId{});
    // What was not emptied is looked at again.
    cursors.swept(*again, false, 1ms, now + 1s);
    CHECK(cursors.sweep(now + 1019ms)->after == RowId{});
}

TEST_CASE("Cursors know whether looking from the start is dear", "[worker][cursors]") {
    Cursors cursors;
    cursors.looked(10ms, start);
    cursors.looked(10ms, start + 500ms);
    cursors.looked(1ms, start + 600ms);  // a slow look now and then says nothing
    cursors.looked(10ms, start + 1s);
    CHECK_FALSE(cursors.is_costly());
    cursors.looked(10ms, start + 1500ms);
    cursors.looked(9ms, start + 2s);
    CHECK(cursors.is_costly());
    claim(cursors, 4, RowId{1000}, start);
    cursors.swept(*cursors.sweep(start + 3s), true, 1ms, start + 3s);
    CHECK_FALSE(cursors.is_costly());
}

TEST_CASE("Cursors say when to sweep although nothing else happens", "[worker][cursors]") {
    Cursors cursors;
    cursors.woken();
    CHECK_FALSE(cursors.due(start + 9s));  // claims begin at the start themselves
    claim(cursors, 4, RowId{std::int64_t{1} << 30}, start);
    const Cursors::Time now = start + 10s;
    REQUIRE(cursors.due(now));
    CHECK(*cursors.due(now) <= now);
    const auto first = cursors.sweep(now);
    REQUIRE(first);
    cursors.woken();  // behind what the sweep has looked at, perhaps
    cursors.swept(*first, true, 1ms, now);
    CHECK(cursors.due(now) == now + 19ms);  // the rest of it
    Cursors::Time at = now;
    const auto sweep_to_the_end = [&] {
        for (bool more = true; more;) {
            at = std::max(at, *cursors.due(now));
            const auto window = cursors.sweep(at);
            REQUIRE(window);
            cursors.swept(*window, true, 1ms, at);
            more = window->until < RowId{std::int64_t{1} << 30};
        }
    };
    sweep_to_the_end();
    CHECK(cursors.due(at) == at + 1s);  // another, for what woke during the first
    sweep_to_the_end();
    CHECK_FALSE(cursors.due(at));
    cursors.woken();
    CHECK(cursors.due(at) == at + 1s);
}
