#include "jobs/line_reader.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <utility>

namespace jobs {

namespace {

using boost::system::error_code;

constexpr std::size_t piece_size = std::size_t{64} * 1024;
// What one turn reads of a stream before others have theirs, and at most after the end: as much as a pipe can hold.
constexpr std::size_t turn_size = std::size_t{1024} * 1024;

}  // namespace

LineReader::LineReader(const boost::asio::any_io_executor& strand, LineSplitter& lines, Callbacks callbacks)
    : descriptor_(strand), lines_(lines), callbacks_(std::move(callbacks)) {}

void LineReader::start(UniqueFd descriptor, const std::shared_ptr<const void>& owner) {
    owner_ = owner;
    if (!descriptor) return;  // the program has closed it
    descriptor_.assign(descriptor.release());
    wait();
}

void LineReader::wait() {
    descriptor_.async_wait(descriptor_.wait_read, [this, owner = owner_.lock()](error_code error) {
        if (error || !descriptor_.is_open()) return;
        read_available();
        if (descriptor_.is_open()) wait();
    });
}

void LineReader::read_available() {
    thread_local std::array<char, piece_size> piece;
    for (std::size_t total = 0; total < turn_size && descriptor_.is_open();) {
        const ssize_t got = ::read(descriptor_.native_handle(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            error_code ignored;
            descriptor_.close(ignored);
            if (callbacks_.on_end) callbacks_.on_end();
            return;
        }
        const std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
        total += bytes.size();
        lines_.feed(bytes, std::cref(callbacks_.on_line));
    }
}

void LineReader::finish_line() {
    lines_.finish(std::cref(callbacks_.on_line));
}

UniqueFd LineReader::stop() {
    owner_.reset();
    return descriptor_.is_open() ? UniqueFd(descriptor_.release()) : UniqueFd();
}

}  // namespace jobs
