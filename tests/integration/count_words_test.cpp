// The example program, run as a worker runs it.

#include "jobs/exec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"
#include "tests/support/run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/json/serialize.hpp>

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace jobs;
using tests::outcome_text;

namespace {

namespace fs = std::filesystem;

std::string count_words(const boost::json::value& args, std::vector<std::string>* progress = nullptr) {
    ExecSpec spec;
    spec.command = {TASK_WORKER_SOURCE_DIR "/jobs/examples/count_words.sh"};
    const Handler handler = make_exec_handler(spec);
    Job job;
    job.args = args;
    ContextHooks hooks;
    hooks.on_progress = [&](const Job&, const Progress& update) {
        if (progress) progress->push_back(std::to_string(update.done) + "/" + std::to_string(update.total));
    };
    JobContext context(job, hooks);
    return outcome_text(tests::run([&] { return handler(context); }));
}

struct Row {
    std::string content;
    std::string expected;
};

}  // namespace

TEST_CASE("count_words counts lines, words and terms of any bytes", "[jobs][exec][count_words]") {
    const tests::TemporaryFolder temporary;
    const fs::path folder = temporary.path() + "/count words'\"$ ";
    fs::create_directory(folder);
    const auto row = GENERATE(values<Row>({
        {"", R"(complete {"lines":0,"words":0,"terms":[]})"},
        {"one two\n\nTree tree, tree.\nno end", R"(complete {"lines":4,"words":7,"terms":[{"term":"tree","count":3}]})"
        },
        {"beta alpha\nbeta 1234 \"gamma\\\n",
         R"(complete {"lines":2,"words":5,"terms":[{"term":"beta","count":2},{"term":"alpha","count":1},{"term":"gamma","count":1}]})"
        },
        {std::string("x\0Queue \xFF\xFEqueue\r\nq\xC3\xA4queue\n", 26),
         R"(complete {"lines":2,"words":3,"terms":[{"term":"queue","count":3}]})"},
    }));
    std::ofstream(folder / "file") << row.content;
    std::vector<std::string> progress;
    CHECK(count_words({{"path", (folder / "file").string()}}, &progress) == row.expected);
    CHECK(progress.size() == 1);

    // The same, compressed; and a file that only looks so by its name.
    std::ofstream(folder / "plain.gz") << row.content;
    CHECK(count_words({{"path", (folder / "plain.gz").string()}}) == row.expected);
    ::setenv("EXEC_TEST_FILE", (folder / "file").c_str(), 1);
    REQUIRE(std::system("gzip -k -- \"$EXEC_TEST_FILE\"") == 0);
    CHECK(count_words({{"path", (folder / "file.gz").string()}}) == row.expected);
}

TEST_CASE("count_words discards what it cannot read", "[jobs][exec][count_words]") {
    CHECK(count_words({{"path", "/no/such/file"}}) == "discard: exit code 65\nno such file: /no/such/file");
    CHECK(count_words({{"path", "/usr"}}) == "discard: exit code 65\nnot a file: /usr");
    CHECK(count_words(boost::json::object()) == "discard: exit code 65\nargs need a \"path\"");

    const tests::TemporaryFolder folder;
    folder.write("damaged.gz", std::string("\x1F\x8B\x08\0\0\0\0\0\0\3zzz", 13));
    const std::string damaged = folder.path() + "/damaged.gz";
    const std::string outcome = count_words({{"path", damaged}});
    CHECK(outcome.starts_with("discard: exit code 65\n"));
    CHECK(outcome.ends_with("damaged: " + damaged));
}

TEST_CASE("count_words reports progress on the way through a long file", "[jobs][exec][count_words]") {
    const tests::TemporaryFolder folder;
    std::string text;
    for (int line = 0; line < 45'000; ++line) text += "some line\n";
    folder.write("long", text);
    std::vector<std::string> progress;
    const std::string outcome = count_words({{"path", folder.path() + "/long"}}, &progress);
    CHECK(progress == std::vector<std::string>{"20000/0", "40000/0", "45000/45000"});
    CHECK(
        outcome ==
        R"(complete {"lines":45000,"words":90000,"terms":[{"term":"line","count":45000},{"term":"some","count":45000}]})"
    );
}
