#pragma once

// Packing jobs into bundles, and bundles into lines for COPY. Pure.

#include "queue/bundle.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace queue {

// The args of a bundle stay under this many bytes, unless one job alone has more.
inline constexpr std::size_t max_bundle_bytes = std::size_t{64} * 1024;

struct PackedBundle {
    int jobs = 0;
    std::string args{};  // the jobs' args, with commas between them
};

// Appends a job: to the last bundle when it has fewer than `size` jobs and room for the bytes, else to a new one.
void pack_job(std::vector<PackedBundle>& bundles, std::string_view args, int size);

// Text for a field of COPY's text format: backslash, tab, line feed and carriage return are escaped.
void append_copy_text(std::string& line, std::string_view text);

// One line of COPY bundles (id, members, pending, args, <the columns of `rest`>). `rest` starts with a tab and is
// already escaped.
void append_copy_line(std::string& buffer, std::int64_t base, const PackedBundle& bundle, std::string_view rest);

}  // namespace queue
