// A text that passes as a job's args is a JSON value that Boost.JSON reads as well.
#include "queue/json_text.hpp"

#include <boost/json/parse.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (queue::find_json_problem(text)) return 0;
    boost::json::parse_options options;
    options.max_depth = 512;
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(text, error, {}, options);
    if (error) std::abort();
    return 0;
}
