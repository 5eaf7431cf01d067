#pragma once

// The inside of load_config: the sources as plain trees and lists, and the steps over them.

#include "worker/config.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace worker {

// A YAML document without its library.
struct NodeEntry;
struct Node {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    int line = 0;  // counted from 1
    std::string text;
    std::vector<NodeEntry> entries;  // of a list (without keys) or a map, in order
};
struct NodeEntry {
    std::string key;
    int line = 0;
    Node value;
};

// The tree of a YAML text; what is wrong with it goes to `problems`, with `file` as place. Null on a syntax error.
Node parse_yaml(const std::string& text, const std::string& file, std::vector<Problem>& problems);

// One variable of a .env file.
struct DotenvLine {
    std::string name;
    std::string value;
    int line = 0;
};
// Reads NAME=value lines as shells and python-dotenv do: export, comments, single and double quotes.
std::vector<DotenvLine> parse_dotenv(const std::string& text, const std::string& file, std::vector<Problem>& problems);

// What load_config works on: `places` says where each key's value came from; a key without entry has its default.
struct Draft {
    LoadedConfig loaded;
    std::map<std::string, std::string> places;

    void report(std::string key, std::string place, std::string text) {
        loaded.problems.push_back({std::move(key), std::move(place), std::move(text)});
    }
    std::string place_of(const std::string& key) const {
        const auto found = places.find(key);
        return found == places.end() ? "" : found->second;
    }
};

// The steps, in order.
void apply_file(Draft& draft, const Node& root, const std::string& file);
void apply_dotenv(Draft& draft, const std::vector<DotenvLine>& lines, const std::string& file);
void apply_environment(Draft& draft, const std::map<std::string, std::string>& environment);
void apply_flags(Draft& draft, const std::map<std::string, std::string>& flags);
// Fills in what follows from other values, reads the secrets' files, normalises the URLs, and holds everything against
// the rules over several keys.
void check_config(Draft& draft);

// The whole content of a file; empty when it cannot be read.
std::optional<std::string> read_text_file(const std::string& path);

}  // namespace worker
