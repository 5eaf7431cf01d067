#pragma once

// A program's output on Asio: bytes as they come, cut into lines.

#include "jobs/exec_output.hpp"
#include "jobs/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace jobs {

// One output stream of one program. Everything in here happens on one strand.
class LineReader {
public:
    struct Callbacks {
        std::function<void(std::string_view line, std::size_t left_out)> on_line;
        std::function<void()> on_end{};  // nobody has the stream open any more
    };

    // `lines` stays the caller's: it holds what came of a line so far.
    LineReader(const boost::asio::any_io_executor& strand, LineSplitter& lines, Callbacks callbacks);

    // Takes over the descriptor, which does not block, and reads whenever there is something. `owner` keeps this object
    // while it waits.
    void start(UniqueFd descriptor, const std::shared_ptr<const void>& owner);
    // Reads what is there now, at most a pipe's worth.
    void read_available();
    // Ends the last line when the stream stopped in the middle of it.
    void finish_line();
    // Gives the descriptor back, empty at its end. No callback comes any more.
    UniqueFd stop();

private:
    void wait();

    boost::asio::posix::stream_descriptor descriptor_;
    LineSplitter& lines_;
    Callbacks callbacks_;
    std::weak_ptr<const void> owner_;
};

}  // namespace jobs
