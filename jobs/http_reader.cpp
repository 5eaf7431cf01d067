#include "jobs/http_reader.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace jobs {

namespace http = boost::beast::http;

using boost::system::error_code;

namespace {

constexpr std::uint32_t most_header_bytes = 64 * 1024;
// So much more of an error's body is read than is kept, which costs less than another connection.
constexpr std::size_t most_dropped = std::size_t{64} * 1024;

std::string too_wordy() {
    return fmt::format("its headers are over {} bytes", most_header_bytes);
}

std::string to_string(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

class HttpReader::Parser final : public http::basic_parser<false> {
public:
    explicit Parser(std::size_t result_limit) : result_limit_(result_limit) {
        eager(true);
        header_limit(most_header_bytes);
        body_limit(boost::none);
    }

    HttpAnswer answer;
    bool is_cut = false;
    std::size_t dropped = 0;  // bytes of the body that were not kept

private:
    using Text = boost::beast::string_view;

    void on_request_impl(http::verb, Text, Text, int, error_code&) override {}
    void on_response_impl(int status, Text reason, int /*version*/, error_code& /*error*/) override {
        answer.status = status;
        answer.reason = to_string(reason);
    }
    void on_field_impl(http::field name, Text /*name*/, Text value, error_code& /*error*/) override {
        if (name == http::field::retry_after) answer.retry_after = to_string(value);
        if (name == http::field::location) answer.location = to_string(value);
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(Text body, error_code& error) override { return take(body, error); }
    void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, Text body, error_code& error) override {
        return take(body, error);
    }
    void on_finish_impl(error_code&) override {}

    std::size_t take(Text body, error_code& error) {
        const std::size_t taken =
            std::min(body.size(), jobs::body_limit(answer.status, result_limit_) - answer.body.size());
        answer.body.append(body.data(), taken);
        dropped += body.size() - taken;
        answer.is_cut = dropped > 0;
        is_cut = dropped > (answer.status / 100 == 2 ? 0 : most_dropped);
        if (is_cut) error = http::error::body_limit;
        return body.size();
    }

    const std::size_t result_limit_;
};

HttpReader::HttpReader(std::size_t result_limit)
    : result_limit_(result_limit), parser_(std::make_unique<Parser>(result_limit)) {}

HttpReader::~HttpReader() = default;

HttpReader::State HttpReader::put(std::string_view bytes) {
    received_ += bytes.size();
    if (rest_.empty()) return look(bytes);
    rest_ += bytes;
    const std::string whole = std::exchange(rest_, {});
    return look(whole);
}

HttpReader::State HttpReader::look(std::string_view bytes) {
    while (true) {
        error_code error;
        bytes.remove_prefix(parser_->put(boost::asio::buffer(bytes), error));
        if (parser_->is_cut) return State::cut;
        if (error && error != http::error::need_more) {
            return fail(
                error == http::error::header_limit ? too_wordy()
                                                   : fmt::format("its answer is not HTTP/1.1: {}", error.message())
            );
        }
        if (parser_->is_done() && parser_->answer.status / 100 == 1) {
            parser_ = std::make_unique<Parser>(result_limit_);
            if (!bytes.empty()) continue;
        }
        if (!parser_->is_done() && is_too_wordy()) return fail(too_wordy());
        rest_ = bytes;
        return parser_->is_done() ? State::done : State::more;
    }
}

// Announcements without end, or what stands between the pieces of a body.
bool HttpReader::is_too_wordy() const {
    const std::size_t body = parser_->answer.body.size() + parser_->dropped;
    return received_ - body > most_header_bytes + 8 * body;
}

HttpReader::State HttpReader::put_end() {
    if (!has_begun()) return fail("the connection was closed without an answer");
    error_code error;
    parser_->put_eof(error);
    return error ? fail("the connection was closed in the middle of the answer") : State::done;
}

HttpReader::State HttpReader::fail(std::string error) {
    error_ = std::move(error);
    return State::failed;
}

bool HttpReader::has_begun() const {
    return parser_->got_some() || !rest_.empty();
}

bool HttpReader::keeps_connection() const {
    return parser_->is_done() && parser_->keep_alive() && rest_.empty();
}

HttpAnswer HttpReader::take_answer() {
    return std::move(parser_->answer);
}

}  // namespace jobs
