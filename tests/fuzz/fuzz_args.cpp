// Whatever JSON stands in a row's args: it is cut into the jobs' own, a program is told of each, and a typed handler
// gets what fits or a reason.
#include "jobs/exec_input.hpp"
#include "jobs/typed.hpp"
#include "jobs/utf8.hpp"
#include "queue/json_text.hpp"
#include "tests/fuzz/input.hpp"
#include "worker/args.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>

namespace json = boost::json;

namespace {

struct Inner {
    std::int8_t n = 0;
    std::optional<double> x;
};
BOOST_DESCRIBE_STRUCT(Inner, (), (n, x))

struct Wanted {
    std::string to;
    std::optional<bool> b;
    std::vector<Inner> a;
    std::map<std::string, std::uint64_t> m;
    std::optional<json::value> v;
};
BOOST_DESCRIBE_STRUCT(Wanted, (), (to, b, a, m, v))

// Of a double only that it is one: the parser reads it one way at the end of a text and another way elsewhere.
bool is_same(const json::value& one, const json::value& other) {
    if (one.kind() != other.kind()) return false;
    if (one.is_double()) return true;
    if (one.is_array()) return std::ranges::equal(one.get_array(), other.get_array(), is_same);
    if (!one.is_object()) return one == other;
    const json::object& there = other.get_object();
    return one.get_object().size() == there.size() &&
           std::ranges::all_of(one.get_object(), [&](const json::key_value_pair& member) {
               const json::value* same = there.if_contains(member.key());
               return same != nullptr && is_same(member.value(), *same);
           });
}

void check_decoding(const json::value& value) {
    Wanted wanted;
    jobs::Problems problems;
    jobs::decode(value, "", wanted, problems);
    if (problems.empty()) return;
    const std::string reason = jobs::discard_for(problems).error;
    std::string valid;
    jobs::append_valid_utf8(valid, reason);
    tests::expect(valid == reason);
}

void check_program(const jobs::Job& job) {
    const std::string document = jobs::job_document(job);
    tests::expect(document.find('\n') == document.size() - 1);
    tests::expect(!queue::find_json_problem(document));
    for (const std::string& entry : jobs::job_environment({{"PATH", "/bin"}}, job)) {
        const std::size_t equals = entry.find('=');
        tests::expect(equals != std::string::npos && equals > 0 && entry.find('\0') == std::string::npos);
        const std::string_view name = std::string_view(entry).substr(0, equals);
        tests::expect(std::ranges::all_of(name, [](char c) {
            return c == '_' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        }));
    }
}

void check_element(const std::shared_ptr<const worker::ArgsText>& args, std::size_t place) {
    jobs::Job job{
        .id = queue::JobId{128}, .kind = "work", .batch = {}, .args = {args, args->element(place)}, .traceparent = {}
    };
    try {
        check_decoding(job.args.value());
    } catch (const jobs::ArgsError&) {
        return;
    }
    check_program(job);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = tests::text_of(data, size);
    const auto args = std::make_shared<const worker::ArgsText>(std::string(text));
    for (std::size_t place = 0; place <= args->size(); ++place) check_element(args, place);
    if (queue::find_json_problem(text)) return 0;
    json::parse_options options;
    options.max_depth = 512;
    const json::value whole = json::parse(json::string_view(text.data(), text.size()), {}, options);
    if (!whole.is_array() || whole.get_array().empty()) return 0;
    tests::expect(args->size() == whole.get_array().size());
    for (std::size_t place = 0; place < args->size(); ++place) {
        const std::string_view element = args->element(place);
        const json::value alone = json::parse(json::string_view(element.data(), element.size()), {}, options);
        tests::expect(is_same(alone, whole.at(place)));
    }
    return 0;
}
