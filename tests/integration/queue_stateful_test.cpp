// Random sequences of the queue's functions, each step compared with a model of the queue in memory. A sequence that
// fails is cut down to the steps that it takes, and printed. What is left out: DECISIONS.md, 114.
//
// TASK_WORKER_STATEFUL_SEED and TASK_WORKER_STATEFUL_SEQUENCES: which sequences, and how many of 150 steps.
#include "tests/integration/queue_stateful_steps.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/number_from.hpp"

#include <fmt/format.h>

using namespace tests;

namespace {

constexpr std::size_t steps_each = 150;

std::string failure_of(QueueFixture& queue, const std::vector<Step>& steps) {
    QueueSteps run(queue);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const std::string wrong = run.run(steps[i]);
        if (!wrong.empty()) return fmt::format("after step {}: {}", i + 1, wrong);
    }
    return run.check_args();
}

// Leaves out what it can: halves, then smaller pieces, then single steps.
std::vector<Step> shrink(QueueFixture& queue, std::vector<Step> steps) {
    for (std::size_t piece = steps.size() / 2; piece > 0;) {
        bool shorter = false;
        for (std::size_t from = 0; from + piece <= steps.size();) {
            std::vector<Step> fewer = steps;
            const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(from);
            fewer.erase(first, first + static_cast<std::ptrdiff_t>(piece));
            if (failure_of(queue, fewer).empty()) {
                from += piece;
            } else {
                steps = std::move(fewer);
                shorter = true;
            }
        }
        if (!shorter) piece /= 2;
        piece = std::min(piece, steps.size());
    }
    return steps;
}

}  // namespace

TEST_CASE("every sequence of calls does to the queue what it does to the model", "[queue][stateful][db]") {
    const std::uint64_t seed = number_from("TASK_WORKER_STATEFUL_SEED", std::random_device{}());
    const std::uint64_t sequences = number_from("TASK_WORKER_STATEFUL_SEQUENCES", 12);
    QueueFixture queue;
    for (std::uint64_t sequence = 0; sequence < sequences; ++sequence) {
        std::mt19937 random(static_cast<std::mt19937::result_type>(seed + sequence));
        const std::vector<Step> steps = random_steps(random, steps_each);
        if (failure_of(queue, steps).empty()) continue;
        const std::vector<Step> fewest = shrink(queue, steps);
        std::string text;
        for (const Step& step : fewest) text += step_text(step) + "\n";
        FAIL(
            "TASK_WORKER_STATEFUL_SEED=" << seed + sequence << " TASK_WORKER_STATEFUL_SEQUENCES=1, in " << fewest.size()
                                         << " steps:\n"
                                         << text << failure_of(queue, fewest)
        );
    }
}
