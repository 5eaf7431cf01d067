// A text that passes as a job's args is a JSON value that Boost.JSON reads as well.
#include "queue/json_text.hpp"
#include "tests/fuzz/input.hpp"

#include <boost/json/parse.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = tests::text_of(data, size);
    if (queue::find_json_problem(text)) return 0;
    boost::json::parse_options options;
    options.max_depth = 512;
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(text, error, {}, options);
    tests::expect(!error);
    return 0;
}
