#include "worker/foothold.hpp"

#include "tests/support/catch.hpp"

using worker::Foothold;
using namespace std::chrono_literals;

namespace {

const Foothold::Time start{1h};
const db::TimePoint due{1000s};

// Takes something, and looks once a second from where the foothold says; a look from the beginning takes so long.
Foothold after(std::chrono::seconds seconds, std::chrono::milliseconds beginning) {
    Foothold foothold;
    for (auto second = 0s; second <= seconds; ++second) {
        const auto place = foothold.place(start + second);
        foothold.took_due(due + second);
        foothold.took_changes(100 + second.count());
        foothold.looked(place, place == Foothold::Place{} ? beginning : 1ms, start + second);
    }
    return foothold;
}

}  // namespace

TEST_CASE("Foothold begins at the beginning while that is quick", "[worker][foothold]") {
    CHECK(Foothold().place(start) == Foothold::Place{});
    CHECK(after(100s, 1ms).place(start + 101s) == Foothold::Place{});
    CHECK(after(100s, 50ms).place(start + 101s) == Foothold::Place{});
}

TEST_CASE("Foothold begins 10 to 20 s behind where the beginning is dear", "[worker][foothold]") {
    for (const auto seconds : {41s, 45s, 48s}) {
        const auto place = after(seconds, 200ms).place(start + seconds + 1s);
        REQUIRE(place != Foothold::Place{});
        const auto lag = due + seconds - place.due;
        CHECK(lag >= 10s);
        CHECK(lag <= 20s);
        CHECK(place.change == 100 + (place.due - due) / 1s);
    }
}

TEST_CASE("Foothold looks from the beginning so seldom that it takes a fiftieth of the time", "[worker][foothold]") {
    struct Row {
        std::chrono::milliseconds beginning;
        int at_most;  // looks from the beginning in 1,000 s
    };
    const auto row = GENERATE(values<Row>({{100ms, 101}, {200ms, 101}, {1s, 21}, {5s, 5}}));
    Foothold foothold;
    int looks = 0;
    for (auto second = 0s; second < 1000s; ++second) {
        const auto place = foothold.place(start + second);
        foothold.took_due(due + second);
        if (place == Foothold::Place{}) ++looks;
        foothold.looked(place, place == Foothold::Place{} ? row.beginning : 1ms, start + second);
    }
    CHECK(looks <= row.at_most + 20);  // the first 20 s have no place to begin at but the beginning
    CHECK(looks >= row.at_most / 2);
}

TEST_CASE("Foothold returns to the beginning for good once it is quick again", "[worker][foothold]") {
    Foothold foothold = after(40s, 200ms);
    auto now = start + 41s;
    while (foothold.place(now) != Foothold::Place{}) now += 1s;
    foothold.looked({}, 1ms, now);
    for (int i = 0; i < 30; ++i) {
        now += 1s;
        CHECK(foothold.place(now) == Foothold::Place{});
        foothold.looked({}, 1ms, now);
    }
}

TEST_CASE("Foothold never goes back", "[worker][foothold]") {
    Foothold foothold = after(45s, 200ms);
    foothold.took_due(due);
    foothold.took_changes(1);
    CHECK(foothold.place(start + 46s) == after(45s, 200ms).place(start + 46s));
}
