#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace bench {

std::vector<std::string> make_args(int jobs);

// Calls `call` with so many of them at a time, in order.
void insert_in_calls(
    std::span<const std::string> args, int jobs_a_call, const std::function<void(std::span<const std::string>)>& call
);

}  // namespace bench
