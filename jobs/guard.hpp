#pragma once

// What a killed worker's programs have started dies with them.
//
// The kernel kills a program when its worker is killed, but not the processes that it has started itself. So a small
// process beside the worker, the guard, waits for the worker's end, whatever way it ends, and then kills every group
// that is still on the list which it shares with the worker.

#include <sys/types.h>

#include <utility>

namespace jobs {

// A place on the guard's list, for one process group.
//
// Thread: any.
class GuardedGroup {
public:
    // Takes a place; the first in this process starts the guard. Without one, or when the list is full, it has none.
    GuardedGroup();
    ~GuardedGroup() { leave(); }
    GuardedGroup(GuardedGroup&& other) noexcept : place_(std::exchange(other.place_, nullptr)) {}
    GuardedGroup& operator=(GuardedGroup&&) = delete;

    // Where the group's leader writes its own number, first of all; null without a place. Shared memory.
    pid_t* place() const { return place_; }
    // The group has ended: to be called before its number may be given to another.
    void leave();

private:
    pid_t* place_ = nullptr;
};

// Kills every group that is on the list of this process now: nothing of what it has started runs on. Answers how many.
int kill_guarded_groups();

// Starts the guard now, rather than with the first program: while the process is small and has one thread.
void start_guard();

}  // namespace jobs
