#pragma once

#include <chrono>
#include <random>

namespace worker {

// A tenth either way, so that a fleet started together does not act together.
inline std::chrono::milliseconds jittered(std::chrono::milliseconds period) {
    thread_local std::minstd_rand random(std::random_device{}());
    const double factor = std::uniform_real_distribution<double>(0.9, 1.1)(random);
    return std::chrono::duration_cast<std::chrono::milliseconds>(period * factor);
}

}  // namespace worker
