#pragma once

// The parser of the command line: the only files that include CLI11, which compiles slowly, are this one's.

#include "worker/cli/errors.hpp"
#include "worker/cli/help.hpp"
#include "worker/cli/help_format.hpp"
#include "worker/cli/help_steer.hpp"
#include "worker/cli/parse.hpp"
#include "worker/cli/times.hpp"
#include "worker/config_value.hpp"
#include "worker/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace worker::cli {

class Parser {
public:
    Parser() {
        app_.name("task-worker");
        app_.description("Runs background jobs from a queue in PostgreSQL.");
        app_.footer(help::overview);
        app_.set_version_flag("-v,--version", "task-worker " + std::string(version));
        app_.formatter(std::make_shared<HelpFormat>());
        app_.get_formatter()->column_width(32);
        app_.require_subcommand(0, 1);  // at most one: a kind or a file may be called like a command
        add_global();
        add_run();
        add_dev();
        add_check();
        add_migrate();
        add_enqueue();
        add_batch();
        add_job();
        add_queue();
        add_worker();
        add_dead();
        add_documents();
        add_doctor();
        add_completion();
        add_man();
    }

    boost::system::result<Invocation, NoInvocation> parse(std::vector<std::string> arguments) {
        // What follows -- is not for CLI11, which forgets the mark at the end of a subcommand.
        const auto mark = std::ranges::find(arguments, "--");
        std::vector<std::string> rest;
        if (mark != arguments.end()) rest.assign(mark + 1, arguments.end());
        arguments.erase(mark, arguments.end());
        try {
            app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
            if (!chosen_) return NoInvocation{exit_usage, missing_command()};
            Invocation invocation{global_, chosen_()};
            add_rest(invocation.command, rest);
            return invocation;
        } catch (const CLI::CallForHelp&) {
            return NoInvocation{exit_ok, deepest()->help(chain())};
        } catch (const CLI::CallForVersion& asked) {
            return NoInvocation{exit_ok, std::string(asked.what()) + "\n"};
        } catch (const CLI::ExtrasError&) {
            return NoInvocation{exit_usage, unexpected() + see_help()};
        } catch (const CLI::ParseError& error) {
            return NoInvocation{exit_usage, words_of(error) + see_help()};
        } catch (const Failure& failure) {
            return NoInvocation{exit_usage, failure.what() + see_help()};
        }
    }

    std::vector<CommandShape> shapes() const;

private:
    void add_shape(const CLI::App& command, std::vector<std::string> words, std::vector<CommandShape>& all) const;

    static void add_rest(Command& command, const std::vector<std::string>& rest);

    // How long something may take: milliseconds, or nothing yet.
    template <class Duration>
    static void add_patience(CLI::App& command, Duration& target, const std::string& help) {
        command
            .add_option_function<std::string>(
                "--patience",
                [&target](const std::string& text) {
                    const auto patience = parse_duration(text);
                    if (!patience)
                        throw Failure(exit_usage, "--patience " + in_quotes(text) + " is not a duration such as 30s");
                    target = *patience;
                },
                help
            )
            ->type_name("DURATION");
    }

    // A subcommand. `make` gives its options once all are parsed; none for a group of further subcommands.
    CLI::App* add(
        CLI::App& parent,
        const std::string& name,
        const std::string& description,
        const char* footer,
        std::function<Command()> make = {}
    ) {
        CLI::App* command = parent.add_subcommand(name, description);
        command->fallthrough();  // the global options may stand anywhere
        command->require_subcommand(0, 1);
        command->footer(footer);
        if (make)
            command->callback([this, make = std::move(make)] {
                if (!chosen_) chosen_ = make;  // the inner command's callback runs before the outer one's
            });
        return command;
    }

    // One of several subcommands that share their options: it sets the action.
    template <class Options>
    CLI::App* add_action(
        CLI::App& parent,
        const std::string& name,
        const std::string& description,
        const char* footer,
        Options& options,
        typename Options::Action action
    ) {
        return add(parent, name, description, footer, [&options, action] {
            options.action = action;
            return Command(options);
        });
    }

    // An option whose text `read` understands; answers an empty optional for a wrong one, which must be `form`.
    template <class T, class Read>
    static CLI::Option* add_read(
        CLI::App& command,
        const std::string& name,
        std::optional<T>& target,
        Read read,
        const std::string& help,
        const std::string& form
    ) {
        return command.add_option_function<std::string>(
            name,
            [&target, read, name, form](const std::string& text) {
                target = read(text);
                if (!target) throw Failure(exit_usage, name + " " + in_quotes(text) + " is not " + form);
            },
            help
        );
    }

    static void add_number(
        CLI::App& command,
        const std::string& name,
        std::optional<int>& target,
        int least,
        int most,
        const std::string& help
    ) {
        const auto read = [least, most](const std::string& text) -> std::optional<int> {
            const auto number = parse_integer(text);
            if (!number || *number < least || *number > most) return {};
            return static_cast<int>(*number);
        };
        const std::string form = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
        add_read(command, name, target, read, help, form)->type_name("N");
    }

