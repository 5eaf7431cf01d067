#include "worker/cli/line_reader.hpp"

#include "worker/cli/errors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace worker::cli {

namespace {

constexpr std::size_t chunk = std::size_t{256} * 1024;

Failure cannot_read(const std::string& name) {
    const std::string reason = std::system_category().message(errno);
    return {exit_usage, name + " cannot be read, " + reason + ": give another file, or - for standard input"};
}

}  // namespace

LineReader::LineReader(std::string file, std::size_t longest) : file_(std::move(file)), longest_(longest) {
    descriptor_ = file_ == "-" ? STDIN_FILENO : open(file_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw cannot_read(name());
    struct stat status{};
    if (fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) size_ = status.st_size;
    try {
        fill();  // a folder is found out here, before anything is done
    } catch (...) {
        if (file_ != "-") close(descriptor_);
        throw;
    }
    if (buffer_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

LineReader::~LineReader() {
    if (file_ != "-") close(descriptor_);
}

std::string LineReader::name() const {
    return file_ == "-" ? "standard input" : file_;
}

bool LineReader::fill() {
    buffer_.resize(chunk);
    const ssize_t got = read(descriptor_, buffer_.data(), buffer_.size());
    if (got < 0) {
        throw cannot_read(name());
    }
    buffer_.resize(static_cast<std::size_t>(got));
    at_ = 0;
    bytes_ += got;
    return got > 0;
}

bool LineReader::next(std::string& line) {
    line.clear();
    bool any = false;
    for (;;) {
        if (at_ == buffer_.size() && !fill()) break;
        any = true;
        const std::size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
        const std::size_t room = longest_ + 1 - std::min(line.size(), longest_ + 1);
        line.append(buffer_, at_, std::min(end - at_, room));
        at_ = end;
        if (at_ == buffer_.size()) continue;
        ++at_;
        break;
    }
    if (!any) return false;
    ++number_;
    if (line.ends_with('\r') && line.size() <= longest_) line.pop_back();
    return true;
}

}  // namespace worker::cli
