#pragma once

// Asking before something is gone for good.

#include <string>

namespace worker::cli {

// Asks "<question> Type yes: " on a terminal and answers whether yes came.
// Throws: Failure (usage) when nobody can be asked: "<otherwise>: confirm with --yes".
bool is_confirmed(const std::string& question, const std::string& otherwise);

}  // namespace worker::cli
