#pragma once

// A database and a configuration with a program of a test's own: what the tests of whole workers share.

#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests {

// A database, and the configuration of workers with the kind `work`.
struct Shop {
    TestDatabase database;
    TemporaryFolder folder;

    // It runs this shell text, with the folder in $FOLDER; `more` are further lines of its handler, or sections.
    explicit Shop(const std::string& script, const std::string& more = {}) {
        folder.write("work.sh", "FOLDER=" + folder.path() + "\n" + script);
        configure("exec: [sh, " + folder.path() + "/work.sh]", more);
    }
    // It calls this URL.
    struct Url {
        std::string text;
    };
    explicit Shop(const Url& url, const std::string& more = {}) { configure("http: '" + url.text + "'", more); }
    std::vector<std::string> arguments() const { return {"--config", folder.path() + "/config.yml"}; }
    void configure(const std::string& handler, const std::string& more) const {
        folder.write("config.yml", "handlers:\n  work:\n    " + handler + "\n    backoff: {first: 10ms}\n" + more);
    }
    void enqueue(const std::string& kind, int jobs, const std::string& args = "'{}'", const std::string& rest = "")
        const {
        database.psql(
            "select count(*) from task_queue.enqueue_many('" + kind + "', (select array_agg((" + args +
            ")::json) from generate_series(1, " + std::to_string(jobs) + ") n)" + rest + ")"
        );
    }
    std::string count(const std::string& where) const {
        return database.value("select count(*) from task_queue.jobs where " + where);
    }
    void await(const std::string& sql, const std::string& wanted) const { database.await(sql, wanted); }
    void await_finished(int jobs) const {
        await(
            "select count(*) from task_queue.jobs where state in ('completed', 'cancelled', 'discarded')",
            std::to_string(jobs)
        );
    }
};

// Every run leaves its job's id in runs.d; a job that starts while it runs elsewhere leaves a file in twice.d.
inline const std::string witness = R"sh(
mkdir -p $FOLDER/running.d $FOLDER/runs.d $FOLDER/twice.d
mkdir $FOLDER/running.d/$JOB_ID || : > $FOLDER/twice.d/$JOB_ID
mktemp $FOLDER/runs.d/$JOB_ID.XXXXXX > /dev/null
${WORK:-:}
rmdir $FOLDER/running.d/$JOB_ID
)sh";

inline std::size_t files_in(const std::string& folder) {
    std::error_code none;
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder, none)) ++count;
    return count;
}

}  // namespace tests
