// `man`.

#include "worker/cli/commands.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/man.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace worker::cli {

namespace {

std::vector<std::string> write_pages(const std::vector<ManPage>& pages, const std::filesystem::path& folder) {
    std::vector<std::string> files;
    for (const ManPage& page : pages) {
        const std::filesystem::path path = folder / page.path();
        std::filesystem::create_directories(path.parent_path());
        std::ofstream file(path);
        file << page.text;
        file.close();
        if (!file) throw Failure(exit_failed, path.string() + " cannot be written");
        files.push_back(path.string());
    }
    return files;
}

}  // namespace

int perform(const Global& global, const ManCommand& command) {
    const std::vector<ManPage> pages = man_pages(command_shapes());
    if (!command.to.empty()) {
        const std::vector<std::string> files = write_pages(pages, command.to);
        if (global.json) {
            fmt::print("{}\n", JsonObject().add_json("files", json_texts(files)).text());
        } else if (!global.quiet) {
            fmt::print("{} pages written below {}\n", pages.size(), command.to);
        }
        return exit_ok;
    }
    for (const ManPage& page : pages) {
        if (page.name != (command.page.empty() ? "task-worker" : command.page)) continue;
        if (global.json) {
            JsonObject object;
            object.add("page", page.name).add("section", page.section).add("text", page.text);
            fmt::print("{}\n", object.text());
        } else {
            fmt::print("{}", page.text);
        }
        return exit_ok;
    }
    throw Failure(exit_failed, "there is no page " + command.page + ": task-worker man --to DIR writes all of them");
}

}  // namespace worker::cli
