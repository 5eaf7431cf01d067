#pragma once

// What must hold of every outcome, whoever brought it about: it can be stored.

#include "jobs/outcome.hpp"
#include "jobs/utf8.hpp"
#include "queue/json_text.hpp"
#include "tests/fuzz/input.hpp"

#include <boost/json/serialize.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace tests {

inline bool is_storable(std::string_view text) {
    std::string valid;
    jobs::append_valid_utf8(valid, text);
    return valid == text;
}

inline void expect_storable(const jobs::Outcome& outcome, std::size_t result_limit) {
    struct Check {
        std::size_t result_limit;
        void operator()(const jobs::Complete& complete) const {
            if (!complete.result) return;
            const std::string result = boost::json::serialize(*complete.result);
            expect(result.size() <= result_limit);
            expect(!queue::find_json_problem(result));
        }
        void operator()(const jobs::Retry& retry) const { expect(is_storable(retry.error)); }
        void operator()(const jobs::Snooze& snooze) const { expect(is_storable(snooze.reason)); }
        void operator()(const jobs::Discard& discard) const { expect(is_storable(discard.error)); }
        void operator()(const jobs::Cancel& cancel) const { expect(is_storable(cancel.reason)); }
    };
    std::visit(Check{result_limit}, outcome);
}

}  // namespace tests
