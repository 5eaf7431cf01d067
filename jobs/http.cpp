#include "jobs/http.hpp"

#include "jobs/exec_input.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/http_signature.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace jobs {

namespace asio = boost::asio;

namespace {

using std::chrono::steady_clock;

struct Callee {
    HttpSpec spec;
    std::shared_ptr<const HttpTarget> target;
    std::shared_ptr<HttpClient> client;
    std::shared_ptr<HttpCounters> counters;
};

// A producer's text may hold anything; in a header it must not.
bool fits_header(std::string_view text) {
    return std::ranges::all_of(text, [](char letter) { return letter > ' ' && letter < '\x7F'; });
}

HttpRequest make_request(const Callee& callee, const JobContext& context, std::time_t now) {
    const Job& job = context.job();
    std::string body = job_document(job);
    body.pop_back();  // the end of the line
    const std::string id = fmt::format("job_{}", static_cast<std::int64_t>(job.id));
    std::string headers = fmt::format(
        "Content-Type: application/json\r\nwebhook-id: {}\r\nwebhook-timestamp: {}\r\nIdempotency-Key: {}\r\n",
        id,
        now,
        id
    );
    const auto& keys = callee.spec.keys;
    if (!keys.empty()) headers += fmt::format("webhook-signature: {}\r\n", sign_webhook(keys, id, now, body));
    if (!job.traceparent.empty() && fits_header(job.traceparent)) {
        headers += fmt::format("traceparent: {}\r\n", job.traceparent);
    }
    return {
        .target = callee.target,
        .headers = std::move(headers),
        .body = std::move(body),
        .result_limit = callee.spec.result_limit,
        .deadline = context.deadline(),
    };
}

asio::awaitable<Outcome> call(std::shared_ptr<const Callee> callee, JobContext& context) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (context.stop_reason() != StopReason::none) co_return outcome_of_stop(context.stop_reason(), {});
    const auto begin = steady_clock::now();
    const std::time_t now = std::time(nullptr);
    HttpRequest request = make_request(*callee, context, now);
    const auto exchange = co_await callee->client->post(std::move(request), context.stop_token());
    if (exchange) {
        callee->counters->count(exchange->answer.status);
        if (exchange->is_new_connection) ++callee->counters->connections;
        co_return outcome_of(exchange->answer, callee->spec.result_limit, now);
    }
    const StopReason stopped = exchange.error().is_late ? StopReason::timeout : context.stop_reason();
    if (stopped != StopReason::none) {
        const auto end = context.deadline().value_or(steady_clock::now());
        const auto took = std::chrono::ceil<std::chrono::milliseconds>(std::max(end - begin, steady_clock::duration{}));
        co_return outcome_of_stop(stopped, took);
    }
    callee->counters->count(0);
    co_return Retry{exchange.error().error, {}};
}

}  // namespace

Handler make_http_handler(HttpSpec spec, std::shared_ptr<HttpClient> client, std::shared_ptr<HttpCounters> counters) {
    if (!counters) counters = std::make_shared<HttpCounters>();
    auto target = std::make_shared<const HttpTarget>(parse_target(spec.url, spec.ca_file));
    const auto callee = std::make_shared<const Callee>(
        Callee{std::move(spec), std::move(target), std::move(client), std::move(counters)}
    );
    return [callee](JobContext& context) { return call(callee, context); };
}

}  // namespace jobs
