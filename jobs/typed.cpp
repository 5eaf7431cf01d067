#include "jobs/typed.hpp"

#include "jobs/utf8.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace jobs {

std::string pointer_to(std::string_view pointer, std::string_view member) {
    std::string extended(pointer);
    extended += '/';
    for (const char letter : member) {
        if (letter == '~') {
            extended += "~0";
        } else if (letter == '/') {
            extended += "~1";
        } else {
            extended += letter;
        }
    }
    return extended;
}

std::string type_problem(std::string_view pointer, std::string_view expected, const boost::json::value& value) {
    constexpr std::size_t shown = 60;
    const std::string got = boost::json::serialize(value);
    return fmt::format(
        "{}: expected {}, got {}{}",
        pointer.empty() ? "args" : pointer,
        expected,
        cut_utf8(got, shown),
        got.size() > shown ? "..." : ""
    );
}

Discard discard_for(const Problems& problems) {
    constexpr std::size_t listed = 20;
    std::string error = "args do not fit: ";
    for (std::size_t at = 0; at < problems.size() && at < listed; ++at) {
        if (at > 0) error += "; ";
        error += problems[at];
    }
    if (problems.size() > listed) error += fmt::format("; and {} more", problems.size() - listed);
    return Discard{std::move(error)};
}

}  // namespace jobs
