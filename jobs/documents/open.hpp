#pragma once

// Files beneath a folder, and none outside: whoever may enqueue names the path.

#include "jobs/unique_fd.hpp"

#include <boost/system/result.hpp>

#include <optional>
#include <string>

namespace jobs::documents {

// A file that is no document, and will not be one at the next attempt either.
struct Refusal {
    std::string why;
};

// The path below `root`, an absolute path without dots: of one that begins with it, or of a relative one. Empty: it
// leads elsewhere. Looks at no file.
std::optional<std::string> path_below(const std::string& root, const std::string& path);

// Opens a regular file for reading. The kernel keeps the way beneath `root` (openat2): neither ".." nor a link may lead
// out; absolute links do, wherever they point.
// Throws: std::system_error for what may go away: the root is missing, no descriptor is left.
boost::system::result<UniqueFd, Refusal> open_below(const std::string& root, const std::string& below);

}  // namespace jobs::documents
