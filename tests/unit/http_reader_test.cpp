#include "jobs/http_reader.hpp"

#include "tests/support/catch.hpp"

#include <fmt/format.h>

#include <string>

using namespace jobs;

namespace {

constexpr std::size_t result_limit = 100;  // 1,424 bytes of a result's body are kept

const std::string too_wordy = "its headers are over 65536 bytes";

std::string repeated(const std::string& text, int times) {
    std::string all;
    while (times-- > 0) all += text;
    return all;
}

// What comes of a connection that gives these bytes, in pieces of so many, and ends.
std::string read_in_pieces(const std::string& bytes, std::size_t size) {
    HttpReader reader(result_limit);
    auto state = HttpReader::State::more;
    std::size_t at = 0;
    for (; at < bytes.size() && state == HttpReader::State::more; at += size)
        state = reader.put(bytes.substr(at, size));
    if (state == HttpReader::State::more) state = reader.put_end();
    if (state == HttpReader::State::failed) return reader.error();
    const bool is_kept = state == HttpReader::State::done && reader.keeps_connection();
    const HttpAnswer answer = reader.take_answer();
    std::string text = fmt::format("{} {}", answer.status, answer.reason);
    if (answer.retry_after) text += fmt::format(", after '{}'", *answer.retry_after);
    if (!answer.location.empty()) text += fmt::format(", at {}", answer.location);
    if (!answer.body.empty()) {
        text += answer.body.size() < 50 ? ": " + answer.body : fmt::format(": {} bytes", answer.body.size());
    }
    return text + (answer.is_cut ? ", cut" : "") + (is_kept ? "" : ", closed");
}

}  // namespace

TEST_CASE("an answer is read in whatever pieces it comes", "[jobs][http]") {
    struct Row {
        std::string rule;
        std::string bytes;
        std::string expected;
    };
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const auto row = GENERATE_COPY(values<Row>({
        {"with a length", ok + "Content-Length: 4\r\n\r\nfine", "200 OK: fine"},
        {"with long headers",
         ok + "X: " + std::string(40'000, 'x') + "\r\nContent-Length: 4\r\n\r\nfine",
         "200 OK: fine"},
        {"in chunks",
         ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2;x=y\r\nne\r\n0\r\nT: x\r\n\r\n",
         "200 OK: fine"},
        {"to the end", ok + "\r\nfine", "200 OK: fine, closed"},
        {"without a body", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content"},
        {"without a reason", "HTTP/1.1 204 \r\n\r\n", "204 "},
        {"of an old server", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 OK: ok, closed"},
        {"of one that closes", ok + "Connection: close\r\nContent-Length: 2\r\n\r\nok", "200 OK: ok, closed"},
        {"names of any case, values in blanks",
         "HTTP/1.1 503 Away\r\nRETRY-after: \t 7 \r\nlocation:/there\r\nContent-Length: 0\r\n\r\n",
         "503 Away, after '7', at /there"},
        {"an empty value", "HTTP/1.1 503 Away\r\nRetry-After:\r\nContent-Length: 0\r\n\r\n", "503 Away, after ''"},
        {"names that only begin so", "HTTP/1.1 503 Away\r\nRetry-After-All: 7\r\nContent-Length: 0\r\n\r\n", "503 Away"
        },
        {"announced by others",
         "HTTP/1.1 102 Processing\r\nRetry-After: 5\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok +
             "Content-Length: 2\r\n\r\nok",
         "200 OK: ok"},
        {"a result too long to be kept", ok + "\r\n" + std::string(2000, 'x'), "200 OK: 1424 bytes, cut, closed"},
        {"an error's body",
         "HTTP/1.1 500 Broken\r\nContent-Length: 9000\r\n\r\n" + std::string(9000, 'x'),
         "500 Broken: 2048 bytes, cut"},
        {"an error's body without end",
         "HTTP/1.1 500 Broken\r\n\r\n" + std::string(std::size_t{100} * 1024, 'x'),
         "500 Broken: 2048 bytes, cut, closed"},

        {"nothing", "", "the connection was closed without an answer"},
        {"half a header", "HTTP/1.1 200 OK\r\nConte", "the connection was closed in the middle of the answer"},
        {"half a body", ok + "Content-Length: 4\r\n\r\nfi", "the connection was closed in the middle of the answer"},
        {"an announcement only", "HTTP/1.1 102 Processing\r\n\r\n", "the connection was closed without an answer"},
        {"no HTTP", std::string("\0\xFF no answer\r\n\r\n", 16), "its answer is not HTTP/1.1: bad version"},
        {"no status", "HTTP/1.1 many\r\n\r\n", "its answer is not HTTP/1.1: bad status"},
        {"in pieces of a letter",
         ok + "Transfer-Encoding: chunked\r\n\r\n" + repeated("1\r\nx\r\n", 40) + "0\r\n\r\n",
         "200 OK: " + std::string(40, 'x')},
        {"announcements without end", repeated("HTTP/1.1 102 Processing\r\n\r\n", 3000), too_wordy},
        {"a piece that never begins", ok + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(70'000, 'x'), too_wordy
        },
        {"more between the pieces than in them",
         ok + "Transfer-Encoding: chunked\r\n\r\n" + repeated("1;" + std::string(1000, 'x') + "\r\nx\r\n", 100),
         too_wordy},
        {"headers without end", ok + "X: " + std::string(70'000, 'x'), too_wordy},
    }));
    const std::size_t size = GENERATE(as<std::size_t>(), 1, 7, 1'000'000);
    INFO(row.rule);
    CHECK(read_in_pieces(row.bytes, size) == row.expected);
}

TEST_CASE("a connection that gives more than an answer takes no other request", "[jobs][http]") {
    CHECK(read_in_pieces("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", 1000) == "200 OK: ok, closed");
}
