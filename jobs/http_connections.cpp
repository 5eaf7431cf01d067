#include "jobs/http_connections.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace jobs {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::minutes longest_idle{1};

}  // namespace

HttpConnections::HttpConnections(int most_per_host, std::string user_agent)
    : most_per_host_(std::max(1, most_per_host)), user_agent_(std::move(user_agent)) {}

HttpConnections::~HttpConnections() {
    is_closing_ = true;
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return opening_ == 0; });
}

std::unique_ptr<HttpConnection> HttpConnections::take(
    const std::shared_ptr<const HttpTarget>& target, const std::shared_ptr<HttpCall>& call
) {
    const std::lock_guard lock(mutex_);
    Host& host = host_of(*target);
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
    while (host.opening < static_cast<int>(host.line.size()) && host.open < most_per_host_) {
        ++host.open;
        ++host.opening;
        ++opening_;
        std::thread([this, &host] { open(host); }).detach();  // the destructor waits for it
    }
}

void HttpConnections::open(Host& host) {
    auto opened = HttpConnection::open(*host.target, user_agent_, is_closing_);
    const std::lock_guard lock(mutex_);
    --host.opening;
    --opening_;
    if (opened) {
        hand_over(host, std::move(*opened));
    } else {
        --host.open;
        if (!host.line.empty()) {
            host.line.front()->error = std::move(opened.error().error);
            host.line.front()->take_turn();
            host.line.pop_front();
        }
        open_more(host);
    }
    opened_.notify_all();
}

void HttpConnections::hand_over(Host& host, std::unique_ptr<HttpConnection> connection) {
    if (host.line.empty()) {
        connection->idle_since = Clock::now();
        host.idle.push_back(std::move(connection));
        if (host.idle.front()->idle_since + longest_idle > host.idle.back()->idle_since) return;
        host.idle.erase(host.idle.begin());
        --host.open;
        return;
    }
    host.line.front()->connection = std::move(connection);
    host.line.front()->take_turn();
    host.line.pop_front();
}

}  // namespace jobs
