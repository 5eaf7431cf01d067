#pragma once

// What handlers count, for the worker's metrics. Thread: any.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace jobs {

struct ProgramCounters {
    std::atomic<std::uint64_t> started{0};  // programs that were started
    std::atomic<int> running{0};            // and have not ended yet
};

// Answers over HTTP by the first digit of their status; `none`: there was no answer.
struct HttpCounters {
    static constexpr std::array<std::string_view, 6> names{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

    // 0: none.
    void count(int status) { ++answers.at(status >= 100 && status < 600 ? static_cast<std::size_t>(status / 100) : 0); }

    std::array<std::atomic<std::uint64_t>, names.size()> answers{};
    std::atomic<std::uint64_t> connections{0};  // that were opened
};

}  // namespace jobs
