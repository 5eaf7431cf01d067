// The rooms of ARCHITECTURE.md hold what they promise: includes point left, each room lacks what it must never contain.

#include "tests/support/catch.hpp"
#include "tests/support/source_text.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

using tests::SourceFile;

namespace {

using Violations = std::vector<std::string>;

const std::vector<SourceFile>& sources() {
    static const std::vector<SourceFile> read =
        tests::read_sources(TASK_WORKER_SOURCE_DIR, {"db", "queue", "jobs", "worker"});
    return read;
}

// What `rule` finds in a file, over all of them, each with the file's path in front.
Violations find_violations(
    const std::vector<SourceFile>& files, const std::function<Violations(const SourceFile&)>& rule
) {
    Violations found;
    for (const SourceFile& file : files) {
        for (const std::string& text : rule(file)) found.push_back(file.path + ": " + text);
    }
    return found;
}

// db <- queue <- jobs <- worker <- tests
Violations includes_to_the_right(const SourceFile& file) {
    static const std::map<std::string, std::set<std::string>> forbidden{
        {"db", {"queue", "jobs", "worker", "tests"}},
        {"queue", {"jobs", "worker", "tests"}},
        {"jobs", {"worker", "tests"}},
        {"worker", {"tests"}},
    };
    Violations found;
    for (const std::string& name : tests::includes(file.text)) {
        if (forbidden.at(file.room()).contains(name.substr(0, name.find('/')))) found.push_back("includes " + name);
    }
    return found;
}

// What must not be included where, by the beginning of its name.
Violations includes_of_the_wrong_kind(const SourceFile& file) {
    static const std::multimap<std::string, std::string> forbidden{
        {"db", "boost/json"},
        {"db", "prometheus"},
        {"db", "nlohmann"},
        {"db", "spdlog"},
        {"queue", "prometheus"},
        {"queue", "spdlog"},
        {"queue", "db/pool.hpp"},
        {"queue", "db/transaction.hpp"},
        {"queue", "boost/asio/co"},
        {"queue", "thread"},
        {"jobs", "prometheus"},
        {"jobs", "yaml-cpp"},
        {"jobs", "CLI"},
    };
    Violations found;
    const auto [first, last] = forbidden.equal_range(file.room());
    for (const std::string& name : tests::includes(file.text)) {
        for (auto entry = first; entry != last; ++entry) {
            if (name.starts_with(entry->second)) found.push_back("includes " + name);
        }
    }
    return found;
}

// Identifiers and literals that a room must not know; comments may say why.
Violations foreign_words(const SourceFile& file) {
    static const std::map<std::string, std::set<std::string>> forbidden{
        {"db", {"job", "jobs", "batch", "batches", "bundle", "bundles", "prometheus"}},
        {"queue", {"spawn", "spdlog", "rollback"}},
    };
    const auto room = forbidden.find(file.room());
    if (room == forbidden.end()) return {};
    Violations found;
    for (const std::string& word : tests::words(tests::without_comments(file.text))) {
        if (room->second.contains(word)) found.push_back("says " + word);
    }
    return found;
}

// SQL lives in db and queue; a handler with tables of its own may have SQL, but not on the queue's.
Violations misplaced_sql(const SourceFile& file) {
    static const std::regex statement(
        R"(^\s*(select\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s|copy\s+\S+\s+(from|to)\s)"
        R"(|(create|alter|drop|truncate)\s+(table|schema|index|function|role|database|extension)\s))",
        std::regex::icase
    );
    Violations found;
    for (const std::string& literal : tests::string_literals(file.text)) {
        const bool is_statement = std::regex_search(literal, statement);
        const bool on_queue = literal.find("task_queue.") != std::string::npos;
        if (is_statement && (file.room() == "worker" || (file.room() == "jobs" && on_queue))) {
            found.push_back("has SQL: " + literal.substr(0, 60));
        }
    }
    return found;
}

// What the machine's clock says is shown to people and decides nothing: it may jump.
Violations clocks_that_jump(const SourceFile& file) {
    static const std::set<std::string> showing{
        "worker/logging_format.hpp",
        "worker/logging_format.cpp",
        "db/migrations.cpp",         // in the name of a schema that is set aside
        "jobs/http.cpp",             // in a signature, and beside a date that a server answers
        "jobs/documents/embed.cpp",  // beside such a date
        "jobs/outcome_at.hpp",       // beside a time that a handler names
    };
    if (showing.contains(file.path) || file.path.starts_with("worker/cli/")) return {};
    static const std::regex clock(R"(\b(system_clock|CLOCK_REALTIME|gettimeofday|std::time)\b)");
    return std::regex_search(tests::without_comments(file.text), clock) ? Violations{"asks a clock that may jump"}
                                                                        : Violations{};
}

Violations missing_pragma_once(const SourceFile& file) {
    if (!file.is_header() || file.text.starts_with("#pragma once\n")) return {};
    return {"does not begin with #pragma once"};
}

Violations own_macros(const SourceFile& file) {
    static const std::regex macro(R"(^[ \t]*#[ \t]*define[ \t])", std::regex::multiline);
    return std::regex_search(file.text, macro) ? Violations{"defines a macro"} : Violations{};
}

Violations unfinished_work(const SourceFile& file) {
    static const std::regex mark(R"(\b(TODO(?!\(#\d+\))|FIXME|XXX|HACK)\b)");
    return std::regex_search(file.text, mark) ? Violations{"has a mark of unfinished work without an issue"}
                                              : Violations{};
}

// Past 300 lines a file is to be split by verb; past this it must be.
constexpr int most_lines = 400;
constexpr int many_lines = 300;

Violations too_long(const SourceFile& file) {
    if (file.lines() <= most_lines) return {};
    return {"has " + std::to_string(file.lines()) + " lines: split it by verb"};
}

}  // namespace

