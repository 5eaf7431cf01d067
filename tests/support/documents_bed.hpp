#pragma once

// A folder of documents, a database that they are ingested into, and the handler that does it.

#include "db/connection.hpp"
#include "jobs/documents/ingest.hpp"
#include "jobs/documents/schema.hpp"
#include "tests/support/database.hpp"
#include "tests/support/exec_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>

#include <zlib.h>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests {

// Writes a file that is packed with gzip.
inline void write_packed(const std::string& path, const std::string& text) {
    const gzFile file = gzopen(path.c_str(), "wb");
    const bool is_written = file != nullptr && gzwrite(file, text.data(), static_cast<unsigned>(text.size())) ==
                                                   static_cast<int>(text.size());
    if (file != nullptr) gzclose(file);
    if (!is_written) throw std::runtime_error("cannot write " + path);
}

class DocumentsBed {
public:
    enum class Content { set_up, without_schema };

    explicit DocumentsBed(Content content = Content::set_up) {
        spec.root = folder.path();
        if (content == Content::without_schema) return;
        db::Session session = database.session(context);
        tests::run(context, [&] { return jobs::documents::set_up(session); });
    }

    // The outcome in words. `path`: below the folder.
    std::string ingest(const std::string& path) { return ingest_all({path}).front(); }
    // All at once; the outcomes in that order.
    std::vector<std::string> ingest_all(const std::vector<std::string>& paths) {
        const jobs::Kind kind = make_ingest_kind(spec, threads, client);
        std::vector<std::unique_ptr<jobs::JobContext>> contexts;
        std::vector<std::string> outcomes(paths.size(), "has not ended");
        for (std::string& outcome : outcomes) {
            const std::string& path = paths[contexts.size()];
            const std::string args = boost::json::serialize(boost::json::object{{"path", path}});
            contexts.push_back(std::make_unique<jobs::JobContext>(a_job(args), hooks()));
            const auto ended = [&outcome](const std::exception_ptr& error, const jobs::Outcome& answer) {
                if (error) std::rethrow_exception(error);
                outcome = outcome_text(answer);
            };
            boost::asio::co_spawn(context, kind.handler(*contexts.back()), ended);
        }
        context.restart();
        context.run_for(std::chrono::seconds(20));
        return outcomes;
    }
    // A file that is written now.
    std::string ingest(const std::string& name, const std::string& text) {
        folder.write(name, text);
        return ingest(name);
    }

    std::string path(const std::string& name) const { return folder.path() + "/" + name; }
    std::string value(const std::string& sql) const { return database.value(sql); }
    // The names of what a search finds, the best first, each with a blank behind it.
    std::string found(const std::string& words) const {
        const std::string length = std::to_string(folder.path().size() + 2);
        return value(
            "select coalesce(string_agg(substr(path, " + length + "), ' '), '') from documents.search('" + words + "')"
        );
    }

    const TemporaryFolder folder;
    const TestDatabase database;
    boost::asio::io_context context;
    jobs::BlockingThreads threads{2};
    const std::shared_ptr<jobs::HttpClient> client = std::make_shared<jobs::HttpClient>(jobs::HttpClientSettings{});
    jobs::documents::IngestSpec spec;
    Seen seen;

private:
    jobs::ContextHooks hooks() {
        jobs::ContextHooks hooks = seen.hooks();
        hooks.checkout = [this](std::source_location) -> boost::asio::awaitable<db::Session> {
            auto connection = co_await db::Connection::open(context.get_executor(), database.settings());
            co_return db::Session(std::move(connection));
        };
        return hooks;
    }
};

}  // namespace tests
