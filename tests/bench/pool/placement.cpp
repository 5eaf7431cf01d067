#include "tests/bench/pool/placement.hpp"

#include <sched.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace bench {

namespace {

// The first two cores that this program may use.
const std::vector<int>& cores() {
    static const std::vector<int> found = [] {
        cpu_set_t allowed;
        sched_getaffinity(0, sizeof allowed, &allowed);
        std::vector<int> cores;
        for (int core = 0; core < CPU_SETSIZE && cores.size() < 2; ++core) {
            if (CPU_ISSET(core, &allowed)) cores.push_back(core);
        }
        return cores;
    }();
    return found;
}

void keep_on(int core, pid_t thread) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (sched_setaffinity(thread, sizeof one, &one) != 0) {
        throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
    }
}

}  // namespace

std::string_view name_of(Placement placement) {
    return placement == Placement::apart ? "apart" : "together";
}

void place(Placement placement, pid_t server) {
    const std::vector<int>& two = cores();
    keep_on(two.front(), 0);
    keep_on(placement == Placement::apart ? two.back() : two.front(), server);
}

}  // namespace bench
