#include "jobs/json_limits.hpp"

#include <algorithm>
#include <cmath>

namespace jobs {

namespace json = boost::json;

bool overflows(const json::value& value) {
    if (const double* read = value.if_double()) return !std::isfinite(*read);
    if (const json::array* array = value.if_array()) return std::ranges::any_of(*array, overflows);
    const json::object* object = value.if_object();
    return object && std::ranges::any_of(*object, [](const auto& member) { return overflows(member.value()); });
}

}  // namespace jobs
