#pragma once

// How --help looks.

#include "worker/cli/terminal.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <utility>

namespace worker::cli {

// Shows an option's form and default, not which options exclude each other: the message says so when it matters.
class HelpFormat : public CLI::Formatter {
public:
    std::string make_option_opts(const CLI::Option* option) const override {
        std::string text;
        if (const std::string form = form_of(*option); !form.empty()) text = " " + form;
        if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
        return text;
    }
    std::string make_footer(const CLI::App* app) const override {
        std::string text = Formatter::make_footer(app);
        if (app->get_parent() == nullptr) return text;
        if (!text.empty()) text += "\n";
        return text + "Global options, such as --json: see task-worker --help\n";
    }
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
        return wrap_lines(Formatter::make_help(app, std::move(name), mode), help_width);
    }

    // What its value looks like, without what the checks add to it; empty for a flag.
    static std::string form_of(const CLI::Option& option) {
        if (option.get_type_size() == 0) return {};
        const std::string name = option.get_type_name();
        const std::string form = name.substr(0, name.find(':'));
        return form == " " ? std::string() : form;
    }

private:
    static constexpr std::size_t help_width = 80;
};

}  // namespace worker::cli
