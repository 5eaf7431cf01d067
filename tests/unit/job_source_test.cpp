// Files of jobs and lists of paths, good and bad.

#include "worker/cli/job_source.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/line_reader.hpp"

#include <string>
#include <vector>

using namespace worker::cli;

namespace {

using Texts = std::vector<std::string>;

Texts read_all(JobSource& source) {
    Texts all;
    for (std::string args; source.next(args);) all.push_back(args);
    return all;
}

std::string refusal_of(const SourceRequest& request) {
    JobSource source = open_source(request);
    std::string args;
    try {
        while (source.next(args)) {
        }
    } catch (const Failure& failure) {
        CHECK(failure.code() == worker::exit_usage);
        return failure.what();
    }
    return {};
}

}  // namespace

TEST_CASE("LineReader gives lines of any length and end, and cuts what is too long", "[worker][cli]") {
    const tests::TemporaryFolder folder;
    const std::string longer(700'000, 'x');
    folder.write(
        "f",
        "\xEF\xBB\xBF"
        "a\r\n\n" +
            longer + "\nlast"
    );
    LineReader reader(folder.path() + "/f", 600'000);
    Texts lines;
    for (std::string line; reader.next(line);) lines.push_back(line);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0] == "a");
    CHECK(lines[1].empty());
    CHECK(lines[2].size() == 600'001);
    CHECK(lines[3] == "last");
    CHECK(reader.number() == 4);
    CHECK(reader.bytes() == reader.size());
}

TEST_CASE("open_source gives each line of a file as args and passes over blank ones", "[worker][cli]") {
    const tests::TemporaryFolder folder;
    folder.write("f", "{\"a\": 1}\n\n  \n[2]\n\"x\"");
    JobSource source = open_source({.file = folder.path() + "/f", .longest = 100});
    CHECK(read_all(source) == Texts{"{\"a\": 1}", "[2]", "\"x\""});
    CHECK(source.counts().jobs == 3);
    CHECK(source.skipped().empty());
}

TEST_CASE("open_source names every bad line by its number, up to 20", "[worker][cli]") {
    const tests::TemporaryFolder folder;
    folder.write("one", "1\n\n{\"a\": }\n2\n");
    const std::string one = refusal_of({.file = folder.path() + "/one", .longest = 100});
    CHECK(one.find("/one: line 3: not JSON") != std::string::npos);
    CHECK(one.find("nothing was enqueued") != std::string::npos);
    CHECK(one.find("--skip-invalid") != std::string::npos);

    std::string text;
    for (int line = 1; line <= 25; ++line) text += "bad\n";
    folder.write("many", text + "{\"long\": \"" + std::string(100, 'x') + "\"}\n1 2\n");
    const std::string many = refusal_of({.file = folder.path() + "/many", .longest = 50});
    CHECK(many.find("27 bad lines") != std::string::npos);
    CHECK(many.find("\n  line 1: ") != std::string::npos);
    CHECK(many.find("\n  line 20: ") != std::string::npos);
    CHECK(many.find("line 21") == std::string::npos);
    CHECK(many.find("and 7 more") != std::string::npos);
}

TEST_CASE("open_source leaves bad lines out when told so", "[worker][cli]") {
    const tests::TemporaryFolder folder;
    folder.write("f", "1\nbad\n{\"long\": \"xxxxxxxxxxxxxxxx\"}\n2\n");
    JobSource source = open_source({.file = folder.path() + "/f", .skip_invalid = true, .longest = 10});
    CHECK(read_all(source) == Texts{"1", "2"});
    CHECK(source.counts().skipped == 2);
    CHECK(source.skipped().find("line 3: more than the 10 bytes allowed") != std::string::npos);
}

TEST_CASE("open_source gives paths as absolute ones and refuses what is no file", "[worker][cli]") {
    const tests::TemporaryFolder folder;
    folder.write("a \"b\"", "x");
    JobSource source = open_source({.paths = {folder.path() + "/./a \"b\""}});
    CHECK(read_all(source) == Texts{"{\"path\": \"" + folder.path() + "/a \\\"b\\\"\"}"});

    folder.write("list", folder.path() + "/missing\n" + folder.path() + "\n");
    const std::string refusal = refusal_of({.paths_from = folder.path() + "/list"});
    CHECK(refusal.find("line 1: \"" + folder.path() + "/missing\": no such file") != std::string::npos);
    CHECK(refusal.find("line 2: \"" + folder.path() + "\": is a folder") != std::string::npos);

    const std::string bytes = folder.path() + "/\xFF";
    folder.write("\xFF", "x");
    CHECK(refusal_of({.paths = {bytes}}).find("is not UTF-8") != std::string::npos);
}

TEST_CASE("open_source refuses a file that cannot be read", "[worker][cli]") {
    CHECK_THROWS_WITH(open_source({.file = "/nowhere/f"}), Catch::Contains("/nowhere/f cannot be read"));
    CHECK_THROWS_WITH(open_source({.file = "/tmp"}), Catch::Contains("Is a directory"));
}