    static void add_limit(CLI::App& command, const std::string& name, int& target, const std::string& help) {
        command.add_option(name, target, help)->check(CLI::Range(0, 1'000'000))->type_name("N")->capture_default_str();
    }

    void add_choice(
        CLI::App& command,
        const std::string& name,
        std::optional<std::string>& target,
        const char* form,
        const std::vector<std::string>& choices,
        const std::string& help
    ) {
        CLI::Option* option = command.add_option(name, target, help + ": " + join(choices));
        option->check([choices](const std::string& text) { return find_problem(text, choices); });
        choices_[option->type_name(form)] = choices;
    }

    static queue::JobId read_job(const std::string& text) {
        const auto number = parse_integer(text);
        if (!number || *number < 1) throw Failure(exit_usage, "job " + in_quotes(text) + " is not a job's number");
        return queue::JobId{*number};
    }

    void add_global() {
        app_.add_option("--config", global_.config_file, "configuration file (config.yml here)")->type_name("FILE");
        add_setting("--url", "database URL (database.url)", "URL", "database.url");
        app_.add_option("--data", global_.data, "the database of task-worker dev in this folder")->type_name("DIR");
        add_setting("--set", "any configuration key, such as worker.threads=4", "KEY=VALUE", "");
        app_.add_flag("--json", global_.json, "write JSON");
        app_.add_flag("-q,--quiet", global_.quiet, "write only what was asked for");
        app_.add_flag("--no-color", global_.no_color, "no colours, as with the variable NO_COLOR");
    }

    // `key` empty: the text begins with it.
    void add_setting(const std::string& name, const std::string& help, const char* form, const std::string& key) {
        app_.add_option_function<std::vector<std::string>>(
                name,
                [this, key](const std::vector<std::string>& texts) {
                    for (const std::string& text : texts) {
                        const std::size_t equals = text.find('=');
                        if (!key.empty()) {
                            global_.settings[key] = text;
                        } else if (equals == std::string::npos || equals == 0) {
                            throw Failure(exit_usage, "--set " + in_quotes(text) + " is not KEY=VALUE");
                        } else {
                            global_.settings[text.substr(0, equals)] = text.substr(equals + 1);
                        }
                    }
                },
                help
        )
            ->allow_extra_args(false)
            ->type_name(form);
    }

    // The commands: worker/cli/parse_commands.cpp.
    void add_run();
    void add_dev();
    void add_check();
    void add_migrate();
    void add_enqueue();
    CLI::App* add_batch_action(
        CLI::App& group, const char* name, const char* description, const char* footer, BatchCommand::Action action
    );
    void add_batch();
    void add_job();
    static void add_job_ids(CLI::App& command, std::vector<queue::JobId>& target);
    void add_queue();
    void add_worker();
    void add_dead();
    void add_documents();
    void add_doctor();
    void add_completion();
    void add_man();

    const CLI::App* deepest() const {
        const CLI::App* command = &app_;
        while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
        return command;
    }
    // The words that lead to the deepest command's parent, for the usage line.
    std::string chain() const {
        std::string words;
        for (const CLI::App* command = deepest()->get_parent(); command != nullptr; command = command->get_parent()) {
            words = command->get_name() + (words.empty() ? "" : " " + words);
        }
        return words;
    }
    std::string full_name() const {
        const std::string words = chain();
        return (words.empty() ? "" : words + " ") + deepest()->get_name();
    }
    std::string see_help() const { return ": see " + full_name() + " --help"; }

    static std::vector<std::string> names_below(const CLI::App* command) {
        std::vector<std::string> names;
        for (const CLI::App* below : command->get_subcommands({})) names.push_back(below->get_name());
        return names;
    }

    std::string missing_command() const { return "which command? One of " + join(names_below(deepest())) + see_help(); }

    std::string unexpected() const;
    // What CLI11 says of the arguments, where it is no sentence in other words.
    static std::string words_of(const CLI::ParseError& error);
    // Why a text is none of those that an option takes; empty: it is one.
    static std::string find_problem(const std::string& text, const std::vector<std::string>& choices);

    CLI::App app_;
    Global global_;
    RunCommand run_;
    DevCommand dev_;
    MigrateCommand migrate_;
    EnqueueCommand enqueue_;
    BatchCommand batch_;
    JobCommand job_;
    QueueCommand queue_;
    DeadCommand dead_;
    DocumentsCommand documents_;
    DoctorCommand doctor_;
    CompletionCommand completion_;
    ManCommand man_;
    std::function<Command()> chosen_;
    std::map<const CLI::Option*, std::vector<std::string>> choices_;  // of options that take no other value
};

}  // namespace worker::cli
