#pragma once

// SHA-256. Pure.

#include <string>
#include <string_view>

namespace jobs::documents {

// In hexadecimal.
std::string sha256(std::string_view bytes);

}  // namespace jobs::documents
