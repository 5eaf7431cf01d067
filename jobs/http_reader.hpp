#pragma once

// Bytes of a connection into an answer. Pure; the parser is Boost.Beast's.

#include "jobs/http_answer.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace jobs {

class HttpReader {
public:
    enum class State {
        more,    // of the answer is to come
        done,    // it is whole
        cut,     // no more of its body is wanted, though it goes on
        failed,  // it is none: error() says why
    };

    // `result_limit` as in body_limit().
    explicit HttpReader(std::size_t result_limit);
    ~HttpReader();
    HttpReader(const HttpReader&) = delete;
    HttpReader& operator=(const HttpReader&) = delete;

    // What the connection gave next. Answers that announce another are passed over. All that is no body may have 64
    // KiB, and eight times what the body has.
    State put(std::string_view bytes);
    // The connection has ended.
    State put_end();

    bool has_begun() const;
    // Of an answer that is done: whether the connection may take another request.
    bool keeps_connection() const;
    const std::string& error() const { return error_; }
    HttpAnswer take_answer();

private:
    class Parser;
    State look(std::string_view bytes);
    bool is_too_wordy() const;
    State fail(std::string error);

    const std::size_t result_limit_;
    std::unique_ptr<Parser> parser_;
    std::string rest_;          // that the parser could make nothing of yet
    std::size_t received_ = 0;  // bytes
    std::string error_;
};

}  // namespace jobs
