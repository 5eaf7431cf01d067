#pragma once

// The end of a list of the newest: that there may be more.

#include "worker/cli/options.hpp"

#include <cstddef>

namespace worker::cli {

// Says on a terminal, below a list of so many lines, that no more were asked for; nothing when fewer were found.
void note_more(const Global& global, std::size_t shown, int limit);

}  // namespace worker::cli
