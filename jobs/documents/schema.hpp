#pragma once

// The schema `documents`: what is ingested, for those who ingest. It is no part of the queue's migrations.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace jobs::documents {

// Where embeddings go.
enum class EmbeddingColumn {
    vector,     // of pgvector
    forbidden,  // real[]: pgvector is there, and whoever asked may not create the extension
    missing,    // real[]: the server has no pgvector
};

// Creates what is missing of the schema; what is there stays. Creates the extension vector where it can, and changes
// the column of embeddings to its type once it is there.
//
// Transaction: its own.
// Throws:      db::Error.
boost::asio::awaitable<EmbeddingColumn> set_up(db::Session& session);

// Whether the schema is there.
boost::asio::awaitable<bool> is_set_up(db::Session& session);

// What to do where it is not.
inline const std::string missing_schema = "the schema documents is missing: run task-worker documents setup";

}  // namespace jobs::documents
