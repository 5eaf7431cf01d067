#pragma once

// The kind documents.ingest: a file becomes a document, in chunks that can be searched. Args: {"path": ".."}.

#include "jobs/blocking.hpp"
#include "jobs/documents/embed_spec.hpp"
#include "jobs/handler.hpp"
#include "jobs/http_client.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace jobs::documents {

inline const std::string ingest_kind = "documents.ingest";

struct IngestSpec {
    std::string root{};                                      // absolute; files beneath it, and no others
    std::size_t file_limit = std::size_t{16} * 1024 * 1024;  // bytes of a file, unpacked
    int concurrency = 0;                                     // jobs at once; 0: no limit of its own
    EmbedSpec embed{};
};

// A job reads a file, and stores its text in chunks with their embeddings, in one transaction. What is stored already
// is not stored again: the same file, or another with the same content. A file that is no document is a discard that
// says why. `client` may be null without embed.url. The threads outlive the kind.
Kind make_ingest_kind(IngestSpec spec, BlockingThreads& threads, std::shared_ptr<HttpClient> client);

}  // namespace jobs::documents
