#include "jobs/http_connections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

namespace jobs {

using Clock = std::chrono::steady_clock;

namespace {

// In a thread that has nobody to throw to.
boost::system::result<std::unique_ptr<HttpConnection>, HttpConnection::Failure> open_connection(
    const HttpTarget& target, const std::string& user_agent, const std::atomic<bool>& abandoned
) {
    try {
        return HttpConnection::open(target, user_agent, abandoned);
    } catch (const std::exception& error) {
        return HttpConnection::Failure{error.what()};
    }
}

}  // namespace

HttpConnections::HttpConnections(HttpClientSettings settings) : settings_(std::move(settings)) {}

HttpConnections::~HttpConnections() {
    is_closing_ = true;
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return opening_ == 0; });
}

std::unique_ptr<HttpConnection> HttpConnections::take(
    const std::shared_ptr<const HttpTarget>& target, const std::shared_ptr<HttpCall>& call
) {
    std::vector<std::unique_ptr<HttpConnection>> old;  // closed without the mutex
    const std::lock_guard lock(mutex_);
    Host& host = host_of(*target);
    const auto is_young = [since = Clock::now() - settings_.longest_idle](const auto& idle) {
        return idle->idle_since > since;
    };
    const auto first_young = std::ranges::find_if(host.idle, is_young);
    std::move(host.idle.begin(), first_young, std::back_inserter(old));
    host.idle.erase(host.idle.begin(), first_young);
    host.open -= static_cast<int>(old.size());
    if (!host.idle.empty()) {
        std::unique_ptr<HttpConnection> last = std::move(host.idle.back());
        host.idle.pop_back();
        return last;
    }
    if (!host.target) host.target = target;
    call->renew_turn();
    host.line.push_back(call);
    open_more(host);
    return {};
}

std::unique_ptr<HttpConnection> HttpConnections::leave(
    const HttpTarget& target, const std::shared_ptr<HttpCall>& call
) {
    const std::lock_guard lock(mutex_);
    std::erase(host_of(target).line, call);
    return std::move(call->connection);
}

void HttpConnections::give_back(const HttpTarget& target, std::unique_ptr<HttpConnection> connection) {
    const std::lock_guard lock(mutex_);
    hand_over(host_of(target), std::move(connection));
}

void HttpConnections::closed(const HttpTarget& target) {
    const std::lock_guard lock(mutex_);
    Host& host = host_of(target);
    --host.open;
    open_more(host);
}

void HttpConnections::close_idle(const HttpTarget& target) {
    std::vector<std::unique_ptr<HttpConnection>> closed;  // without the mutex
    const std::lock_guard lock(mutex_);
    Host& host = host_of(target);
    closed.swap(host.idle);
    host.open -= static_cast<int>(closed.size());
    open_more(host);
}

// Connections are kept apart by whom they trust, too.
HttpConnections::Host& HttpConnections::host_of(const HttpTarget& target) {
    return hosts_[target.ca_file.empty() ? target.origin : target.origin + " " + target.ca_file];
}

// A thread for each that is opened, since opening blocks: they are few, and a host that is silent holds up no other.
void HttpConnections::open_more(Host& host) {
    const int most = std::max(1, settings_.host_connections);
    while (host.opening < static_cast<int>(host.line.size()) && host.open < most) {
        try {
            std::thread([this, &host] { open(host); }).detach();  // the destructor waits for it
        } catch (const std::system_error& error) {
            refuse(host, fmt::format("no thread to open a connection: {}", error.what()));
            continue;
        }
        ++host.open;
        ++host.opening;
        ++opening_;
    }
}

void HttpConnections::open(Host& host) {
    auto opened = open_connection(*host.target, settings_.user_agent, is_closing_);
    const std::lock_guard lock(mutex_);
    --host.opening;
    --opening_;
    if (opened) {
        hand_over(host, std::move(*opened));
    } else {
        --host.open;
        refuse(host, std::move(opened.error().error));
        open_more(host);
    }
    opened_.notify_all();
}

void HttpConnections::refuse(Host& host, std::string error) {
    if (host.line.empty()) return;
    host.line.front()->error = std::move(error);
    host.line.front()->take_turn();
    host.line.pop_front();
}

void HttpConnections::hand_over(Host& host, std::unique_ptr<HttpConnection> connection) {
    if (host.line.empty()) {
        connection->idle_since = Clock::now();
        host.idle.push_back(std::move(connection));
        return;
    }
    host.line.front()->connection = std::move(connection);
    host.line.front()->take_turn();
    host.line.pop_front();
}

}  // namespace jobs
