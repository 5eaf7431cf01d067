#include "worker/cli/parse.hpp"

#include "worker/cli/parser.hpp"

namespace worker::cli {

boost::system::result<Invocation, NoInvocation> parse_arguments(std::vector<std::string> arguments) {
    return Parser().parse(std::move(arguments));
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
