#include "worker/cli/completion_parts.hpp"

#include "worker/config_value.hpp"

#include <algorithm>
#include <set>

namespace worker::cli {

bool is_positional(const OptionShape& option) {
    return option.names.empty();
}

std::string values_of(const OptionShape& option) {
    if (!option.choices.empty()) return join(option.choices, " ");
    if (option.form == "FILE" || option.form == "FILES") return "@file";
    return option.form == "DIR" ? "@dir" : "@any";
}

std::string path_of(const CommandShape& command) {
    return join(command.words, " ");
}

Texts names_below(const CommandShape& parent, const std::vector<CommandShape>& commands) {
    Texts names;
    for (const CommandShape& one : commands) {
        const bool below = one.words.size() == parent.words.size() + 1;
        if (below && std::equal(parent.words.begin(), parent.words.end(), one.words.begin())) {
            names.push_back(one.words.back());
        }
    }
    return names;
}

Texts valued_options(const std::vector<CommandShape>& commands) {
    std::set<std::string> names;
    for (const CommandShape& command : commands) {
        for (const OptionShape& option : command.options) {
            if (!option.form.empty()) names.insert(option.names.begin(), option.names.end());
        }
    }
    return {names.begin(), names.end()};
}

std::string quoted(std::string_view text, std::string_view escape) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'') {
            result += escape;
        } else {
            result += c;
        }
    }
    return result + "'";
}

}  // namespace worker::cli
