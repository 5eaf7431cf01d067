#pragma once

// What the completion scripts of all shells are made of. Pure.

#include "worker/cli/parse.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace worker::cli {

using Texts = std::vector<std::string>;

bool is_positional(const OptionShape& option);

// What can stand where a value is wanted: words, @file, @dir, or @any that nobody can guess.
std::string values_of(const OptionShape& option);

// batch list
std::string path_of(const CommandShape& command);
Texts names_below(const CommandShape& parent, const std::vector<CommandShape>& commands);

// The names of all options that are followed by a value.
Texts valued_options(const std::vector<CommandShape>& commands);

// In single quotes; `escape` stands for a quote inside, by default as bash and zsh want it.
std::string quoted(std::string_view text, std::string_view escape = R"('\'')");

// The whole script for fish, whose language is another.
std::string fish_script(const std::vector<CommandShape>& commands);

}  // namespace worker::cli
