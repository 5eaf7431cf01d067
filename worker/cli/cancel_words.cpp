#include "worker/cli/cancel_words.hpp"

#include "worker/cli/confirm.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/errors.hpp"

#include <fmt/format.h>

#include <string_view>

namespace worker::cli {

namespace {

std::string words_of(std::int64_t cancelled, std::int64_t stopping, std::string_view cancel, std::string_view ask) {
    const std::string waiting = fmt::format("{} {}", cancel, count_of(cancelled, "job"));
    if (stopping == 0) return waiting;
    const std::string running = fmt::format("{} {} to stop", ask, count_of(stopping, "running job"));
    return cancelled == 0 ? running : waiting + " and " + running;
}

}  // namespace

std::string words_to_cancel(std::int64_t cancelled, std::int64_t stopping) {
    return words_of(cancelled, stopping, "cancel", "ask");
}

std::string words_of_cancelled(std::int64_t cancelled, std::int64_t stopping) {
    return words_of(cancelled, stopping, "cancelled", "asked");
}

bool may_cancel(const queue::Cancellable& found, const std::string& command, const std::string& where) {
    const std::string what = words_to_cancel(found.waiting, found.running) + where;
    if (is_confirmed("This would " + what + ".", command + " would " + what)) return true;
    complain("nothing cancelled");
    return false;
}

}  // namespace worker::cli