TEST_CASE("each room includes only what stands left of it", "[architecture]") {
    CHECK(sources().size() > 25);
    CHECK(find_violations(sources(), includes_to_the_right) == Violations{});
}

TEST_CASE("no room includes what it must never contain", "[architecture]") {
    CHECK(find_violations(sources(), includes_of_the_wrong_kind) == Violations{});
}

TEST_CASE("db knows no words of the queue, and queue starts and ends nothing", "[architecture]") {
    CHECK(find_violations(sources(), foreign_words) == Violations{});
}

TEST_CASE("worker has no SQL, jobs none on the queue's tables", "[architecture]") {
    CHECK(find_violations(sources(), misplaced_sql) == Violations{});
}

TEST_CASE("no clock that may jump decides anything", "[architecture]") {
    CHECK(find_violations(sources(), clocks_that_jump) == Violations{});
}

TEST_CASE("headers are guarded, no macros, no unfinished work", "[architecture]") {
    CHECK(find_violations(sources(), missing_pragma_once) == Violations{});
    CHECK(find_violations(sources(), own_macros) == Violations{});
    CHECK(find_violations(sources(), unfinished_work) == Violations{});
}

TEST_CASE("files stay short", "[architecture]") {
    CHECK(find_violations(sources(), too_long) == Violations{});
    for (const SourceFile& file : sources()) {
        if (file.lines() > many_lines) WARN(file.path << " has " << file.lines() << " lines");
    }
}

TEST_CASE("the rules of the architecture find what they look for", "[architecture]") {
    struct Row {
        std::string name;
        std::function<Violations(const SourceFile&)> rule;
        std::string path;
        std::string text;
        bool broken;
    };
    const std::vector<Row> rows{
        {"db includes queue", includes_to_the_right, "db/a.cpp", "#include \"queue/ids.hpp\"\n", true},
        {"jobs includes worker", includes_to_the_right, "jobs/a.hpp", "#include \"worker/config.hpp\"\n", true},
        {"worker includes db", includes_to_the_right, "worker/a.cpp", "#include \"db/pool.hpp\"\n", false},
        {"queue includes the pool", includes_of_the_wrong_kind, "queue/a.cpp", "#include \"db/pool.hpp\"\n", true},
        {"queue includes session", includes_of_the_wrong_kind, "queue/a.cpp", "#include \"db/session.hpp\"\n", false},
        {"db includes JSON", includes_of_the_wrong_kind, "db/a.cpp", "#include <boost/json.hpp>\n", true},
        {"db names a job type", foreign_words, "db/a.hpp", "struct JobId;", true},
        {"db names a batch in text", foreign_words, "db/a.cpp", "auto text = \"a batch of rows\";", true},
        {"db comments on jobs", foreign_words, "db/a.cpp", "int a = 1'000;  // jobs need this\n/* batch */", false},
        {"db has an objective", foreign_words, "db/a.cpp", "int objective; int jobless;", false},
        {"queue spawns", foreign_words, "queue/a.cpp", "asio::co_spawn(executor, f, g);", true},
        {"worker selects", misplaced_sql, "worker/a.cpp", "auto s = R\"sql(\n  select 1)sql\";", true},
        {"worker updates", misplaced_sql, "worker/a.cpp", "run(\"update task_queue.x set y = 1\");", true},
        {"worker speaks of an update", misplaced_sql, "worker/a.cpp", "help(\"update what changed\");", false},
        {"jobs reads the queue", misplaced_sql, "jobs/a.cpp", "run(\"select 1 from task_queue.bundles\");", true},
        {"jobs writes its own table", misplaced_sql, "jobs/a.cpp", "run(\"insert into documents.chunks\");", false},
        {"a lease by such a clock", clocks_that_jump, "worker/a.cpp", "auto now = system_clock::now();", true},
        {"a log line by it", clocks_that_jump, "worker/logging_format.hpp", "system_clock::time_point time;", false},
        {"a steady clock", clocks_that_jump, "worker/a.cpp", "auto now = steady_clock::now();", false},
        {"no guard", missing_pragma_once, "db/a.hpp", "// text\n#pragma once\n", true},
        {"macro", own_macros, "db/a.hpp", "#pragma once\n#  define X 1\n", true},
        {"mark", unfinished_work, "db/a.cpp", "// TODO: later\n", true},
        {"mark with an issue", unfinished_work, "db/a.cpp", "// TODO(#7): later\n", false},
        {"long", too_long, "db/a.cpp", std::string(401, '\n'), true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(!row.rule({.path = row.path, .text = row.text}).empty() == row.broken);
    }
}
