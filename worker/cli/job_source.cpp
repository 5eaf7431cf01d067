#include "worker/cli/job_source.hpp"

#include "queue/json_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/line_reader.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

namespace fs = std::filesystem;

namespace worker::cli {

namespace {

// The bad items of a source.
class BadItems {
public:
    BadItems(std::string source, std::string item, bool skip)
        : source_(std::move(source)), item_(std::move(item)), skip_(skip) {}

    void add(std::int64_t number, const std::string& problem) {
        constexpr std::int64_t most = 20;
        if (++count_ <= most) lines_.push_back(fmt::format("{} {}: {}", item_, number, printable(problem)));
    }
    bool refused() const { return count_ > 0 && !skip_; }
    std::int64_t skipped() const { return skip_ ? count_ : 0; }

    void throw_if_refused() const {
        if (!refused()) return;
        throw Failure(exit_usage, describe("nothing was enqueued: correct it, or leave it out with --skip-invalid"));
    }
    std::string describe(const std::string& ending) const {
        if (count_ == 0) return {};
        if (count_ == 1) return fmt::format("{}: {}; {}", source_, lines_.front(), ending);
        std::string text = fmt::format("{}: {} bad {}s; {}", source_, count_, item_, ending);
        for (const std::string& line : lines_) text += "\n  " + line;
        const auto shown = static_cast<std::int64_t>(lines_.size());
        if (count_ > shown) text += fmt::format("\n  and {} more", count_ - shown);
        return text;
    }

private:
    std::string source_;
    std::string item_;  // line or file
    bool skip_;
    std::int64_t count_ = 0;
    std::vector<std::string> lines_;
};

// Gives items until one is bad; from then on only looks for further bad ones. Item: takes the raw text and turns it
// into args, or says what is wrong with it.
template <class NextItem, class Judge>
bool next_good(NextItem next_item, Judge judge, BadItems& bad, std::string& args) {
    std::int64_t number = 0;
    std::string raw;
    while (next_item(raw, number)) {
        if (const std::optional<std::string> problem = judge(raw, args)) {
            bad.add(number, *problem);
        } else if (!bad.refused()) {
            return true;
        }
    }
    bad.throw_if_refused();
    return false;
}

std::optional<std::string> judge_json(std::string& raw, std::string& args, std::size_t longest) {
    if (raw.size() > longest) {
        return fmt::format("more than the {} bytes allowed; enqueue a reference to large data", longest);
    }
    if (auto problem = queue::find_json_problem(raw)) return problem;
    args.swap(raw);
    return {};
}

std::optional<std::string> judge_path(const std::string& raw, std::string& args) {
    std::error_code error;
    const fs::file_status status = fs::status(raw, error);
    if (!fs::exists(status)) return in_quotes(raw) + ": no such file";
    if (fs::is_directory(status)) return in_quotes(raw) + ": is a folder; give the files in it";
    args = JsonObject().add("path", fs::absolute(raw).lexically_normal().string()).text();
    if (queue::find_json_problem(args)) return in_quotes(raw) + ": its name is not UTF-8, so JSON cannot hold it";
    return {};
}

bool is_blank(const std::string& line) {
    return line.find_first_not_of(" \t\r") == std::string::npos;
}

struct LineItems {
    LineReader reader;
    BadItems bad;
    std::int64_t jobs = 0;

    LineItems(const std::string& file, std::size_t longest, bool skip)
        : reader(file, longest), bad(reader.name(), "line", skip) {}

    bool read(std::string& line, std::int64_t& number) {
        while (reader.next(line)) {
            number = reader.number();
            if (!is_blank(line)) return true;
        }
        return false;
    }
    SourceCounts counts() const { return {jobs, bad.skipped(), reader.bytes(), reader.size()}; }
};

struct PathItems {
    std::vector<std::string> paths;
    BadItems bad;
    std::size_t at = 0;
    std::int64_t jobs = 0;

    bool read(std::string& path, std::int64_t& number) {
        if (at == paths.size()) return false;
        path = paths[at++];
        number = static_cast<std::int64_t>(at);
        return true;
    }
    SourceCounts counts() const {
        return {jobs, bad.skipped(), static_cast<std::int64_t>(at), static_cast<std::int64_t>(paths.size())};
    }
};

template <class Items, class Judge>
JobSource make_source(std::shared_ptr<Items> items, Judge judge) {
    const auto next = [items, judge](std::string& args) {
        const auto read = [&](std::string& raw, std::int64_t& number) { return items->read(raw, number); };
        if (!next_good(read, judge, items->bad, args)) return false;
        ++items->jobs;
        return true;
    };
    return {
        .next = next,
        .counts = [items] { return items->counts(); },
        .skipped = [items] { return items->bad.describe("left out"); },
    };
}

}  // namespace

JobSource open_source(const SourceRequest& request) {
    if (!request.file.empty()) {
        const auto judge = [longest = request.longest](std::string& raw, std::string& args) {
            return judge_json(raw, args, longest);
        };
        return make_source(std::make_shared<LineItems>(request.file, request.longest, request.skip_invalid), judge);
    }
    if (!request.paths_from.empty()) {
        constexpr std::size_t longest_path = 4096;
        return make_source(
            std::make_shared<LineItems>(request.paths_from, longest_path, request.skip_invalid), judge_path
        );
    }
    return make_source(
        std::make_shared<PathItems>(
            PathItems{.paths = request.paths, .bad = BadItems("the command line", "file", request.skip_invalid)}
        ),
        judge_path
    );
}

}  // namespace worker::cli
