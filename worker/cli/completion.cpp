#include "worker/cli/completion.hpp"

#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace worker::cli {

namespace {

using Texts = std::vector<std::string>;

bool is_positional(const OptionShape& option) {
    return option.names.empty();
}

// What can stand where a value is wanted: words, @file, @dir, or @any that nobody can guess.
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

// The names of all options that are followed by a value.
Texts valued_options(const std::vector<CommandShape>& commands) {
    std::set<std::string> names;
    for (const CommandShape& command : commands) {
        for (const OptionShape& option : command.options) {
            if (!option.form.empty()) names.insert(option.names.begin(), option.names.end());
        }
    }
    return {names.begin(), names.end()};
}

// In single quotes, as bash, zsh and fish read them; `escape` stands for a quote inside.
std::string quoted(std::string_view text, std::string_view escape = R"('\'')") {
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'') {
            quoted += escape;
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

// The patterns of a `case` over "command option": the option of a command holds below it as well.
std::string option_patterns(const CommandShape& command, const OptionShape& option) {
    Texts patterns;
    for (const std::string& name : option.names) {
        const std::string last = quoted(" " + name);
        if (command.words.empty()) {
            patterns.push_back("*" + last);
        } else {
            patterns.push_back(quoted(path_of(command) + " " + name));
            patterns.push_back(quoted(path_of(command) + " ") + "*" + last);
        }
    }
    return join(patterns, "|");
}

std::string command_case(const CommandShape& command, const std::vector<CommandShape>& commands) {
    std::string operand;
    Texts names;
    for (const OptionShape& option : command.options) {
        if (is_positional(option)) operand = values_of(option);
        names.insert(names.end(), option.names.begin(), option.names.end());
    }
    if (operand == "@any") operand.clear();
    return fmt::format(
        "        {}) commands={} options={} operand={} ;;\n",
        quoted(path_of(command)),
        quoted(join(names_below(command, commands), " ")),
        quoted(command.words.empty() ? std::string() : join(names, " ")),
        quoted(operand)
    );
}

// For bash and zsh alike: what may follow the words before the cursor.
std::string look_function(const std::vector<CommandShape>& commands) {
    Texts known;
    Texts global;
    std::string values;
    std::string cases;
    for (const CommandShape& command : commands) {
        if (command.words.size() == 1) known.push_back(quoted(" " + command.words.front()));
        if (command.words.size() > 1) known.push_back(quoted(path_of(command)));
        cases += command_case(command, commands);
        for (const OptionShape& option : command.options) {
            if (command.words.empty()) global.insert(global.end(), option.names.begin(), option.names.end());
            if (is_positional(option) || option.form.empty()) continue;
            const std::string patterns = option_patterns(command, option);
            values += fmt::format("        {}) value={} ;;\n", patterns, quoted(values_of(option)));
        }
    }
    return fmt::format(
        R"sh(
# Sets commands, options, operand and value to what may follow these words.
_task_worker_look() {{
    local at='' word='' option=''
    case ${{1##*/}} in enqueue) at=enqueue ;; esac
    shift
    for word in "$@"; do
        if [ -n "$option" ]; then
            if [ "$word" != = ]; then option=''; fi
            continue
        fi
        case $word in
        {}) option=$word ;;
        -*) ;;
        *)
            case "$at $word" in
            {}) at="${{at:+$at }}$word" ;;
            esac
            ;;
        esac
    done
    case $at in
{}    esac
    options="$options {}"
    if [ -z "$option" ]; then return; fi
    case "$at $option" in
{}    esac
}}
)sh",
        join(valued_options(commands), "|"),
        join(known, "|"),
        cases,
        join(global, " "),
        values
    );
}

constexpr std::string_view bash_head = R"sh(# bash completion of task-worker and enqueue. In ~/.bashrc:
#   source <(task-worker completion bash)
)sh";

constexpr std::string_view bash_body = R"sh(
_task_worker_words() {
    case $1 in
    @file) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    @dir) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    @any) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
    esac
}

_task_worker() {
    local commands='' options='' operand='' value='' current="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    _task_worker_look "${COMP_WORDS[@]:0:COMP_CWORD}"
    if [ "$current" = = ]; then current=''; fi
    if [ -n "$value" ]; then
        _task_worker_words "$value" "$current"
    elif [[ $current == -* ]]; then
        _task_worker_words "$options" "$current"
    else
        _task_worker_words "${commands:-$operand}" "$current"
    fi
}

complete -F _task_worker task-worker enqueue
)sh";

constexpr std::string_view zsh_head = R"sh(#compdef task-worker enqueue
# zsh completion of task-worker and enqueue. Once, for a folder of $fpath:
#   task-worker completion zsh > "${fpath[1]}/_task-worker"
)sh";

constexpr std::string_view zsh_body = R"sh(
_task_worker_words() {
    case $1 in
    @file) _files ;;
    @dir) _files -/ ;;
    @any) ;;
    *) compadd -- ${=1} ;;
    esac
}

_task_worker() {
    local commands='' options='' operand='' value=''
    _task_worker_look "${(@)words[1,CURRENT-1]}"
    if [[ -n $value ]]; then
        _task_worker_words "$value"
    elif [[ ${words[CURRENT]} == -* ]]; then
        _task_worker_words "$options"
    else
        _task_worker_words "${commands:-$operand}"
    fi
}

if [[ $funcstack[1] == _task-worker ]]; then _task_worker "$@"; else compdef _task_worker task-worker enqueue; fi
)sh";

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

}  // namespace

std::string completion_script(std::string_view shell, const std::vector<CommandShape>& commands) {
    if (shell == "fish") return fish_script(commands);
    const bool zsh = shell == "zsh";
    std::string text(zsh ? zsh_head : bash_head);
    return text.append(look_function(commands)).append(zsh ? zsh_body : bash_body);
}

}  // namespace worker::cli
