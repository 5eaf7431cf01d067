#pragma once

// The log of a worker, read back.

#include "tests/support/catch.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tests {

inline std::vector<boost::json::object> lines_in(const std::string& text) {
    std::vector<boost::json::object> lines;
    std::istringstream input(text);
    for (std::string line; std::getline(input, line);) {
        INFO(line);
        lines.push_back(boost::json::parse(line).as_object());
    }
    return lines;
}

inline std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

// Another process writes it: nothing else tells of that.
inline void await_text(const std::filesystem::path& file, const std::string& text) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (text_of(file).find(text) == std::string::npos) {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("no " + text + " in " + text_of(file));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace tests
