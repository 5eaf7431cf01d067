#pragma once

// Jobs for an http handler, with a server in Python (tests/support/http_server.py).

#include "jobs/http.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/exec_run.hpp"
#include "tests/support/process.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace tests {

class HttpServer {
public:
    // With files: over TLS.
    explicit HttpServer(const std::string& certificate = {}, const std::string& key = {})
        : scheme_(certificate.empty() ? "http" : "https"), process_("/usr/bin/env", words(certificate, key)) {
        const std::string line = process_.wait_for_line("listening on ");
        port_ = line.substr(line.rfind(' ') + 1);
    }

    std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
        return scheme_ + "://" + host + ":" + port_ + path;
    }
    void wait_for(const std::string& text) { process_.wait_for_line(text); }
    // Those that it has got, once there are so many.
    std::vector<boost::json::object> requests(std::size_t wanted) const {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        std::vector<boost::json::object> got = requests_so_far();
        while (got.size() < wanted && std::chrono::steady_clock::now() < limit) got = requests_so_far();
        return got;
    }

private:
    std::vector<boost::json::object> requests_so_far() const {
        constexpr std::string_view mark = "request ";
        std::vector<boost::json::object> requests;
        std::istringstream lines(process_.output());
        for (std::string line; std::getline(lines, line);) {
            if (!line.starts_with(mark) || lines.eof()) continue;  // the last may not have come whole
            requests.push_back(boost::json::parse(line.substr(mark.size())).as_object());
        }
        return requests;
    }

    static std::vector<std::string> words(const std::string& certificate, const std::string& key) {
        std::vector<std::string> words{"python3", TASK_WORKER_SOURCE_DIR "/tests/support/http_server.py"};
        if (!certificate.empty()) words.insert(words.end(), {certificate, key});
        return words;
    }

    std::string scheme_;
    Process process_;
    std::string port_;
};

class HttpRun {
public:
    explicit HttpRun(int host_connections = 64)
        : HttpRun(jobs::HttpClientSettings{.host_connections = host_connections, .user_agent = "task-worker/test"}) {}
    explicit HttpRun(jobs::HttpClientSettings settings)
        : client(std::make_shared<jobs::HttpClient>(std::move(settings))) {}

    std::string run_in(jobs::JobContext& job, jobs::HttpSpec spec) {
        return outcome_text(tests::run(context, [&, handler = handler(std::move(spec))] { return handler(job); }));
    }
    // The outcome in words.
    std::string call(jobs::HttpSpec spec, std::string_view args = "{}") {
        jobs::JobContext job(a_job(args));
        return run_in(job, std::move(spec));
    }
    std::string call(const std::string& url, std::string_view args = "{}") {
        jobs::HttpSpec spec;
        spec.url = url;
        return call(std::move(spec), args);
    }
    // So many, whose outcomes do not matter.
    void call_at_once(const std::string& url, int calls) {
        jobs::HttpSpec spec;
        spec.url = url;
        for (int call = 0; call < calls; ++call) {
            boost::asio::co_spawn(
                context,
                [handler = handler(spec)]() -> boost::asio::awaitable<void> {
                    jobs::JobContext job(a_job());
                    co_await handler(job);
                },
                [](std::exception_ptr error) {
                    if (error) std::rethrow_exception(error);
                }
            );
        }
        context.restart();
        context.run_for(std::chrono::seconds(20));
    }
    jobs::Handler handler(jobs::HttpSpec spec) { return make_http_handler(std::move(spec), client, counters); }

    boost::asio::io_context context;
    const std::shared_ptr<jobs::HttpClient> client;
    const std::shared_ptr<jobs::HttpCounters> counters = std::make_shared<jobs::HttpCounters>();
};

}  // namespace tests
