#include "jobs/documents/ingest.hpp"

#include "db/transaction.hpp"
#include "jobs/documents/embed.hpp"
#include "jobs/documents/extract_text.hpp"
#include "jobs/documents/hash.hpp"
#include "jobs/documents/read.hpp"
#include "jobs/documents/schema.hpp"
#include "jobs/documents/split.hpp"
#include "jobs/documents/store.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/sleep.hpp"

#include <boost/describe.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace json = boost::json;

namespace jobs::documents {

namespace {

constexpr std::size_t longest_path = 2000;  // bytes: an index must hold it
constexpr std::size_t most_chunks = 20'000;
constexpr std::size_t chunks_of_insert = 200;
constexpr int deadlock_attempts = 5;
constexpr std::chrono::seconds longest_wait{60};
constexpr int most_waits = 60;  // for one request

struct IngestArgs {
    std::string path;
};
BOOST_DESCRIBE_STRUCT(IngestArgs, (), (path))

struct Tools {
    IngestSpec spec;
    BlockingThreads& threads;
    std::optional<Embedder> embedder;

    std::string model() const { return embedder ? spec.embed.model : std::string(); }
};

// One job, step by step. A step that ends the job answers its outcome.
class Ingestion {
public:
    Ingestion(const Tools& tools, JobContext& context) : tools_(tools), context_(context) {}

    asio::awaitable<Outcome> run(std::string path) {
        const auto below = path_below(tools_.spec.root, path);
        if (!below) co_return Discard{fmt::format("{}: is not beneath documents.root", path)};
        below_ = *below;
        path_ = tools_.spec.root == "/" ? "/" + below_ : tools_.spec.root + "/" + below_;
        if (path_.size() > longest_path) co_return Discard{fmt::format("{}: the path is too long", path_)};

        if (auto end = co_await in_thread([this] { return read(); })) co_return std::move(*end);
        if (auto end = co_await find()) co_return std::move(*end);
        if (auto end = co_await in_thread([this] { return take_apart(); })) co_return std::move(*end);
        if (auto end = co_await embed()) co_return std::move(*end);
        co_return co_await store();
    }

private:
    using End = std::optional<Outcome>;

    // Reading and parsing take time, in which nobody else on the event loop's thread would run.
    asio::awaitable<End> in_thread(std::function<End()> step) {
        bool goes_on = false;
        Outcome outcome = co_await tools_.threads.run(context_, [&]() -> Outcome {
            End end = step();
            goes_on = !end;
            return end ? std::move(*end) : Complete{};
        });
        if (goes_on && context_.stop_reason() == StopReason::none) co_return std::nullopt;
        co_return goes_on ? outcome_of_stop(context_.stop_reason(), {}) : std::move(outcome);
    }

    End discard(const std::string& why) const { return Discard{fmt::format("{}: {}", path_, why)}; }

    End read() {
        const auto file = open_below(tools_.spec.root, below_);
        if (!file) return discard(file.error().why);
        const FileKind kind = kind_of(below_);
        auto whole = read_whole(*file, kind.is_packed, tools_.spec.file_limit);
        if (!whole) return discard(whole.error().why);
        if (is_binary(whole->bytes)) return discard("is binary, no text");
        content_ = {.sha256 = sha256(whole->bytes), .format = kind.format};
        bytes_ = std::move(whole->bytes);
        size_ = std::ssize(bytes_);
        return {};
    }

    // What is stored already needs no work.
    asio::awaitable<End> find() {
        db::Session session = co_await context_.checkout();
        const auto known = co_await find_document(session, path_, content_, tools_.model());
        if (!known || !known->has_embeddings) co_return std::nullopt;
        if (known->is_of_path) co_return Complete{json::object{{"unchanged", true}}};
        const bool is_linked = co_await db::transact(
            session,
            [&](db::Session& inside) { return link_file(inside, path_, content_); },
            {.attempts = deadlock_attempts}
        );
        if (!is_linked) co_return std::nullopt;
        co_return Complete{json::object{{"duplicate", true}}};
    }

    End take_apart() {
        text_ = extract_text(content_.format, std::move(bytes_));
        bytes_ = {};
        chunks_ = split(text_);
        if (chunks_.size() <= most_chunks) return {};
        return discard(fmt::format("has {} chunks, more than {}", chunks_.size(), most_chunks));
    }

    void report(std::size_t done) { context_.progress(static_cast<std::int64_t>(done), std::ssize(chunks_), "chunks"); }

    // An endpoint that is busy in the middle of a document is waited for here: what it has answered was paid for.
    asio::awaitable<boost::system::result<Embeddings, Outcome>> embed_part(std::span<const std::string_view> texts) {
        for (int waits = 0;; ++waits) {
            auto embeddings = co_await tools_.embedder->embed(context_, texts);
            if (embeddings || embeddings_.empty() || waits == most_waits) co_return embeddings;
            const Outcome failed = embeddings.error();
            const auto* const busy = std::get_if<Snooze>(&failed);
            if (busy == nullptr || busy->after > longest_wait) co_return embeddings;
            co_await sleep_unless_stopped(busy->after, context_.stop_token());
        }
    }

