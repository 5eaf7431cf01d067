#include "jobs/documents/embed.hpp"

#include "jobs/exec_protocol.hpp"
#include "jobs/http_answer.hpp"
#include "jobs/outcome_at.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace asio = boost::asio;

namespace jobs::documents {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t answer_limit = std::size_t{8} * 1024 * 1024;

bool is_success(int status) {
    return status >= 200 && status < 300;
}

// The request will not fare better: not so for those that come too early, or too often.
bool is_refused(int status) {
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

Outcome outcome_of_failure(const HttpAnswer& answer) {
    Outcome outcome = outcome_of(answer, answer_limit, std::time(nullptr));
    auto* const retry = std::get_if<Retry>(&outcome);
    if (retry == nullptr) return outcome;
    retry->error = "embeddings: " + retry->error;
    if (is_refused(answer.status)) return Discard{std::move(retry->error)};
    return outcome;
}

}  // namespace

Embedder::Embedder(EmbedSpec spec, std::shared_ptr<HttpClient> client, std::shared_ptr<HttpCounters> counters)
    : spec_(std::move(spec)),
      target_(std::make_shared<const HttpTarget>(parse_target(spec_.url, spec_.ca_file))),
      client_(std::move(client)),
      counters_(std::move(counters)) {}

asio::awaitable<boost::system::result<Embeddings, Outcome>> Embedder::embed(
    JobContext& context, std::span<const std::string_view> texts
) const {
    HttpRequest request{
        .target = target_,
        .headers = "Content-Type: application/json\r\n",
        .body = embeddings_request(spec_.model, texts),
        .result_limit = answer_limit,
        .deadline =
            std::min(steady_clock::now() + spec_.timeout, context.deadline().value_or(steady_clock::time_point::max())),
    };
    if (!spec_.key.empty()) request.headers += fmt::format("Authorization: Bearer {}\r\n", spec_.key);
    const auto exchange = co_await client_->post(std::move(request), context.stop_token());
    if (!exchange) {
        const StopReason stopped = context.stop_reason();
        if (stopped != StopReason::none) co_return outcome_of_stop(stopped, {});
        counters_->count(0);
        const std::string late = fmt::format("POST {}: no answer within {} ms", spec_.url, spec_.timeout.count());
        co_return Retry{"embeddings: " + (exchange.error().is_late ? late : exchange.error().error), {}};
    }
    counters_->count(exchange->answer.status);
    if (exchange->is_new_connection) ++counters_->connections;
    if (!is_success(exchange->answer.status)) co_return outcome_of_failure(exchange->answer);
    if (exchange->answer.is_cut) co_return Discard{"embeddings: the answer is too large"};
    auto embeddings = read_embeddings(exchange->answer.body, texts.size());
    if (!embeddings) co_return Discard{"embeddings: the answer does not fit: " + embeddings.error().what};
    co_return std::move(*embeddings);
}

}  // namespace jobs::documents
