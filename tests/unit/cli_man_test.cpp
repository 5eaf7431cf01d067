// The manual pages say what the parser and the configuration know.

#include "tests/support/catch.hpp"
#include "worker/cli/man.hpp"
#include "worker/config_keys.hpp"

#include <algorithm>
#include <string>

using namespace worker;
using namespace worker::cli;

namespace {

const ManPage& page_of(const std::vector<ManPage>& pages, const std::string& name) {
    const auto found = std::ranges::find(pages, name, &ManPage::name);
    INFO(name);
    REQUIRE(found != pages.end());
    return *found;
}

std::string as_troff(std::string text) {
    for (std::size_t at = 0; (at = text.find('-', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
}

}  // namespace

TEST_CASE("every command and option stands in a manual page", "[worker][cli][man]") {
    const std::vector<CommandShape> shapes = command_shapes();
    const std::vector<ManPage> pages = man_pages(shapes);
    for (const CommandShape& shape : shapes) {
        const std::string name = shape.words.empty() ? "task-worker" : "task-worker-" + shape.words.front();
        const ManPage& page = page_of(pages, name);
        CHECK(page.path() == "man1/" + name + ".1");
        for (const OptionShape& option : shape.options) {
            for (const std::string& text : option.names) {
                if (text == "-h" || text == "--help") continue;
                INFO(name << " " << text);
                CHECK(page.text.find(as_troff(text)) != std::string::npos);
            }
        }
        if (shape.words.size() == 2) {
            INFO(shape.words.back());
            CHECK(
                page.text.find(".SH " + as_troff(shape.words.front() + " " + shape.words.back())) != std::string::npos
            );
        }
    }
    CHECK(page_of(pages, "enqueue").text == ".so man1/task-worker-enqueue.1\n");
}

TEST_CASE("every setting stands in the manual page of the configuration", "[worker][cli][man]") {
    const std::vector<ManPage> pages = man_pages(command_shapes());
    const ManPage& page = page_of(pages, "task-worker-config");
    CHECK(page.path() == "man5/task-worker-config.5");
    for (const auto& key : config_keys()) {
        INFO(key.name);
        CHECK(page.text.find(".B " + as_troff(key.name) + "\n") != std::string::npos);
        CHECK(page.text.find(environment_name(key.name)) != std::string::npos);
    }
    for (const auto& key : handler_keys())
        CHECK(page.text.find(".B " + as_troff(key.name) + "\n") != std::string::npos);
}
