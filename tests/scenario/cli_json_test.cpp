// --json of every command: what it writes is JSON, under names that programs may rely on.

#include "tests/support/catch.hpp"
#include "tests/support/cli_office.hpp"
#include "tests/support/shell.hpp"
#include "worker/cli/parse.hpp"

#include <boost/json.hpp>

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace tests;
namespace json = boost::json;

namespace {

constexpr const char* batch_names =
    "id name state round total completed discarded cancelled running waiting percent recent_rate overall_rate "
    "eta_seconds created_at sealed_at finished_at meta";
constexpr const char* job_names = "id kind queue state priority attempt batch created_at finished_at";
constexpr const char* job_more =
    "max_attempts max_attempts_in_force run_at claimed_at worker unique_key cancel_requested unserved args result "
    "discarded_because error errors meta progress";
constexpr const char* queue_names = "name paused concurrency";

struct Case {
    std::string command;
    std::string arguments;
    std::string names;  // of what it writes, or of the elements of the array
    std::string more{};
};

// Every command that writes about the database, in an order in which each finds something.
const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {"check", "", "problems settings notes database budget"},
        {"migrate status", "", "version name applied_at changed known"},
        {"migrate up", "", "migrations"},
        {"migrate sql", "", "sql"},
        {"enqueue", "echo --args {}", "job existed batch"},
        {"enqueue", "echo a b --batch pair --skip-invalid", "batch name jobs skipped first_job existed sealed"},
        {"batch list", "", batch_names},
        {"batch show", "photos", batch_names, " callbacks unserved due_at slowest failures"},
        {"batch seal", "photos", "id sealed"},
        {"batch redrive", "photos --dry-run", "id redriven left dry_run"},
        {"job list", "", job_names},
        {"job show", "128", job_names, std::string(" ") + job_more},
        {"job why", "128", "job kind queue state reasons"},
        {"job cancel", "128", "job answer"},
        {"job cancel", "--queue mail --dry-run", "cancelled stopping left dry_run"},
        {"queue list", "", "name paused concurrency available scheduled running oldest_seconds"},
        {"queue create", "other", queue_names},
        {"queue pause", "other", queue_names},
        {"queue resume", "other", queue_names},
        {"worker list", "", "id host pid version state slots connections kinds queues started_at heartbeat_at"},
        {"dead list", "", "job kind queue batch attempt error created_at died_at args"},
        {"dead show", "256", job_names, std::string(" ") + job_more},
        {"dead redrive", "256", "redriven left dry_run"},
        {"dead purge", "384", "purged dry_run"},
        {"batch cancel", "photos --yes", "id cancelled stopping dry_run"},
        {"batch watch", "ended", batch_names, " final"},
        {"job wait", "128", "job state"},
        {"documents setup", "", "embeddings"},
        {"documents search", "walrus", "rank path headline"},
        {"documents ingest", ". --set documents.root=.", "batch name jobs skipped first_job existed sealed"},
        {"doctor", "", "check ok text advice"},
        {"completion", "bash", "shell script"},
        {"man", "task-worker-batch", "page section text"},
        {"man", "--to manuals", "files"},
        {"migrate down", "--to 4", "migrations"},
    };
    return all;
}

Words words_of(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

Words names_of(const json::object& object) {
    Words names;
    for (const auto& field : object) names.emplace_back(field.key());
    return names;
}

// The objects of an output: of its lines, or the elements of the arrays that these are. Fails where it is not JSON.
std::vector<json::object> objects_in(const std::string& output) {
    std::vector<json::object> objects;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
        INFO(line);
        boost::system::error_code error;
        const json::value value = json::parse(line, error);
        REQUIRE_FALSE(error);
        if (value.is_object()) {
            objects.push_back(value.get_object());
        } else {
            REQUIRE(value.is_array());
            for (const json::value& element : value.get_array()) objects.push_back(element.as_object());
        }
    }
    return objects;
}

}  // namespace

