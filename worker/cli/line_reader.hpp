#pragma once

// Lines of a file or of standard input, in constant memory.

#include <cstddef>
#include <cstdint>
#include <string>

namespace worker::cli {

class LineReader {
public:
    // `file`: a path, or - for standard input. Of longer lines than `longest` bytes only that much and one byte more is
    // kept, so that they can be told.
    // Throws: Failure (usage) when it cannot be read.
    LineReader(std::string file, std::size_t longest);
    ~LineReader();
    LineReader(const LineReader&) = delete;
    LineReader& operator=(const LineReader&) = delete;

    // The next line without its end (LF or CRLF), and without the mark that some editors put first. False at the end.
    // Throws: as the constructor.
    bool next(std::string& line);

    std::int64_t number() const { return number_; }  // of the line read last, counted from 1
    std::int64_t bytes() const { return bytes_; }    // read so far
    std::int64_t size() const { return size_; }      // of the file; 0: not known
    std::string name() const;                        // for people

private:
    bool fill();

    std::string file_;
    std::size_t longest_;
    int descriptor_ = -1;
    std::string buffer_;
    std::size_t at_ = 0;
    std::int64_t number_ = 0;
    std::int64_t bytes_ = 0;
    std::int64_t size_ = 0;
};

}  // namespace worker::cli
