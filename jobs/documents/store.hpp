#pragma once

// Documents, their chunks and their files in the schema `documents`: jobs/documents/schema.hpp.
//
// Where a function says so it runs inside a transaction, which may end in a deadlock
// (db::TransactionOptions::attempts).

#include "db/session.hpp"
#include "jobs/documents/format.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jobs::documents {

enum class DocumentId : std::int64_t {};

// What makes a document this one.
struct Content {
    std::string sha256;  // in hexadecimal
    Format format = Format::text;
};

struct KnownDocument {
    DocumentId id{};
    bool has_embeddings = false;  // of the model that was asked for
    bool is_of_path = false;      // the file is known to hold it
};

// The document with this content, if it is there. `model` empty: embeddings do not matter.
boost::asio::awaitable<std::optional<KnownDocument>> find_document(
    db::Session& session, std::string path, Content content, std::string model
);

struct NewDocument {
    Content content;
    std::int64_t bytes = 0;
    int chunks = 0;
    std::string model{};  // whose embeddings will be added; empty: none
};

// Adds a document, without chunks, or takes those that it has where they have embeddings of another model. Empty:
// another transaction has stored it meanwhile.
// Transaction: the caller's, which then adds the chunks.
boost::asio::awaitable<std::optional<DocumentId>> add_document(db::Session& session, NewDocument document);

// Adds chunks, numbered from `first`. `embeddings`: of each chunk, as SQL writes an array; or none.
boost::asio::awaitable<void> add_chunks(
    db::Session& session,
    DocumentId document,
    int first,
    std::span<const std::string> texts,
    std::span<const std::string> embeddings
);

// The file holds the document with this content from now on; what it held before goes, unless another file holds it.
// False: there is no such document (any more).
// Transaction: the caller's.
boost::asio::awaitable<bool> link_file(db::Session& session, std::string path, Content content);

// Paths of files, in order, below a folder, whose path ends with /; those that come after `after`.
boost::asio::awaitable<std::vector<std::string>> list_files(
    db::Session& session, std::string folder, std::string after, int limit
);

// The files go, and with them each document that no other file holds.
// Transaction: the caller's.
boost::asio::awaitable<void> forget_files(db::Session& session, std::span<const std::string> paths);

// Enters how many dimensions the embeddings of a model have, and answers how many they had at first.
boost::asio::awaitable<int> keep_dimensions(db::Session& session, std::string model, int dimensions);

}  // namespace jobs::documents
