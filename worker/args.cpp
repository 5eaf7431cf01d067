#include "worker/args.hpp"

#include <boost/json/parse.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace json = boost::json;

namespace worker {

namespace {

json::value parse(std::string_view text, boost::system::error_code& error) {
    json::parse_options options;
    options.max_depth = 600;
    return json::parse({text.data(), text.size()}, error, {}, options);
}

// The elements of an array that PostgreSQL accepted, as text: cut at the commas outside of strings and brackets.
std::vector<std::string_view> split(std::string_view array) {
    std::vector<std::string_view> elements;
    std::size_t start = array.find('[') + 1;
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = start; i < array.size(); ++i) {
        const char c = array[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            ++depth;
        } else if (depth == 0 && (c == ',' || c == ']')) {
            elements.push_back(array.substr(start, i - start));
            start = i + 1;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return elements;
}

}  // namespace

json::array read_args(const queue::Bundle& bundle, queue::Mask& broken) {
    boost::system::error_code error;
    json::value whole = parse(bundle.args, error);
    json::array args;
    std::vector<bool> readable;
    if (!error && whole.is_array()) {
        args = std::move(whole.get_array());
        readable.assign(args.size(), true);
    } else {
        for (const std::string_view element : split(bundle.args)) {
            error.clear();
            args.push_back(parse(element, error));
            readable.push_back(!error);
        }
    }
    for (int n = 0; n < queue::max_bundle_jobs; ++n) {
        if ((bundle.pending & queue::bit(n)) == 0) continue;
        const auto place = static_cast<std::size_t>(queue::element_of(bundle.id, n));
        if (place >= readable.size() || !readable[place]) broken |= queue::bit(n);
    }
    return args;
}

}  // namespace worker
