// `documents`: setup, ingest, search.

#include "db/transaction.hpp"
#include "jobs/documents/format.hpp"
#include "jobs/documents/ingest.hpp"
#include "jobs/documents/open.hpp"
#include "jobs/documents/schema.hpp"
#include "jobs/documents/search.hpp"
#include "jobs/documents/store.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace worker::cli {

namespace {

using jobs::documents::EmbeddingColumn;

std::string text_of(EmbeddingColumn column) {
    switch (column) {
        case EmbeddingColumn::vector:
            return "pgvector's vector";
        case EmbeddingColumn::forbidden:
            return "real[]: pgvector is not in this database, and this user may not put it there. As a "
                   "superuser run create extension vector, then run this again";
        case EmbeddingColumn::missing:
            break;
    }
    return "real[]: this server has no pgvector. When it has, run this again";
}

asio::awaitable<int> set_up(db::Session& session, const Global& global) {
    const EmbeddingColumn column = co_await jobs::documents::set_up(session);
    if (global.json) {
        const bool is_vector = column == EmbeddingColumn::vector;
        fmt::print("{}\n", JsonObject().add("embeddings", is_vector ? "vector" : "real[]").text());
    } else if (!global.quiet) {
        fmt::print("the schema documents is there; embeddings are stored as {}\n", text_of(column));
    }
    co_return exit_ok;
}

asio::awaitable<void> check_set_up(db::Session& session) {
    if (!co_await jobs::documents::is_set_up(session)) throw Failure(exit_schema, jobs::documents::missing_schema);
}

std::string find_folder(const Config& config, const std::string& given) {
    const std::string& root = config.documents.root;
    if (root.empty()) {
        throw Failure(
            exit_usage,
            "documents.root is not set: set it to the folder whose files the workers may read, in their configuration, "
            "too"
        );
    }
    std::string folder = fs::absolute(given).lexically_normal().string();
    if (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    if (!fs::is_directory(folder)) throw Failure(exit_usage, in_quotes(given) + " is no folder");
    if (folder != root && !jobs::documents::path_below(root, folder)) {
        throw Failure(exit_usage, fmt::format("{} is not beneath documents.root, {}", in_quotes(folder), root));
    }
    return folder;
}

// The files that may be documents, by name; links are not followed.
std::vector<std::string> find_files(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, error), end;
         !error && entry != end;
         entry.increment(error)) {
        std::error_code gone;
        if (entry->symlink_status(gone).type() != fs::file_type::regular) continue;
        if (!jobs::documents::names_no_document(entry->path().native())) files.push_back(entry->path());
    }
    if (error) throw Failure(exit_failed, fmt::format("{} cannot be read: {}", in_quotes(folder), error.message()));
    std::ranges::sort(files);
    return files;
}

bool is_gone(const std::string& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type() == fs::file_type::not_found;
}

asio::awaitable<std::int64_t> remove_gone(db::Session& session, const std::string& folder) {
    constexpr int page = 1000;
    const std::string below = folder == "/" ? folder : folder + "/";
    std::int64_t removed = 0;
    for (std::string after;;) {
        std::vector<std::string> paths = co_await jobs::documents::list_files(session, below, after, page);
        if (paths.empty()) co_return removed;
        after = paths.back();
        std::erase_if(paths, [](const std::string& path) { return !is_gone(path); });
        if (paths.empty()) continue;
        co_await db::transact(
            session, [&](db::Session& inside) { return jobs::documents::forget_files(inside, paths); }, {.attempts = 5}
        );
        removed += std::ssize(paths);
    }
}

asio::awaitable<int> prepare(
    db::Session& session, const Global& global, const DocumentsCommand& command, const std::string& folder
) {
    co_await check_set_up(session);
    if (!command.remove_gone) co_return exit_ok;
    const std::int64_t removed = co_await remove_gone(session, folder);
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("removed", removed).text());
    } else if (!global.quiet) {
        fmt::print("removed {} that {} there no more\n", count_of(removed, "file"), removed == 1 ? "is" : "are");
    }
    co_return exit_ok;
}

int ingest(const Global& global, const DocumentsCommand& command) {
    const LoadedConfig loaded = load(global);
    const std::string folder = find_folder(loaded.config, command.folder);
    EnqueueCommand enqueue;
    enqueue.kind = jobs::documents::ingest_kind;
    enqueue.paths = find_files(folder);
    if (enqueue.paths.empty()) {  // an empty folder may be one that is not mounted
        throw Failure(exit_failed, "no documents are below " + in_quotes(folder) + ": nothing to do");
    }
    enqueue.batch = command.batch.empty() ? "documents" : command.batch;
    enqueue.watch = command.watch;
    enqueue.skip_invalid = true;  // names that are no UTF-8
    const int code = with_session(loaded.config, {}, [&](db::Session& session) {
        return prepare(session, global, command, folder);
    });
    return code == exit_ok ? perform(global, enqueue) : code;
}

asio::awaitable<int> search(db::Session& session, const Global& global, const DocumentsCommand& command) {
    co_await check_set_up(session);
    const auto found = co_await jobs::documents::search(session, join(command.words, " "), command.limit);
    std::vector<std::string> objects;
    for (const jobs::documents::Found& one : found) {
        JsonObject object;
        object.add("rank", one.rank).add("path", one.path).add("headline", one.headline);
        objects.push_back(object.text());
        if (!global.json) fmt::print("{}\n    {}\n", printable(one.path), printable(one.headline));
    }
    if (global.json) fmt::print("{}\n", json_array(objects));
    if (found.empty() && !global.json && !global.quiet) fmt::print("nothing found\n");
    co_return found.empty() ? exit_failed : exit_ok;
}

}  // namespace

int perform(const Global& global, const DocumentsCommand& command) {
    using Action = DocumentsCommand::Action;
    if (command.action == Action::ingest) return ingest(global, command);
    const LoadedConfig loaded = load(global);
    if (command.action == Action::setup) {
        return with_session(loaded.config, {.direct = true, .needs_schema = false}, [&](db::Session& session) {
            return set_up(session, global);
        });
    }
    return with_session(loaded.config, {.direct = false, .needs_schema = false}, [&](db::Session& session) {
        return search(session, global, command);
    });
}

}  // namespace worker::cli
