// The example programs in other languages, each as exec and as stream handler.

#include "jobs/exec_protocol.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/stream_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace jobs;
using namespace tests;

namespace {

struct Example {
    std::string language;
    std::vector<std::string> command;
    bool reports_progress = true;
    bool checks_text = true;
};

const std::string examples = TASK_WORKER_SOURCE_DIR "/jobs/examples/";

Example an_example() {
    return GENERATE(values<Example>({
        {"Python", {"python3", examples + "measure_text.py"}},
        {"Node", {"node", examples + "measure_text.mjs"}},
        {"shell", {"sh", examples + "measure_text.sh"}, false, false},
    }));
}

bool is_installed(const Example& example) {
    if (std::system((example.command[0] + " -c '' >/dev/null 2>&1 || " + example.command[0] +
                     " --version >/dev/null 2>&1")
                        .c_str()) == 0) {
        return true;
    }
    WARN(example.language << " is not installed: its example is not tested");
    return false;
}

ExecSpec spec_of(const Example& example) {
    ExecSpec spec;
    spec.command = example.command;
    return spec;
}

std::string args_with(const std::string& path) {
    return boost::json::serialize(boost::json::object{{"path", path}});
}

}  // namespace

TEST_CASE("measure_text measures, in every language and both modes", "[jobs][stream][exec][examples]") {
    const Example example = an_example();
    INFO(example.language);
    if (!is_installed(example)) return;
    const TemporaryFolder folder;
    folder.write("text", "one two\n\ntr\xC3\xA4um\n");
    folder.write("open", "no end");
    folder.write("broken", "a\xFFz\n");
    std::string many;
    for (int line = 0; line < 25'000; ++line) many += "some line\n";
    folder.write("many", many);
    const std::vector<std::pair<std::string, std::string>> rows{
        {"text", R"(complete {"lines":3,"words":3,"characters":15})"},
        {"no such file", "discard: no such file: " + folder.path() + "/no such file"},
        {"many", R"(complete {"lines":25000,"words":50000,"characters":250000})"},
    };
    StreamRun stream(spec_of(example));
    for (const auto& [name, expected] : rows) {
        INFO(name);
        const std::string args = args_with(folder.path() + "/" + name);
        Seen seen;
        CHECK(stream.run(&seen, args) == expected);
        CHECK(seen.log == Lines{"w measuring for attempt 1"});
        if (name == "many" && example.reports_progress) CHECK(seen.progress == Lines{"10000/0 lines", "20000/0 lines"});
        CHECK(run_spec(spec_of(example), nullptr, args) == expected);
    }
    CHECK(stream.run(nullptr, "{}") == "discard: args need a \"path\"");
    CHECK(stream.run(nullptr, args_with(folder.path())).starts_with("retry after 60000 ms: "));
    if (example.checks_text) {
        CHECK(
            stream.run(nullptr, args_with(folder.path() + "/open")) ==
            R"(complete {"lines":1,"words":2,"characters":6})"
        );
        CHECK(stream.run(nullptr, args_with(folder.path() + "/broken")).starts_with("discard: not UTF-8: "));
    }
    CHECK(stream.counters->started == 1);
    stream.close();
    CHECK(stream.counters->running == 0);
}
