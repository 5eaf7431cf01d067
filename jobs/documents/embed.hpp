#pragma once

// Asks an endpoint for the embeddings of chunks.

#include "jobs/context.hpp"
#include "jobs/counters.hpp"
#include "jobs/documents/embed_spec.hpp"
#include "jobs/documents/embeddings.hpp"
#include "jobs/http_client.hpp"
#include "jobs/outcome.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <memory>
#include <span>
#include <string_view>

namespace jobs::documents {

// Thread: any; it outlives its requests.
class Embedder {
public:
    // Throws: std::invalid_argument for a URL that is none.
    Embedder(EmbedSpec spec, std::shared_ptr<HttpClient> client, std::shared_ptr<HttpCounters> counters);

    const EmbedSpec& spec() const { return spec_; }

    // Those of one request: spec().chunks texts at most. Else how the job ends: an endpoint that does not answer, or is
    // at fault, is a retry; one that is busy a snooze where it says for how long; one that refuses the request (4xx),
    // or answers what does not fit, a discard with its words.
    boost::asio::awaitable<boost::system::result<Embeddings, Outcome>> embed(
        JobContext& context, std::span<const std::string_view> texts
    ) const;

private:
    const EmbedSpec spec_;
    const std::shared_ptr<const HttpTarget> target_;
    const std::shared_ptr<HttpClient> client_;
    const std::shared_ptr<HttpCounters> counters_;
};

}  // namespace jobs::documents
