#include "worker/line.hpp"

#include "tests/support/catch.hpp"

using namespace worker;
using queue::bit;

namespace {

struct Kinds {
    jobs::Kind plain{"plain", {}, {}};
    jobs::Kind limited{"limited", {}, {}};
    RunnableKind run_plain{&plain};
    RunnableKind run_limited{&limited};
    Kinds() { limited.policy.concurrency = 1; }
};

std::shared_ptr<HeldBundle> held(RunnableKind& kind, std::int64_t row, queue::Mask jobs, std::int16_t priority = 4) {
    auto bundle = std::make_shared<HeldBundle>();
    bundle->bundle.id = queue::RowId{row};
    bundle->bundle.queue = queue::QueueId{1};
    bundle->bundle.priority = priority;
    bundle->claim = queue::ClaimNumber{7};
    bundle->kind = &kind;
    bundle->unstarted = jobs;
    return bundle;
}

}  // namespace

TEST_CASE("Line starts the most urgent row first, and a row's jobs in ascending order", "[worker][line]") {
    Kinds kinds;
    Line line;
    line.add(held(kinds.run_plain, 128, 0b101));
    line.add(held(kinds.run_plain, 256, 0b1, 0));
    CHECK(line.startable() == 3);
    std::vector<std::pair<std::int64_t, int>> order;
    while (const auto start = line.next()) {
        order.emplace_back(static_cast<std::int64_t>(start->held->bundle.id), start->n);
    }
    CHECK(order == std::vector<std::pair<std::int64_t, int>>{{256, 0}, {128, 0}, {128, 2}});
    CHECK(line.running() == 3);
    CHECK(line.unstarted() == 0);
}

TEST_CASE("Line knows how many bytes of args wait in it", "[worker][line]") {
    Kinds kinds;
    Line line;
    const auto two = held(kinds.run_plain, 128, 0b11);
    two->args = ArgsText("[1, 2]");
    const auto one = held(kinds.run_plain, 256, 0b1);
    one->args = ArgsText("[3]");
    line.add(two);
    line.add(one);
    CHECK(line.unstarted_bytes() == 9);
    line.next();
    CHECK(line.unstarted_bytes() == 9);
    line.next();
    CHECK(line.unstarted_bytes() == 3);
    line.drop(queue::RowId{128}, queue::ClaimNumber{7}, 0b11);
    CHECK(line.unstarted_bytes() == 3);
    line.drop_unstarted();
    CHECK(line.unstarted_bytes() == 0);
}

TEST_CASE("Line holds the limits of kinds and queues, and lets others pass", "[worker][line]") {
    Kinds kinds;
    Line line;
    line.add(held(kinds.run_limited, 128, 0b11));
    line.add(held(kinds.run_plain, 256, 0b111));
    CHECK(line.startable() == 4);
    line.set_queue_limit(queue::QueueId{1}, 3);
    CHECK(line.startable() == 3);
    const auto first = line.next();
    CHECK(first->held->kind == &kinds.run_limited);
    CHECK(line.next()->held->kind == &kinds.run_plain);
    CHECK(line.next()->held->kind == &kinds.run_plain);
    CHECK_FALSE(line.next());  // the queue is full
    CHECK_FALSE(line.has_room(queue::QueueId{1}));
    CHECK(line.has_room(queue::QueueId{2}));
    line.ended(*first->held, first->n);
    CHECK(line.next()->held->kind == &kinds.run_limited);
    CHECK_FALSE(line.next());
}

TEST_CASE("Line hands back what was not started, and drops what was cancelled", "[worker][line]") {
    Kinds kinds;
    Line line;
    line.add(held(kinds.run_plain, 128, 0b1111));
    CHECK(line.next()->n == 0);
    CHECK(line.drop(queue::RowId{128}, queue::ClaimNumber{7}, 0b0011) == 0b0010);  // the first runs
    CHECK(line.drop(queue::RowId{256}, queue::ClaimNumber{7}, 0b1) == 0);
    CHECK(line.drop(queue::RowId{128}, queue::ClaimNumber{6}, 0b0100) == 0);  // another claim's
    REQUIRE(line.oldest());
    CHECK(line.drop_unstarted(*line.oldest()).empty());  // none is older
    const std::vector<queue::Unstarted> dropped = line.drop_unstarted();
    CHECK_FALSE(line.oldest());
    REQUIRE(dropped.size() == 1);
    CHECK(dropped[0].jobs == 0b1100);
    CHECK(dropped[0].claim == queue::ClaimNumber{7});
    CHECK(line.unstarted() == 0);
    CHECK(line.running() == 1);
    CHECK_FALSE(line.next());
}

TEST_CASE("Line gives back what a limit holds back for long, and nothing else", "[worker][line]") {
    using namespace std::chrono_literals;
    Kinds kinds;
    Line line;
    const Line::Time start{};
    const auto limited = held(kinds.run_limited, 128, 0b111);
    const auto plain = held(kinds.run_plain, 256, 0b11);
    limited->since = start + 1s;
    plain->since = start;
    line.add(limited);
    line.add(plain);
    CHECK(kinds.run_limited.is_full());
    CHECK_FALSE(kinds.run_plain.is_full());
    CHECK_FALSE(line.oldest_held_back());  // the first of them may still start
    line.next();
    CHECK(line.oldest_held_back() == start + 1s);
    CHECK(line.drop_held_back(start + 1s).empty());
    const auto back = line.drop_held_back(start + 2s);
    REQUIRE(back.size() == 1);
    CHECK(back[0].row == queue::RowId{128});
    CHECK(back[0].jobs == 0b110);
    CHECK(line.unstarted() == 2);
    CHECK(kinds.run_limited.is_full());
    line.ended(*limited, 0);
    CHECK_FALSE(kinds.run_limited.is_full());

    line.set_queue_limit(queue::QueueId{1}, 1);
    line.next();
    CHECK(line.oldest_held_back() == start);
    CHECK(line.drop_held_back(start + 1s).size() == 1);
}
