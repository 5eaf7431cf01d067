#include "worker/cli/completion_parts.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

namespace worker::cli {

namespace {

constexpr std::string_view fish_head = R"sh(# fish completion of task-worker and enqueue. Once:
#   task-worker completion fish > ~/.config/fish/completions/task-worker.fish
#   task-worker completion fish > ~/.config/fish/completions/enqueue.fish
)sh";

std::string fish_quoted(std::string_view text) {
    return quoted(text, R"(\')");
}

std::string fish_functions(const std::vector<CommandShape>& commands) {
    Texts known;
    for (const CommandShape& command : commands) {
        if (!command.words.empty()) known.push_back(fish_quoted(path_of(command)));
    }
    return fmt::format(
        R"sh(
# The command on the line, such as: batch list
function __task_worker_command
    set -l words (commandline -opc)
    set -l at
    string match -qr '(^|/)enqueue$' -- $words[1]; and set at enqueue
    set -e words[1]
    set -l wants_value no
    for word in $words
        if test $wants_value = yes
            set wants_value no
            continue
        end
        switch $word
            case {}
                set wants_value yes
            case '-*'
            case '*'
                contains -- (string join ' ' -- $at $word) {}
                and set -a at $word
        end
    end
    string join ' ' -- $at
end
function __task_worker_at
    test (__task_worker_command | string collect -a) = "$argv[1]"
end
function __task_worker_below
    string match -q -- "$argv[1] *" (__task_worker_command | string collect -a)' '
end
)sh",
        join(valued_options(commands), " "),
        join(known, " ")
    );
}

std::string fish_option(const std::string& condition, const OptionShape& option) {
    std::string line = "    complete -c $program";
    if (!condition.empty()) line += " -n " + fish_quoted(condition);
    for (const std::string& name : option.names) {
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    const std::string values = option.form.empty() ? std::string() : values_of(option);
    if (values == "@file") {
        line += " -r -F";
    } else if (values == "@dir") {
        line += " -x -a '(__fish_complete_directories)'";
    } else if (values == "@any") {
        line += " -x";
    } else if (!values.empty()) {
        line += " -x -a " + fish_quoted(values);
    }
    return line + " -d " + fish_quoted(option.description) + "\n";
}

}  // namespace

std::string fish_script(const std::vector<CommandShape>& commands) {
    std::string text(fish_head);
    text += fish_functions(commands) + "\nfor program in task-worker enqueue\n    complete -c $program -f\n";
    for (const CommandShape& command : commands) {
        const std::string path = path_of(command);
        const auto here = [&](const char* function) { return std::string(function) + " \"" + path + "\""; };
        for (const std::string& name : names_below(command, commands)) {
            for (const CommandShape& below : commands) {
                if (path_of(below) != (path.empty() ? name : path + " " + name)) continue;
                text += fmt::format(
                    "    complete -c $program -n {} -a {} -d {}\n",
                    fish_quoted(here("__task_worker_at")),
                    name,
                    fish_quoted(below.description)
                );
            }
        }
        for (const OptionShape& option : command.options) {
            if (!is_positional(option)) {
                text += fish_option(path.empty() ? std::string() : here("__task_worker_below"), option);
            } else if (values_of(option) == "@file") {
                text += "    complete -c $program -F -n " + fish_quoted(here("__task_worker_at")) + "\n";
            } else if (!option.choices.empty()) {
                text += fmt::format(
                    "    complete -c $program -n {} -a {}\n",
                    fish_quoted(here("__task_worker_at")),
                    fish_quoted(values_of(option))
                );
            }
        }
    }
    return text + "end\n";
}

}  // namespace worker::cli
