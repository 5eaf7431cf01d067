#pragma once

// Where client and server run. On a machine of few cores the kernel puts the two on one core or on two as it pleases,
// and keeps to that for seconds; a round trip of its own then takes 17 us or 55 (the other core sleeps and has to be
// woken). So the benchmark chooses, and measures both.

#include <sys/types.h>

#include <string_view>

namespace bench {

enum class Placement {
    apart,     // a core each, as on machines of their own
    together,  // on one core: whatever either does costs the other
};

std::string_view name_of(Placement placement);

// Puts this thread and what `server` starts from now on in their places. With one core there is only one.
void place(Placement placement, pid_t server);

}  // namespace bench
