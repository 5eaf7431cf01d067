#include "jobs/http.hpp"

#include "jobs/exec_input.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/http_signature.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace jobs {

namespace asio = boost::asio;

namespace {

using std::chrono::steady_clock;

struct Target {
    HttpSpec spec;
    std::shared_ptr<HttpClient> client;
    std::shared_ptr<HttpCounters> counters;
};

// A producer's text may hold anything; in a header it must not.
bool fits_header(std::string_view text) {
    return std::ranges::all_of(text, [](char letter) { return letter > ' ' && letter < '\x7F'; });
}

HttpRequest make_request(const HttpSpec& spec, const JobContext& context, std::time_t now) {
    const Job& job = context.job();
    std::string body = job_document(job);
    body.pop_back();  // the end of the line
    const std::string id = fmt::format("job_{}", static_cast<std::int64_t>(job.id));
    std::vector<std::string> headers{
        "Content-Type: application/json",
        "webhook-id: " + id,
        fmt::format("webhook-timestamp: {}", now),
        "Idempotency-Key: " + id,
    };
    if (!spec.keys.empty()) headers.push_back("webhook-signature: " + sign_webhook(spec.keys, id, now, body));
    if (!job.traceparent.empty() && fits_header(job.traceparent)) headers.push_back("traceparent: " + job.traceparent);
    return {
        .url = spec.url,
        .headers = std::move(headers),
        .body = std::move(body),
        .ca_file = spec.ca_file,
        .result_limit = spec.result_limit,
        .deadline = context.deadline(),
    };
}

asio::awaitable<Outcome> call(std::shared_ptr<const Target> target, JobContext& context) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (context.stop_reason() != StopReason::none) co_return outcome_of_stop(context.stop_reason(), {});
    const auto begin = steady_clock::now();
    const std::time_t now = std::time(nullptr);
    HttpRequest request = make_request(target->spec, context, now);
    const auto exchange = co_await target->client->post(std::move(request), context.stop_token());
    if (exchange) {
        target->counters->count(exchange->answer.status);
        if (exchange->is_new_connection) ++target->counters->connections;
        co_return outcome_of(exchange->answer, target->spec.result_limit, now);
    }
    const StopReason stopped = exchange.error().is_late ? StopReason::timeout : context.stop_reason();
    if (stopped != StopReason::none) {
        const auto end = context.deadline().value_or(steady_clock::now());
        const auto took = std::chrono::ceil<std::chrono::milliseconds>(std::max(end - begin, steady_clock::duration{}));
        co_return outcome_of_stop(stopped, took);
    }
    target->counters->count(0);
    co_return Retry{exchange.error().error, {}};
}

asio::awaitable<Outcome> call_on_strand(std::shared_ptr<const Target> target, JobContext& context) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const asio::any_io_executor strand = asio::make_strand(executor);
    Outcome outcome = co_await asio::co_spawn(strand, call(std::move(target), context), asio::use_awaitable);
    co_return outcome;
}

}  // namespace

Handler make_http_handler(HttpSpec spec, std::shared_ptr<HttpClient> client, std::shared_ptr<HttpCounters> counters) {
    if (!counters) counters = std::make_shared<HttpCounters>();
    const auto target = std::make_shared<const Target>(Target{std::move(spec), std::move(client), std::move(counters)});
    return [target](JobContext& context) { return call_on_strand(target, context); };
}

}  // namespace jobs
