#include "worker/cli/parse.hpp"

#include "worker/cli/parser.hpp"

#include <algorithm>

namespace worker::cli {

boost::system::result<Invocation, NoInvocation> parse_arguments(std::vector<std::string> arguments) {
    return Parser().parse(std::move(arguments));
}

void Parser::add_rest(Command& command, const std::vector<std::string>& rest) {
    if (rest.empty()) return;
    auto* enqueue = std::get_if<EnqueueCommand>(&command);
    auto* dev = std::get_if<DevCommand>(&command);
    if (enqueue != nullptr && !enqueue->args && enqueue->file.empty() && enqueue->paths_from.empty()) {
        enqueue->paths.insert(enqueue->paths.end(), rest.begin(), rest.end());
    } else if (dev != nullptr && dev->action == DevCommand::Action::psql) {
        dev->to_psql.insert(dev->to_psql.end(), rest.begin(), rest.end());
    } else {
        throw Failure(exit_usage, "unexpected argument " + in_quotes(rest.front()));
    }
}

std::string Parser::unexpected() const {
    const std::vector<std::string> words = app_.remaining(true);
    const std::string word = words.empty() ? "" : words.front();
    const CLI::App* command = deepest();
    std::vector<std::string> known;
    std::string what = "unexpected argument ";
    if (word.starts_with("-")) {
        what = "unknown option ";
        for (const CLI::App* app = command; app != nullptr; app = app->get_parent()) {
            for (const CLI::Option* option : app->get_options()) {
                for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
            }
        }
    } else if (const std::vector<std::string> names = names_below(command); !names.empty()) {
        what = "unknown command ";
        known = names;
    }
    const std::string likely = nearest(word.substr(0, word.find('=')), known);
    return what + in_quotes(word) + (likely.empty() ? "" : ": did you mean " + likely + "?");
}

std::string Parser::words_of(const CLI::ParseError& error) {
    const std::string text = error.what();
    const std::size_t twice = text.find(": At Most 1 required");
    return twice == std::string::npos ? text : text.substr(0, twice) + " may be given once only";
}

std::string Parser::find_problem(const std::string& text, const std::vector<std::string>& choices) {
    if (std::ranges::find(choices, text) != choices.end()) return {};
    const std::string likely = nearest(text, choices);
    return in_quotes(text) + (likely.empty() ? " is none of " + join(choices) : ": did you mean " + likely + "?");
}

std::vector<CommandShape> Parser::shapes() const {
    std::vector<CommandShape> all;
    add_shape(app_, {}, all);
    return all;
}

void Parser::add_shape(const CLI::App& command, std::vector<std::string> words, std::vector<CommandShape>& all) const {
    CommandShape shape{.words = std::move(words), .description = command.get_description()};
    shape.notes = command.get_footer();
    for (const CLI::Option* option : command.get_options()) {
        OptionShape one{.names = {}, .description = option->get_description(), .form = HelpFormat::form_of(*option)};
        for (const std::string& name : option->get_snames()) one.names.push_back("-" + name);
        for (const std::string& name : option->get_lnames()) one.names.push_back("--" + name);
        if (const auto known = choices_.find(option); known != choices_.end()) one.choices = known->second;
        if (one.names.empty()) one.form = option->get_name(true);
        shape.options.push_back(std::move(one));
    }
    const std::vector<std::string> path = shape.words;
    all.push_back(std::move(shape));
    for (const CLI::App* below : command.get_subcommands({})) {
        std::vector<std::string> longer = path;
        longer.push_back(below->get_name());
        add_shape(*below, std::move(longer), all);
    }
}

std::vector<CommandShape> command_shapes() {
    return Parser().shapes();
}

}  // namespace worker::cli
