#include "worker/cli/man.hpp"

#include "worker/config_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

namespace worker::cli {

namespace {

constexpr std::string_view examples_title = "Examples:\n";

// Text as troff shows it: no character of it is a request, an escape or a typographic dash.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool begins = out.empty() || out.back() == '\n';
        if (begins && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
    return fmt::format("{}", fmt::join(words, between));
}

std::string as_printed(std::string_view text) {
    return ".PP\n.nf\n" + escaped(text) + "\n.fi\n";
}

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

std::string options_of(const CommandShape& command) {
    std::string text;
    for (const OptionShape& option : command.options) {
        if (std::ranges::find(option.names, "--help") != option.names.end()) continue;
        std::string names = joined(option.names, ", ");
        if (names.empty()) {
            names = option.form;
        } else if (!option.form.empty()) {
            names += " " + option.form;
        }
        text += ".TP\n.B " + escaped(names) + "\n" + escaped(option.description);
        if (!option.choices.empty()) text += escaped(" (" + joined(option.choices, ", ") + ")");
        text += "\n";
    }
    return text;
}

// Notes, then examples, each under a title of that macro.
std::string notes_of(const std::string& notes, std::string_view macro) {
    const std::size_t at = notes.find(examples_title);
    std::string text;
    if (const std::string before = trimmed(notes.substr(0, at)); !before.empty()) text += as_printed(before);
    if (at != std::string::npos)
        text += fmt::format("{} EXAMPLES\n", macro) + as_printed(trimmed(notes.substr(at + examples_title.size())));
    return text;
}

std::string usage_of(const CommandShape& command) {
    std::string text = "task-worker";
    for (const std::string& word : command.words) text += " " + word;
    bool has_options = false;
    std::string places;
    for (const OptionShape& option : command.options) {
        if (option.names.empty()) places += " " + option.form;
        has_options = has_options || !option.names.empty();
    }
    return text + (has_options ? " [OPTIONS]" : "") + places;
}

std::string begin_page(const std::string& name, int section, const std::string& purpose) {
    std::string title = name;
    std::ranges::transform(title, title.begin(), [](unsigned char c) { return std::toupper(c); });
    return fmt::format(
        ".TH {} {} \"\" \"task\\-worker {}\" \"task\\-worker manual\"\n.SH NAME\n{} \\- {}\n",
        escaped(title),
        section,
        TASK_WORKER_VERSION,
        escaped(name),
        escaped(purpose)
    );
}

std::string see_also(const std::vector<std::pair<std::string, int>>& pages) {
    std::vector<std::string> names;
    for (const auto& [name, section] : pages) names.push_back(fmt::format(".BR {} ({})", escaped(name), section));
    return ".SH SEE ALSO\n" + joined(names, " ,\n") + "\n";
}

std::string page_name(const CommandShape& command) {
    return "task-worker-" + command.words.front();
}

ManPage program_page(const CommandShape& program, const std::vector<CommandShape>& commands) {
    ManPage page{.name = "task-worker"};
    page.text = begin_page(page.name, 1, program.description);
    page.text += ".SH SYNOPSIS\n.B task\\-worker\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR\n.SH COMMANDS\n";
    for (const CommandShape& command : commands) {
        if (command.words.size() != 1) continue;
        page.text += ".TP\n.BR " + escaped(page_name(command)) + " (1)\n" + escaped(command.description) + "\n";
    }
    page.text += ".SH OPTIONS\nThey may stand before or after the command.\n" + options_of(program);
    page.text += ".SH NOTES\n" + notes_of(program.notes, ".SH");
    page.text +=
        ".SH ENVIRONMENT\n.TP\n.B DATABASE_URL\nthe database, as libpq or SQLAlchemy writes it\n"
        ".TP\n.BR DB_* , \" TASK_WORKER_*\"\nsettings: see\n.BR task\\-worker\\-config (5)\n"
        ".TP\n.B NO_COLOR\nno colours, whatever its value\n"
        ".SH FILES\n.TP\n.I config.yml\nthe settings, in the current folder or where\n.B \\-\\-config\nsays\n"
        ".TP\n.I .env\nvariables, read in development\n";
    page.text += see_also({{"task-worker-config", 5}});
    return page;
}

ManPage command_page(const CommandShape& command, const std::vector<CommandShape>& below) {
    ManPage page{.name = page_name(command)};
    page.text = begin_page(page.name, 1, command.description) + ".SH SYNOPSIS\n.nf\n";
    if (below.empty()) page.text += escaped(usage_of(command)) + "\n";
    for (const CommandShape& one : below) page.text += escaped(usage_of(one)) + "\n";
    page.text += ".fi\n.SH DESCRIPTION\n" + escaped(command.description) + ".\n";
    if (below.empty()) {
        page.text += ".SH OPTIONS\n" + options_of(command) + notes_of(command.notes, ".SH");
    } else {
        const std::size_t examples = command.notes.find(examples_title);  // those below have their own
        if (const std::string notes = trimmed(command.notes.substr(0, examples)); !notes.empty())
            page.text += as_printed(notes);
        for (const CommandShape& one : below) {
            page.text += ".SH " + escaped(joined(one.words, " ")) + "\n" + escaped(one.description) + ".\n";
            page.text += options_of(one) + notes_of(one.notes, ".SS");
        }
    }
    page.text += see_also({{"task-worker", 1}, {"task-worker-config", 5}});
    return page;
}

template <class Target>
std::string keys_of(const Keys<Target>& keys, bool with_environment) {
    std::string text;
    const Target defaults{};
    for (const Key<Target>& key : keys) {
        text += ".TP\n.B " + escaped(key.name) + "\n" + escaped(key.meaning);
        if (!key.choices.empty()) text += escaped(" (" + joined(key.choices, ", ") + ")");
        text += ".\n";
        if (const std::string value = key.show(defaults); !value.empty()) text += "Default: " + escaped(value) + ".\n";
        if (with_environment) text += "Environment: " + escaped(environment_name(key.name)) + ".\n";
    }
    return text;
}

ManPage config_page() {
    ManPage page{.name = "task-worker-config", .section = 5};
    page.text = begin_page(page.name, 5, "settings of task-worker: config.yml");
    page.text +=
        ".SH DESCRIPTION\nYAML. Flags win over environment variables, those over \\fI.env\\fR, those over "
        "\\fIconfig.yml\\fR. Unknown keys are errors.\nBare numbers of durations are seconds; 500ms, 30s, 5m and 1h "
        "work, too.\n"
        ".SH SETTINGS\n" +
        keys_of(config_keys(), true) + ".SH QUEUES\nBelow \\fBqueues.\\fINAME\\fR:\n" + keys_of(queue_keys(), false) +
        ".SH HANDLERS\nBelow \\fBhandlers.\\fIKIND\\fR:\n" + keys_of(handler_keys(), false) +
        see_also({{"task-worker", 1}, {"task-worker-check", 1}});
    return page;
}

}  // namespace

std::string ManPage::path() const {
    return fmt::format("man{}/{}.{}", section, name, section);
}

std::vector<ManPage> man_pages(const std::vector<CommandShape>& commands) {
    std::vector<ManPage> pages;
    for (const CommandShape& command : commands) {
        if (command.words.empty()) {
            pages.push_back(program_page(command, commands));
        } else if (command.words.size() == 1) {
            std::vector<CommandShape> below;
            for (const CommandShape& other : commands) {
                if (other.words.size() == 2 && other.words.front() == command.words.front()) below.push_back(other);
            }
            // `dev` runs by itself and has commands below.
            if (!below.empty() && command.words.front() == "dev") below.insert(below.begin(), command);
            pages.push_back(command_page(command, below));
        }
    }
    pages.push_back({.name = "enqueue", .text = ".so man1/task-worker-enqueue.1\n"});
    pages.push_back(config_page());
    return pages;
}

}  // namespace worker::cli
