#include "jobs/stream.hpp"

#include "jobs/exec_input.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/stream_crew.hpp"
#include "jobs/stream_turn.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <stop_token>
#include <utility>

namespace jobs {

namespace asio = boost::asio;

namespace {

using std::chrono::steady_clock;

// Waits until then, but not when the job is to stop. Answers why, if it is.
asio::awaitable<StopReason> pause(JobContext& context, steady_clock::time_point until) {
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    const auto deadline = context.deadline();
    const bool is_too_late = deadline && *deadline < until;
    const auto timer = std::make_shared<asio::steady_timer>(strand, is_too_late ? *deadline : until);
    const std::stop_callback on_stop(context.stop_token(), [timer, strand] {
        asio::post(strand, [timer] { timer->cancel(); });
    });
    boost::system::error_code ignored;
    if (context.stop_reason() == StopReason::none && timer->expiry() > steady_clock::now()) {
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (context.stop_reason() != StopReason::none) co_return context.stop_reason();
    co_return is_too_late ? StopReason::timeout : StopReason::none;
}

asio::awaitable<Outcome> run_job(std::shared_ptr<StreamCrew> crew, JobContext& context) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    const auto begin = steady_clock::now();
    const std::string line = job_document(context.job());
    while (context.stop_reason() == StopReason::none) {
        std::unique_ptr<StreamProgram> program = crew->take();
        if (!program) {
            const StopReason stopped = co_await pause(context, crew->next_start());
            if (stopped != StopReason::none) {
                const auto waited = std::chrono::ceil<std::chrono::milliseconds>(steady_clock::now() - begin);
                co_return outcome_of_stop(stopped, waited);
            }
            auto started = crew->start(context.job().kind);
            if (!started) {
                crew->start_failed();
                co_return Retry{started.error().message, {}};
            }
            program = std::move(*started);
        }
        const auto turn = std::make_shared<StreamTurn>(strand, crew->spec(), context, std::move(program), begin);
        {
            const std::stop_callback on_stop(context.stop_token(), [turn, strand, &context] {
                asio::post(strand, [turn, reason = context.stop_reason()] { turn->stop(reason); });
            });
            co_await turn->run(line);
        }
        StreamTurn::End end = turn->finish();
        if (end.start == StreamTurn::Start::failed) crew->start_failed();
        if (end.start == StreamTurn::Start::succeeded) crew->start_succeeded();
        if (end.program) crew->give_back(std::move(end.program));
        if (end.outcome) co_return std::move(*end.outcome);
    }
    co_return outcome_of_stop(context.stop_reason(), {});
}

asio::awaitable<Outcome> run_on_strand(std::shared_ptr<StreamCrew> crew, JobContext& context) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const asio::any_io_executor strand = asio::make_strand(executor);
    Outcome outcome = co_await asio::co_spawn(strand, run_job(std::move(crew), context), asio::use_awaitable);
    co_return outcome;
}

}  // namespace

StreamHandler make_stream_handler(ExecSpec spec, std::shared_ptr<ProgramCounters> counters) {
    spec.mode = ExecMode::stream;
    const auto crew = std::make_shared<StreamCrew>(make_program(std::move(spec), std::move(counters)));
    return {
        .handler = [crew](JobContext& context) { return run_on_strand(crew, context); },
        .close = [crew] { return crew->close(); },
    };
}

}  // namespace jobs
