#include "jobs/handler.hpp"

#include <stdexcept>

namespace jobs {

void Registry::add(Kind kind) {  // NOLINT(performance-unnecessary-value-param): it is moved
    const std::string name = kind.name;
    if (!kinds_.try_emplace(name, std::move(kind)).second) {
        throw std::invalid_argument("kind " + name + " is registered twice");
    }
}

const Kind* Registry::find(std::string_view name) const {
    const auto found = kinds_.find(name);
    return found == kinds_.end() ? nullptr : &found->second;
}

std::vector<std::string> Registry::names() const {
    std::vector<std::string> names;
    names.reserve(kinds_.size());
    for (const auto& [name, kind] : kinds_) names.push_back(name);
    return names;
}

}  // namespace jobs