TEST_CASE(
    "every command writes JSON with --json, under the names that its help gives", "[worker][cli][json][scenario]"
) {
    const CliOffice office;
    const Shell& shell = office.shell;
    shell.folder.write("a", "");
    REQUIRE(shell.run({"documents", "setup"}).code == 0);
    office.database.psql(R"sql(
        insert into documents.documents (sha256, format, bytes, chunks) values ('', 'text', 6, 1);
        insert into documents.files (path, document_id) select '/a', id from documents.documents;
        insert into documents.chunks (document_id, number, text) select id, 1, 'walrus' from documents.documents;
    )sql");
    for (const Case& one : cases()) {
        Words words = words_of(one.command + " " + one.arguments);
        words.emplace_back("--json");
        const Finished finished = shell.run(words);
        INFO(one.command << " " << one.arguments << "\n" << finished.output << finished.errors);
        CHECK(finished.code <= 1);
        const std::vector<json::object> objects = objects_in(finished.output);
        CHECK_FALSE(objects.empty());
        for (const json::object& object : objects) CHECK(names_of(object) == words_of(one.names + one.more));
    }
}

TEST_CASE("no command is missing among those whose JSON is tried", "[worker][cli][json][scenario]") {
    std::map<std::string, std::set<std::string>> help;  // of each leaf: the words of what it says of its JSON
    for (const worker::cli::CommandShape& shape : worker::cli::command_shapes()) {
        std::string name;
        for (const std::string& word : shape.words) name += (name.empty() ? "" : " ") + word;
        const std::size_t begin = shape.notes.find("--json: ");
        const std::string said =
            begin == std::string::npos ? "" : shape.notes.substr(begin, shape.notes.find("\n\n", begin) - begin);
        for (const std::string& word : words_of(said)) {
            const std::size_t first = word.find_first_not_of("[{(");
            if (first != std::string::npos)
                help[name].insert(word.substr(first, word.find_first_of(",:]})", first) - first));
        }
    }
    std::set<std::string> tried{"run", "dev", "dev stop", "dev reset"};  // below
    for (const Case& one : cases()) {
        tried.insert(one.command);
        INFO(one.command);
        // What others write as well is said there.
        for (const std::string& name : words_of(one.more.empty() ? one.names : one.more)) {
            const bool as_list = one.names == batch_names && one.command != "batch list";
            const bool as_show = one.command == "dead show";
            INFO(name);
            CHECK((as_list || as_show || help[one.command].contains(name)));
        }
    }
    for (const auto& [name, said] : help) {
        INFO(name);
        CHECK(tried.contains(name));
    }
    for (const worker::cli::CommandShape& shape : worker::cli::command_shapes()) {
        const bool group = std::ranges::any_of(worker::cli::command_shapes(), [&](const auto& other) {
            return other.words.size() > shape.words.size() &&
                   std::equal(shape.words.begin(), shape.words.end(), other.words.begin());
        });
        const bool psql = shape.words == Words{"dev", "psql"};
        INFO(shape.description);
        if (!group && !psql) CHECK(shape.notes.find("--json: ") != std::string::npos);
    }
}

TEST_CASE("a worker's --json is a log of JSON, and dev tells its database", "[worker][cli][json][scenario]") {
    const Shell shell("");
    std::filesystem::permissions(shell.folder.path(), std::filesystem::perms(0755));  // for user postgres
    Command start = shell.command({"dev", "--data", "mine", "--json"});
    start.environment["TASK_WORKER_HTTP_LISTEN"] = "127.0.0.1:0";
    start.environment["TASK_WORKER_LOG_FORMAT"] = "text";
    Child dev(start);
    dev.wait_for("\"ready\"");
    shell.refuses({"dev", "psql", "--data", "mine", "--json"}, 2, "psql writes no JSON");
    Command run = shell.command({"run", "--data", "mine", "--json"});
    run.environment = start.environment;
    Child worker(run);
    worker.wait_for("\"ready\"");
    worker.signal(SIGTERM);
    const Finished ran = worker.wait();
    CHECK(ran.output.empty());
    CHECK(objects_in(ran.errors).size() > 2);

    const auto stopped = objects_in(shell.run({"dev", "stop", "--data", "mine", "--json"}).output);
    REQUIRE(stopped.size() == 1);
    CHECK(names_of(stopped[0]) == Words{"stopped"});
    const Finished finished = dev.wait();
    const auto started = objects_in(finished.output);
    REQUIRE(started.size() == 1);
    CHECK(names_of(started[0]) == Words{"pid", "folder", "url"});
    CHECK(started[0].at("pid") == stopped[0].at("stopped"));
    for (int time = 0; time < 2; ++time) {
        const auto deleted = objects_in(shell.run({"dev", "reset", "--data", "mine", "--yes", "--json"}).output);
        REQUIRE(deleted.size() == 1);
        CHECK(deleted[0].at("deleted").is_null() == (time == 1));
    }
}
