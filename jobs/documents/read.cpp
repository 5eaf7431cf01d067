#include "jobs/documents/read.hpp"

#include <fmt/format.h>

#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>

namespace jobs::documents {

namespace {

constexpr std::size_t piece = std::size_t{64} * 1024;

Refusal too_large(std::size_t limit) {
    return {fmt::format("is larger than documents.file_limit, {} bytes", limit)};
}

// Empty at the end.
std::string_view read_some(const UniqueFd& file, std::array<char, piece>& buffer) {
    while (true) {
        const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
        if (got >= 0) return {buffer.data(), static_cast<std::size_t>(got)};
        if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "reading");
    }
}

class Inflater {
public:
    explicit Inflater(std::size_t limit) : limit_(limit) {
        constexpr int largest_window_of_gzip = 15 + 16;
        if (inflateInit2(&stream_, largest_window_of_gzip) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    std::optional<Refusal> put(std::string_view packed) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));  // zlib only reads it
        stream_.avail_in = static_cast<uInt>(packed.size());
        while (stream_.avail_in > 0 && !is_over_) {
            if (auto refusal = step()) return refusal;
        }
        return {};
    }
    // After the last of the file.
    std::optional<Refusal> put_end() const {
        if (is_between_ || is_over_) return {};
        return Refusal{has_begun() ? "is a gzip file that is cut off" : "is no gzip file: it ends too early"};
    }
    std::string take() { return std::move(text_); }

private:
    bool has_begun() const { return !text_.empty() || members_ > 0; }

    std::optional<Refusal> step() {
        if (is_between_ && *stream_.next_in != 0x1F) {  // padding
            is_over_ = true;
            return {};
        }
        stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
        stream_.avail_out = static_cast<uInt>(buffer_.size());
        const int code = inflate(&stream_, Z_NO_FLUSH);
        text_.append(buffer_.data(), buffer_.size() - stream_.avail_out);
        if (text_.size() > limit_) return too_large(limit_);
        is_between_ = code == Z_STREAM_END;
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
            const char* const what = stream_.msg == nullptr ? "" : stream_.msg;
            return Refusal{fmt::format("is {}gzip file: {}", has_begun() ? "a damaged " : "no ", what)};
        }
        if (is_between_) {
            ++members_;
            inflateReset(&stream_);
        }
        return {};
    }

    const std::size_t limit_;
    z_stream stream_{};
    std::array<char, piece> buffer_{};
    std::string text_;
    int members_ = 0;          // that are whole
    bool is_between_ = false;  // two members, or behind the last
    bool is_over_ = false;
};

}  // namespace

boost::system::result<Whole, Refusal> read_whole(const UniqueFd& file, bool is_packed, std::size_t limit) {
    std::array<char, piece> buffer;
    if (is_packed) {
        Inflater inflater(limit);
        for (auto bytes = read_some(file, buffer); !bytes.empty(); bytes = read_some(file, buffer)) {
            if (auto refusal = inflater.put(bytes)) return std::move(*refusal);
        }
        if (auto refusal = inflater.put_end()) return std::move(*refusal);
        return Whole{inflater.take()};
    }
    std::string text;
    for (auto bytes = read_some(file, buffer); !bytes.empty(); bytes = read_some(file, buffer)) {
        if (text.size() + bytes.size() > limit) return too_large(limit);
        text += bytes;
    }
    return Whole{std::move(text)};
}

}  // namespace jobs::documents
