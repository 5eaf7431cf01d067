#include "worker/cli/parse.hpp"

#include "worker/cli/errors.hpp"
#include "worker/cli/help.hpp"
#include "worker/cli/times.hpp"
#include "worker/config_value.hpp"
#include "worker/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

namespace worker::cli {

namespace {

// Shows an option's form and default, not which options exclude each other: the message says so when it matters.
class HelpFormat : public CLI::Formatter {
public:
    std::string make_option_opts(const CLI::Option* option) const override {
        std::string text;
        if (option->get_type_size() != 0 && option->get_type_name() != " ") text = " " + option->get_type_name();
        if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
        return text;
    }
};

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
            return NoInvocation{exit_usage, error.what() + see_help()};
        } catch (const Failure& failure) {
            return NoInvocation{exit_usage, failure.what() + see_help()};
        }
    }

private:
    static void add_rest(Command& command, const std::vector<std::string>& rest) {
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
        if (footer != nullptr) command->footer(footer);
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
        Options& options,
        typename Options::Action action
    ) {
        return add(parent, name, description, nullptr, [&options, action] {
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

    static queue::JobId read_job(const std::string& text) {
        const auto number = parse_integer(text);
        if (!number || *number < 1) throw Failure(exit_usage, "job " + in_quotes(text) + " is not a job's number");
        return queue::JobId{*number};
    }

    void add_global() {
        app_.add_option("--config", global_.config_file, "configuration file (config.yml here)")->type_name("FILE");
        add_setting("--url", "database URL (database.url)", "URL", "database.url");
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

    void add_run() {
        CLI::App* run = add(app_, "run", "Run a worker until it is told to stop", help::run, [this] { return run_; });
        run->add_option("--url-file", run_.url_file, "write the database URL here when ready")->type_name("FILE");
    }

    void add_dev() {
        CLI::App* dev =
            add(app_, "dev", "Run a worker on a private embedded PostgreSQL", help::dev, [this] { return dev_; });
        dev->add_option("--data", dev_.folder, "folder of the data (.task-worker, or /var/lib/task-worker/dev)")
            ->type_name("DIR");
        dev->add_option("--url-file", dev_.url_file, "write the database URL here when ready")->type_name("FILE");
        add_action(*dev, "stop", "Stop the one that runs", dev_, DevCommand::Action::stop);
        add_action(*dev, "psql", "Open psql on the one that runs", dev_, DevCommand::Action::psql)
            ->add_option("ARGUMENTS", dev_.to_psql, "for psql; after -- when they begin with -")
            ->type_name(" ");
        add_action(*dev, "reset", "Delete the data", dev_, DevCommand::Action::reset)
            ->add_flag("--yes", dev_.yes, "without asking");
    }

    void add_check() {
        add(app_, "check", "Show the configuration in force, the schema and the connection budget", help::check, [] {
            return CheckCommand{};
        });
    }

    void add_migrate() {
        using Action = MigrateCommand::Action;
        CLI::App* group = add(app_, "migrate", "Create and change the schema task_queue", help::migrate);
        const auto to = [this](CLI::App* command, const char* help) {
            add_number(*command, "--to", migrate_.to, 0, 9999, help);
        };
        to(add_action(*group, "up", "Apply what is pending", migrate_, Action::up), "stop after this version");
        to(add_action(*group, "down", "Take back the newest migration, with its data", migrate_, Action::down),
           "take back all that are newer than this version; 0: everything");
        add_action(*group, "status", "Show what is applied and what is pending", migrate_, Action::status);
        add_action(*group, "sql", "Print the migrations as SQL; needs no database", migrate_, Action::sql);
    }

    void add_enqueue() {
        EnqueueCommand& options = enqueue_;
        CLI::App* command =
            add(app_, "enqueue", "Enqueue a job, a file of jobs, or a job per file", help::enqueue, [this] {
                return enqueue_;
            });
        command->add_option("KIND", options.kind, "selects the handler")->required()->type_name(" ");
        CLI::Option* files = command->add_option("FILES", options.paths, "one job per file: {\"path\": ...}");
        CLI::Option* args = command->add_option("--args", options.args, "one job with these args")->type_name("JSON");
        CLI::Option* file = command->add_option("-f,--file", options.file, "one job per line of JSON; - is stdin");
        CLI::Option* from = command->add_option("--files-from", options.paths_from, "one job per path, a path a line");
        files->type_name(" ")->excludes(args)->excludes(file)->excludes(from);
        file->type_name("FILE")->excludes(args)->excludes(from);
        from->type_name("FILE")->excludes(args);

        command->add_option("--queue", options.queue, "of the jobs")->type_name("NAME")->capture_default_str();
        add_number(*command, "--priority", options.priority, 0, 9, "0 most urgent .. 9 [4]");
        add_read(*command, "--delay", options.delay, parse_duration, "run after 30s, 5m, 1h", "a duration such as 30s")
            ->type_name("DURATION");
        add_read(*command, "--at", options.at, parse_time, "run at a time, UTC", "a time such as 2026-01-31T12:00:00Z")
            ->type_name("TIME");
        command->get_option("--delay")->excludes("--at");
        add_number(*command, "--max-attempts", options.max_attempts, 1, 32'767, "then it is discarded [20]");
        command->add_option("--unique-key", options.unique_key, "one live job with this key at a time")
            ->type_name("KEY")
            ->excludes(files)
            ->excludes(file)
            ->excludes(from);
        command->add_option("--enqueue-key", options.enqueue_key, "a repeat within a day adds nothing")
            ->type_name("KEY");
        add_number(*command, "--bundle", options.bundle, 1, 63, "jobs to a row");

        CLI::Option* batch =
            command->add_option("-b,--batch", options.batch, "name of a new batch, or id of an open one");
        batch->type_name("NAME");
        command->add_flag("--open", options.open, "do not seal the batch")->needs(batch);
        command->add_flag("-w,--watch", options.watch, "watch the batch until it has finished");
        command->add_option("--on-finish", options.on_finish, "kind to enqueue when the batch has finished");
        command->add_option("--on-success", options.on_success, "when every job completed");
        command->add_option("--on-failure", options.on_failure, "when one was discarded or cancelled");
        for (const char* name : {"--on-finish", "--on-success", "--on-failure"}) {
            command->get_option(name)->type_name("KIND")->needs(batch);
        }
        command->add_flag("--new-kind", options.new_kind, "a kind that no worker knows yet");
        command->add_flag("--skip-invalid", options.skip_invalid, "leave bad lines and missing files out");
    }

    CLI::App* add_batch_action(
        CLI::App& group, const char* name, const char* description, BatchCommand::Action action
    ) {
        CLI::App* command = add_action(group, name, description, batch_, action);
        command->add_option("BATCH", batch_.batch, "name (the newest of it) or id")->required()->type_name(" ");
        return command;
    }

    void add_batch() {
        using Action = BatchCommand::Action;
        CLI::App* group = add(app_, "batch", "List, show, watch, seal and cancel batches", help::batch);
        CLI::App* list = add_action(*group, "list", "The newest batches", batch_, Action::list);
        list->add_option("--state", batch_.state, "open, sealed, cancelled or finished")
            ->check(CLI::IsMember({"open", "sealed", "cancelled", "finished"}))
            ->type_name("STATE");
        add_limit(*list, "--limit", batch_.limit, "at most so many");
        CLI::App* show = add_batch_action(*group, "show", "All about one batch", Action::show);
        add_limit(*show, "--slowest", batch_.slowest, "so many of the slowest jobs");
        add_limit(*show, "--failures", batch_.failures, "so many of the discarded jobs");
        add_batch_action(*group, "watch", "Watch a batch until it has finished", Action::watch);
        add_batch_action(*group, "seal", "Let no more jobs in, so that it can finish", Action::seal);
        add_batch_action(*group, "cancel", "Cancel its jobs", Action::cancel);
    }

    void add_job() {
        using Action = JobCommand::Action;
        CLI::App* group = add(app_, "job", "List, show and cancel jobs", help::job);
        CLI::App* list = add_action(*group, "list", "The newest jobs", job_, Action::list);
        list->add_option("--kind", job_.kind, "of this kind")->type_name("KIND");
        list->add_option("--state", job_.state, "in this state")
            ->check(
                CLI::IsMember({"scheduled", "available", "running", "retryable", "completed", "cancelled", "discarded"})
            )
            ->type_name("STATE");
        list->add_option("--batch", job_.batch, "of this batch, by name or id")->type_name("BATCH");
        add_limit(*list, "--limit", job_.limit, "at most so many");
        for (CLI::App* command :
             {add_action(*group, "show", "All about one job", job_, Action::show),
              add_action(*group, "cancel", "Cancel a job", job_, Action::cancel)}) {
            add_job_id(*command);
        }
    }

    void add_job_id(CLI::App& command) {
        command.add_option_function<std::string>("JOB", [this](const std::string& text) { job_.job = read_job(text); })
            ->description("number of the job")
            ->required()
            ->type_name(" ");
    }

    void add_queue() {
        using Action = QueueCommand::Action;
        CLI::App* group = add(app_, "queue", "List, create, pause and resume queues", help::queue);
        add_action(*group, "list", "Every queue with its jobs", queue_, Action::list);
        CLI::App* create = add_action(*group, "create", "Add a queue", queue_, Action::create);
        add_number(*create, "--concurrency", queue_.concurrency, 1, 100'000, "jobs at once in one worker");
        for (CLI::App* command :
             {create,
              add_action(*group, "pause", "Start no more of its jobs", queue_, Action::pause),
              add_action(*group, "resume", "Go on", queue_, Action::resume)}) {
            command->add_option("QUEUE", queue_.queue, "name")->required()->type_name(" ");
        }
    }

    void add_worker() {
        CLI::App* group = add(app_, "worker", "List the workers", help::worker);
        add(*group, "list", "Every worker, living or ended within the hour", nullptr, [] { return WorkerCommand{}; });
    }

    void add_dead() {
        using Action = DeadCommand::Action;
        CLI::App* group = add(app_, "dead", "Dead letters: list, show, redrive and purge discarded jobs", help::dead);
        CLI::App* list = add_action(*group, "list", "The newest dead letters", dead_, Action::list);
        add_limit(*list, "--limit", dead_.limit, "at most so many");
        CLI::App* show = add_action(*group, "show", "All about one", dead_, Action::show);
        CLI::App* redrive = add_action(*group, "redrive", "Put them back into the line", dead_, Action::redrive);
        CLI::App* purge = add_action(*group, "purge", "Delete them for good", dead_, Action::purge);
        for (CLI::App* command : {show, redrive, purge}) {
            command
                ->add_option_function<std::vector<std::string>>(
                    "JOBS",
                    [this](const std::vector<std::string>& texts) {
                        for (const std::string& text : texts) dead_.jobs.push_back(read_job(text));
                    }
                )
                ->description("numbers of the jobs")
                ->type_name(" ");
        }
        show->get_option("JOBS")->required()->expected(1);
        for (CLI::App* command : {list, redrive, purge}) {
            command->add_option("--kind", dead_.kind, "of this kind")->type_name("KIND");
            command->add_option("--batch", dead_.batch, "of this batch, by name or id")->type_name("BATCH");
        }
        for (CLI::App* command : {redrive, purge}) command->add_flag("--all", dead_.all, "every one");
    }

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

    std::string unexpected() const {
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
    std::function<Command()> chosen_;
};

}  // namespace

boost::system::result<Invocation, NoInvocation> parse_arguments(std::vector<std::string> arguments) {
    return Parser().parse(std::move(arguments));
}

}  // namespace worker::cli
