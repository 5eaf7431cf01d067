#pragma once

// Who makes embeddings, as plain data.

#include <chrono>
#include <string>

namespace jobs::documents {

struct EmbedSpec {
    std::string url{};  // of an OpenAI-compatible /v1/embeddings, or of Ollama's /api/embed; empty: no embeddings
    std::string model{};
    std::string key{};                          // sent as a bearer token; empty: none
    std::string ca_file{};                      // PEM: whom to trust instead of the system's authorities; empty: those
    std::chrono::milliseconds timeout{60'000};  // of one request
    int chunks = 32;                            // in one request
};

}  // namespace jobs::documents