    asio::awaitable<End> embed() {
        if (!tools_.embedder) co_return std::nullopt;
        const auto step = static_cast<std::size_t>(tools_.spec.embed.chunks);
        for (std::size_t from = 0; from < chunks_.size(); from += step) {
            const auto texts = std::span(chunks_).subspan(from, std::min(step, chunks_.size() - from));
            auto embeddings = co_await embed_part(texts);
            if (!embeddings) co_return embeddings.error();
            if (dimensions_ == 0) dimensions_ = embeddings->dimensions;
            if (dimensions_ != embeddings->dimensions) co_return misfit(dimensions_, embeddings->dimensions);
            std::ranges::move(embeddings->arrays, std::back_inserter(embeddings_));
            report(embeddings_.size());
        }
        if (dimensions_ == 0) co_return std::nullopt;
        db::Session session = co_await context_.checkout();
        const int first = co_await keep_dimensions(session, tools_.model(), dimensions_);
        if (first != dimensions_) co_return misfit(first, dimensions_);
        co_return std::nullopt;
    }

    Outcome misfit(int before, int now) const {
        return Discard{fmt::format(
            "embeddings: the model {} had {} dimensions before, and has {} now: give it another name, or delete its "
            "row of documents.models and its documents",
            tools_.model(),
            before,
            now
        )};
    }

    asio::awaitable<Outcome> store() {
        db::Session session = co_await context_.checkout();
        const bool is_new = co_await db::transact(
            session, [&](db::Session& inside) { return store_in(inside); }, {.attempts = deadlock_attempts}
        );
        if (!is_new) co_return Complete{json::object{{"duplicate", true}}};
        co_return Complete{json::object{{"chunks", chunks_.size()}}};
    }

    // False: somebody else has stored the document meanwhile.
    asio::awaitable<bool> store_in(db::Session& session) {
        const auto document = co_await add_document(
            session,
            {.content = content_, .bytes = size_, .chunks = static_cast<int>(chunks_.size()), .model = tools_.model()}
        );
        if (document) co_await store_chunks(session, *document);
        const bool is_linked = co_await link_file(session, path_, content_);
        if (!is_linked) throw std::runtime_error(path_ + ": the document came and went meanwhile");
        co_return document.has_value();
    }

    asio::awaitable<void> store_chunks(db::Session& session, DocumentId document) {
        const bool is_embedded = !embeddings_.empty();
        for (std::size_t from = 0; from < chunks_.size(); from += chunks_of_insert) {
            const std::size_t count = std::min(chunks_of_insert, chunks_.size() - from);
            const auto part = std::span(chunks_).subspan(from, count);
            const std::vector<std::string> texts(part.begin(), part.end());
            const auto arrays = is_embedded ? std::span(embeddings_).subspan(from, count) : std::span<std::string>();
            co_await add_chunks(session, document, static_cast<int>(from) + 1, texts, arrays);
            if (!is_embedded) report(from + count);
        }
    }

    const Tools& tools_;
    JobContext& context_;
    std::string below_;  // documents.root
    std::string path_;
    Content content_;
    std::string bytes_;
    std::int64_t size_ = 0;
    std::string text_;
    std::vector<std::string_view> chunks_;  // of text_
    int dimensions_ = 0;
    std::vector<std::string> embeddings_;  // of each chunk
};

bool is_missing_schema(const db::Error& error) {
    return error.sqlstate() == "3F000" || error.sqlstate() == "42P01";  // no such schema, no such table
}

asio::awaitable<Outcome> ingest(std::shared_ptr<const Tools> tools, JobContext& context, IngestArgs args) {
    try {
        Ingestion ingestion(*tools, context);
        co_return co_await ingestion.run(std::move(args.path));
    } catch (const db::Error& error) {
        if (!is_missing_schema(error)) throw;
    }
    co_return Retry{missing_schema, {}};
}

}  // namespace

Kind make_ingest_kind(IngestSpec spec, BlockingThreads& threads, std::shared_ptr<HttpClient> client) {
    Kind kind{.name = ingest_kind, .handler = {}, .policy = {.concurrency = spec.concurrency}};
    std::optional<Embedder> embedder;
    if (!spec.embed.url.empty()) {
        const auto counters = std::make_shared<HttpCounters>();
        kind.http = counters;
        embedder.emplace(spec.embed, std::move(client), counters);
    }
    const auto tools = std::make_shared<const Tools>(Tools{std::move(spec), threads, std::move(embedder)});
    kind.handler = typed_handler<IngestArgs>([tools](JobContext& context, IngestArgs args) {
        return ingest(tools, context, std::move(args));
    });
    return kind;
}

}  // namespace jobs::documents
