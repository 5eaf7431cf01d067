// Every command with its options.
#include "worker/cli/parser.hpp"

namespace worker::cli {

void Parser::add_run() {
    CLI::App* run = add(app_, "run", "Run a worker until it is told to stop", help::run, [this] { return run_; });
    run->add_option("--url-file", run_.url_file, "write the database URL here when ready")->type_name("FILE");
}

void Parser::add_dev() {
    CLI::App* dev =
        add(app_, "dev", "Run a worker on a private embedded PostgreSQL", help::dev, [this] { return dev_; });
    dev->add_option("--url-file", dev_.url_file, "write the database URL here when ready")->type_name("FILE");
    add_action(*dev, "stop", "Stop the one that runs", help::dev_stop, dev_, DevCommand::Action::stop);
    add_action(*dev, "psql", "Open psql on the one that runs", help::dev_psql, dev_, DevCommand::Action::psql)
        ->add_option("ARGUMENTS", dev_.to_psql, "for psql; after -- when they begin with -")
        ->type_name(" ");
    add_action(*dev, "reset", "Delete the data", help::dev_reset, dev_, DevCommand::Action::reset)
        ->add_flag("--yes", dev_.yes, "without asking");
}

void Parser::add_check() {
    add(app_, "check", "Show configuration, schema and connection budget", help::check, [] { return CheckCommand{}; });
}

void Parser::add_migrate() {
    using Action = MigrateCommand::Action;
    CLI::App* group = add(app_, "migrate", "Create and change the schema task_queue", help::migrate);
    const auto to = [this](CLI::App* command, const char* help) {
        add_number(*command, "--to", migrate_.to, 0, 9999, help);
    };
    CLI::App* up = add_action(*group, "up", "Apply what is pending", help::migrate_up, migrate_, Action::up);
    to(up, "stop after this version");
    add_patience(*up, migrate_.patience, "how long a migration tries to have its locks [5m]");
    to(add_action(
           *group, "down", "Take back the newest migration, with its data", help::migrate_down, migrate_, Action::down
       ),
       "take back all that are newer than this version; 0: everything");
    add_action(
        *group, "status", "Show what is applied and what is pending", help::migrate_status, migrate_, Action::status
    );
    add_action(
        *group, "sql", "Print the migrations as SQL; needs no database", help::migrate_sql, migrate_, Action::sql
    );
}

void Parser::add_enqueue() {
    EnqueueCommand& options = enqueue_;
    CLI::App* command = add(app_, "enqueue", "Enqueue a job, a file of jobs, or a job per file", help::enqueue, [this] {
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
    command->add_option("--enqueue-key", options.enqueue_key, "a repeat within a day adds nothing")->type_name("KEY");
    add_number(*command, "--bundle", options.bundle, 1, 63, "jobs to a row");

    command->add_option("--meta", options.meta, "carried along, such as a traceparent; a batch's callbacks get it")
        ->type_name("JSON");

    CLI::Option* batch = command->add_option("-b,--batch", options.batch, "name of a new batch, or id of an open one");
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

CLI::App* Parser::add_batch_action(
    CLI::App& group, const char* name, const char* description, const char* footer, BatchCommand::Action action
) {
    CLI::App* command = add_action(group, name, description, footer, batch_, action);
    command->add_option("BATCH", batch_.batch, "name (the newest of it) or id")->required()->type_name(" ");
    return command;
}

void Parser::add_batch() {
    using Action = BatchCommand::Action;
    CLI::App* group = add(app_, "batch", "List, show, watch, seal, cancel and redrive batches", help::batch);
    CLI::App* list = add_action(*group, "list", "The newest batches", help::batch_list, batch_, Action::list);
    add_choice(*list, "--state", batch_.state, "STATE", {"open", "sealed", "cancelled", "finished"}, "in this state");
    add_limit(*list, "--limit", batch_.limit, "at most so many");
    CLI::App* show = add_batch_action(*group, "show", "All about one batch", help::batch_show, Action::show);
    add_limit(*show, "--slowest", batch_.slowest, "so many of the slowest jobs");
    add_limit(*show, "--failures", batch_.failures, "so many of the discarded jobs");
    add_batch_action(*group, "watch", "Watch a batch until it has finished", help::batch_watch, Action::watch);
    add_batch_action(*group, "seal", "Let no more jobs in, so that it can finish", help::batch_seal, Action::seal);
    CLI::App* cancel = add_batch_action(*group, "cancel", "Cancel its jobs", help::batch_cancel, Action::cancel);
    cancel->add_flag("--yes", batch_.yes, "without asking");
    CLI::App* redrive = add_batch_action(
        *group, "redrive", "Put its discarded jobs back into the line", help::batch_redrive, Action::redrive
    );
    redrive->add_option("--kind", batch_.kind, "those of this kind")->type_name("KIND");
    for (CLI::App* command : {cancel, redrive}) command->add_flag("--dry-run", batch_.dry_run, "count them only");
    redrive->add_flag("-w,--watch", batch_.watch, "watch the batch until it has finished")->excludes("--dry-run");
}

void Parser::add_job() {
    using Action = JobCommand::Action;
    CLI::App* group = add(app_, "job", "List, show, explain, await and cancel jobs", help::job);
    CLI::App* list = add_action(*group, "list", "The newest jobs", help::job_list, job_, Action::list);
    CLI::App* wait = add_action(*group, "wait", "Wait until a job has ended", help::job_wait, job_, Action::wait);
    add_read(*wait, "--timeout", job_.timeout, parse_duration, "at most so long", "a duration such as 30s")
        ->type_name("DURATION");
    for (CLI::App* command :
         {add_action(*group, "show", "All about one job", help::job_show, job_, Action::show),
          add_action(*group, "why", "Why a job does not run, or not yet", help::job_why, job_, Action::why),
          wait}) {
        command->add_option_function<std::string>("JOB", [this](const std::string& text) { job_.job = read_job(text); })
            ->description("number of the job")
            ->required()
            ->type_name(" ");
    }
    CLI::App* cancel = add_action(
        *group, "cancel", "Cancel jobs, by number or by what they are", help::job_cancel, job_, Action::cancel
    );
    add_job_ids(*cancel, job_.jobs);
    const std::vector<std::string> live{"scheduled", "available", "running", "retryable"};
    std::vector<std::string> all = live;
    all.insert(all.end(), {"completed", "cancelled", "discarded"});
    for (CLI::App* command : {list, cancel}) {
        command->add_option("--kind", job_.kind, "of this kind")->type_name("KIND");
        command->add_option("--queue", job_.queue, "of this queue")->type_name("QUEUE");
        add_choice(*command, "--state", job_.state, "STATE", command == list ? all : live, "in this state");
        command->add_option("--batch", job_.batch, "of this batch, by name or id")->type_name("BATCH");
    }
    add_limit(*list, "--limit", job_.limit, "at most so many");
    cancel->add_flag("--all", job_.all, "every one");
    cancel->add_flag("--dry-run", job_.dry_run, "count them only");
    cancel->add_flag("--yes", job_.yes, "without asking");
}

void Parser::add_job_ids(CLI::App& command, std::vector<queue::JobId>& target) {
    const auto read = [&target](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) target.push_back(read_job(text));
    };
    command.add_option_function<std::vector<std::string>>("JOBS", read)
        ->description("numbers of the jobs")
        ->type_name(" ");
}

void Parser::add_queue() {
    using Action = QueueCommand::Action;
    CLI::App* group = add(app_, "queue", "List, create, pause and resume queues", help::queue);
    add_action(*group, "list", "Every queue with its jobs", help::queue_list, queue_, Action::list);
    CLI::App* create = add_action(*group, "create", "Add a queue", help::queue_create, queue_, Action::create);
    add_number(*create, "--concurrency", queue_.concurrency, 1, 100'000, "jobs at once in one worker");
    for (CLI::App* command :
         {create,
          add_action(*group, "pause", "Start no more of its jobs", help::queue_pause, queue_, Action::pause),
          add_action(*group, "resume", "Go on", help::queue_resume, queue_, Action::resume)}) {
        command->add_option("QUEUE", queue_.queue, "name")->required()->type_name(" ");
    }
}

void Parser::add_worker() {
    CLI::App* group = add(app_, "worker", "List the workers", help::worker);
    add(*group, "list", "Every worker, living or ended within the hour", help::worker_list, [] {
        return WorkerCommand{};
    });
}

void Parser::add_dead() {
    using Action = DeadCommand::Action;
    CLI::App* group = add(app_, "dead", "List, show, redrive and purge discarded jobs", help::dead);
    CLI::App* list = add_action(*group, "list", "The newest dead letters", help::dead_list, dead_, Action::list);
    add_limit(*list, "--limit", dead_.limit, "at most so many");
    CLI::App* show = add_action(*group, "show", "All about one", help::dead_show, dead_, Action::show);
    CLI::App* redrive =
        add_action(*group, "redrive", "Put them back into the line", help::dead_redrive, dead_, Action::redrive);
    CLI::App* purge = add_action(*group, "purge", "Delete them for good", help::dead_purge, dead_, Action::purge);
    for (CLI::App* command : {show, redrive, purge}) add_job_ids(*command, dead_.jobs);
    show->get_option("JOBS")->required()->expected(1);
    for (CLI::App* command : {list, redrive, purge}) {
        command->add_option("--kind", dead_.kind, "of this kind")->type_name("KIND");
        command->add_option("--queue", dead_.queue, "of this queue")->type_name("QUEUE");
        command->add_option("--batch", dead_.batch, "of this batch, by name or id")->type_name("BATCH");
    }
    for (CLI::App* command : {redrive, purge}) {
        command->add_flag("--all", dead_.all, "every one");
        command->add_flag("--dry-run", dead_.dry_run, "count them only");
    }
    purge->add_flag("--yes", dead_.yes, "without asking");
}

void Parser::add_doctor() {
    CLI::App* command =
        add(app_, "doctor", "Look for what goes wrong, and say what to do", help::doctor, [this] { return doctor_; });
    add_patience(*command, doctor_.patience, "transactions and leases older than this are told [1m]");
}

void Parser::add_completion() {
    CLI::App* command = add(app_, "completion", "Print a script for a shell's completion", help::completion, [this] {
        return completion_;
    });
    const std::vector<std::string> shells{"bash", "zsh", "fish"};
    CLI::Option* shell = command->add_option("SHELL", completion_.shell, "bash, zsh or fish");
    choices_[shell->required()->check(CLI::IsMember(shells))->type_name(" ")] = shells;
}

void Parser::add_man() {
    CLI::App* command = add(app_, "man", "Print a manual page", help::man, [this] { return man_; });
    command->add_option("PAGE", man_.page, "task-worker, task-worker-batch, task-worker-config, ..")->type_name(" ");
    command->add_option("--to", man_.to, "write every page into this folder")->type_name("DIR")->excludes("PAGE");
}

}  // namespace worker::cli
