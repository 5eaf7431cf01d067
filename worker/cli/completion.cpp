#include "worker/cli/completion.hpp"

#include "worker/cli/completion_parts.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

namespace worker::cli {

namespace {

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
    local -a before=("${(@)words[1,CURRENT-1]}")
    if [[ ${words[CURRENT]} == --*=* ]]; then
        before+=("${words[CURRENT]%%=*}")
        compset -P '*='
    fi
    _task_worker_look "${(@)before}"
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

}  // namespace

std::string completion_script(std::string_view shell, const std::vector<CommandShape>& commands) {
    if (shell == "fish") return fish_script(commands);
    const bool zsh = shell == "zsh";
    std::string text(zsh ? zsh_head : bash_head);
    return text.append(look_function(commands)).append(zsh ? zsh_body : bash_body);
}

}  // namespace worker::cli
