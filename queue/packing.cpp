#include "queue/packing.hpp"

#include <fmt/format.h>

#include <iterator>

namespace queue {

void pack_job(std::vector<PackedBundle>& bundles, std::string_view args, int size) {
    const bool fits = !bundles.empty() && bundles.back().jobs < size &&
                      bundles.back().args.size() + args.size() + 3 <= max_bundle_bytes;  // comma and brackets
    if (!fits) bundles.emplace_back();
    PackedBundle& bundle = bundles.back();
    if (bundle.jobs > 0) bundle.args += ',';
    bundle.args += args;
    ++bundle.jobs;
}

void append_copy_text(std::string& line, std::string_view text) {
    constexpr std::string_view special = "\\\t\n\r";
    constexpr std::string_view escaped = "\\tnr";
    std::size_t from = 0;
    for (std::size_t at = text.find_first_of(special); at != std::string_view::npos;
         at = text.find_first_of(special, from)) {
        line += text.substr(from, at - from);
        line += '\\';
        line += escaped[special.find(text[at])];
        from = at + 1;
    }
    line += text.substr(from);
}

void append_copy_line(std::string& buffer, std::int64_t base, const PackedBundle& bundle, std::string_view rest) {
    const Mask mask = first_bits(bundle.jobs);
    fmt::format_to(std::back_inserter(buffer), "{}\t{}\t{}\t[", base, mask, mask);
    append_copy_text(buffer, bundle.args);
    buffer += ']';
    buffer += rest;
    buffer += '\n';
}

}  // namespace queue
