#include "worker/cli/cancel_words.hpp"

#include "worker/cli/confirm.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/errors.hpp"

#include <fmt/format.h>

#include <string_view>

namespace worker::cli {

namespace {

std::string words_of(std::int64_t cancelled, std::int64_t stopping, std::string_view cancel, std::string_view ask) {
    std::string text = fmt::format("{} {}", cancel, count_of(cancelled, "job"));
    if (stopping > 0) text += fmt::format(" and {} {} to stop", ask, count_of(stopping, "running job"));
    return text;
}

}  // namespace

std::string words_to_cancel(std::int64_t cancelled, std::int64_t stopping) {
    return words_of(cancelled, stopping, "cancel", "ask");
}

std::string words_of_cancelled(std::int64_t cancelled, std::int64_t stopping) {
    return words_of(cancelled, stopping, "cancelled", "asked");
}

bool may_cancel(const queue::Cancellable& found, const std::string& command) {
    const std::string what = words_to_cancel(found.waiting, found.running);
    if (is_confirmed("This would " + what + ".", command + " would " + what)) return true;
    complain("nothing cancelled");
    return false;
}

}  // namespace worker::cli
