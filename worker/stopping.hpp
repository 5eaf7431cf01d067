#pragma once

// The phases of stopping: soft, hard, closing. Pure.

#include "worker/config.hpp"
#include "worker/engine.hpp"

#include <chrono>
#include <optional>

namespace worker {

class Stopping {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit Stopping(const ShutdownConfig& settings) : settings_(settings) {}

    // A signal: the first begins, each further one skips to the next phase.
    void signal(Time now) { enter(next(), now); }
    // Time passed: the phase may be over.
    void tick(Time now) {
        if (deadline_ && now >= *deadline_) enter(next(), now);
    }

    Engine::Phase phase() const { return phase_; }
    bool has_begun() const { return phase_ != Engine::Phase::running; }
    std::optional<Time> deadline() const { return deadline_; }  // when tick() changes something

private:
    Engine::Phase next() const {
        switch (phase_) {
            case Engine::Phase::running:
                return Engine::Phase::draining;
            case Engine::Phase::draining:
                return Engine::Phase::interrupt;
            default:
                return Engine::Phase::closing;
        }
    }
    void enter(Engine::Phase phase, Time now) {
        phase_ = phase;
        deadline_.reset();
        if (phase == Engine::Phase::draining) deadline_ = now + settings_.soft;
        if (phase == Engine::Phase::interrupt) deadline_ = now + settings_.hard;
    }

    ShutdownConfig settings_;
    Engine::Phase phase_ = Engine::Phase::running;
    std::optional<Time> deadline_;
};

}  // namespace worker
