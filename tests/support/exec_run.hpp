#pragma once

// One run of the exec handler with a real program, most of them a few lines for sh.

#include "jobs/exec.hpp"
#include "tests/support/outcome_text.hpp"
#include "tests/support/run.hpp"

#include <boost/json/parse.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

using Lines = std::vector<std::string>;

inline jobs::ExecSpec sh(const std::string& script) {
    jobs::ExecSpec spec;
    spec.command = {"sh", "-c", script};
    return spec;
}

inline jobs::Job a_job(std::string_view args = "{}") {
    jobs::Job job;
    job.id = queue::JobId{256};
    job.kind = "test";
    job.args = boost::json::parse(boost::json::string_view(args.data(), args.size()));
    return job;
}

// What the hooks saw. The hooks run on the strand of one run; `on_line` can act on a line while the program runs.
struct Seen {
    Lines progress;  // "DONE/TOTAL MESSAGE"
    Lines log;       // "i LINE" from stdout, "w LINE" from stderr
    std::function<void(std::string_view)> on_line;

    jobs::ContextHooks hooks() {
        return {
            .on_progress =
                [this](const jobs::Job&, const jobs::Progress& update) {
                    progress.push_back(
                        std::to_string(update.done) + "/" + std::to_string(update.total) + " " + update.message
                    );
                },
            .on_log =
                [this](const jobs::Job&, jobs::LogLevel level, std::string_view line) {
                    log.push_back((level == jobs::LogLevel::warning ? "w " : "i ") + std::string(line));
                    if (on_line) on_line(line);
                },
            .checkout = {},
        };
    }
};

// The outcome in words.
inline std::string run_in(jobs::JobContext& context, const jobs::ExecSpec& spec) {
    const jobs::Handler handler = make_exec_handler(spec);
    return outcome_text(run([&] { return handler(context); }));
}

inline std::string run_spec(const jobs::ExecSpec& spec, Seen* seen = nullptr, std::string_view args = "{}") {
    Seen unseen;
    jobs::JobContext context(a_job(args), (seen ? *seen : unseen).hooks());
    return run_in(context, spec);
}

inline std::string run_script(const std::string& script, Seen* seen = nullptr) {
    return run_spec(sh(script), seen);
}

}  // namespace tests
