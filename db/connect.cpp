#include "db/connect.hpp"

#include "db/error.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace db {

namespace {

using Keywords = std::map<std::string, std::string>;
using Clock = std::chrono::steady_clock;

Keywords parse(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
        PQconninfoParse(url.c_str(), &message), &PQconninfoFree
    );
    if (!options) {
        std::string text = message == nullptr ? "out of memory" : message;
        PQfreemem(message);
        while (!text.empty() && text.back() == '\n') text.pop_back();
        throw Error(ErrorKind::usage, "the database URL is not understood: " + text);
    }
    Keywords keywords;
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) keywords[option->keyword] = option->val;
    }
    return keywords;
}

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    for (;;) {
        const std::size_t comma = list.find(',', start);
        parts.push_back(list.substr(start, comma - start));
        if (comma == std::string::npos) return parts;
        start = comma + 1;
    }
}

using Endpoints = asio::ip::tcp::resolver::results_type;

// A look-up cannot be ended: at the deadline it is left to itself.
struct LookUp {
    explicit LookUp(const asio::any_io_executor& executor) : resolver(executor), timer(executor) {}

    asio::ip::tcp::resolver resolver;
    std::mutex mutex;  // guards the rest: the answer may come on another thread
    asio::steady_timer timer;
    bool done = false;
    boost::system::error_code error;
    Endpoints found;
};

asio::awaitable<Endpoints> look_up(asio::any_io_executor executor, std::string host, Clock::time_point deadline) {
    const auto look = std::make_shared<LookUp>(executor);
    look->resolver.async_resolve(host, "", [look](boost::system::error_code error, Endpoints found) {
        const std::lock_guard lock(look->mutex);
        look->done = true;
        look->error = error;
        look->found = std::move(found);
        look->timer.cancel();
    });
    boost::system::error_code cancelled;
    auto token = asio::redirect_error(asio::use_awaitable, cancelled);
    co_await asio::async_initiate<decltype(token), void(boost::system::error_code)>(
        [look, deadline](auto handler) {
            const std::lock_guard lock(look->mutex);
            look->timer.expires_at(look->done ? Clock::time_point::min() : deadline);
            look->timer.async_wait(std::move(handler));
        },
        token
    );
    const std::lock_guard lock(look->mutex);
    if (!look->done) throw Error(ErrorKind::connection, "no name server answers for host " + host);
    if (look->error) throw Error(ErrorKind::connection, "host " + host + " is not known: " + look->error.message());
    co_return look->found;
}

// The URL's hosts. Empty: libpq's default.
std::vector<ConnectTarget::Host> hosts_of(const Keywords& keywords) {
    const auto list = [&](const char* keyword) {
        const auto found = keywords.find(keyword);
        return found == keywords.end() ? std::vector<std::string>{} : split(found->second);
    };
    const std::vector<std::string> names = list("host");
    const std::vector<std::string> addresses = list("hostaddr");
    const std::vector<std::string> ports = list("port");
    std::vector<ConnectTarget::Host> hosts(std::max(names.size(), addresses.size()));
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        if (i < names.size()) hosts[i].name = names[i];
        if (i < addresses.size()) hosts[i].address = addresses[i];
        if (!ports.empty()) hosts[i].port = ports[std::min(i, ports.size() - 1)];
    }
    return hosts;
}

bool must_be_looked_up(const std::string& host) {
    boost::system::error_code error;
    asio::ip::make_address(host, error);
    return error && !host.empty() && host.front() != '/' && host.front() != '@';
}

std::string join(const std::vector<ConnectTarget::Host>& hosts, std::string ConnectTarget::Host::* part) {
    std::string list;
    for (const ConnectTarget::Host& host : hosts) {
        if (&host != &hosts.front()) list += ',';
        list += host.*part;
    }
    return list;
}

}  // namespace

asio::awaitable<ConnectTarget> ConnectTarget::resolve(
    asio::any_io_executor executor, const ConnectionSettings& settings
) {
    ConnectTarget target;
    target.keywords_ = parse(settings.url);
    target.add_defaults(settings);
    target.deadline_ = Clock::now() + settings.connect_timeout;
    const std::vector<Host> hosts = hosts_of(target.keywords_);
    const bool has_addresses = target.keywords_.contains("hostaddr");
    std::optional<Error> first;
    for (const Host& host : hosts) {
        if (has_addresses || !must_be_looked_up(host.name)) {
            target.hosts_.push_back(host);
            continue;
        }
        try {
            for (const auto& entry : co_await look_up(executor, host.name, target.deadline_))
                target.hosts_.push_back({host.name, entry.endpoint().address().to_string(), host.port});
        } catch (const Error& error) {
            if (!first) first = error;
            target.deadline_ = Clock::now() + settings.connect_timeout;
        }
    }
    if (target.hosts_.empty() && first) throw *first;
    co_return target;
}

// What the URL says wins over these.
void ConnectTarget::add_defaults(const ConnectionSettings& settings) {
    keywords_.try_emplace("application_name", settings.application_name);
    keywords_.try_emplace("client_encoding", "UTF8");
    // A vanished server is noticed in seconds instead of two hours.
    keywords_.try_emplace("keepalives_idle", "10");
    keywords_.try_emplace("keepalives_interval", "5");
    keywords_.try_emplace("keepalives_count", "3");
    keywords_.try_emplace("tcp_user_timeout", "15000");
    if (settings.pooler == Pooler::none && settings.statement_timeout.count() > 0) {
        std::string& options = keywords_["options"];
        if (!options.empty()) options += ' ';
        options += "-c statement_timeout=" + std::to_string(settings.statement_timeout.count());
    }
}

PGconn* ConnectTarget::start() const {
    Keywords keywords = keywords_;
    const auto set = [&](const char* keyword, std::string Host::* part) {
        const std::string list = join(hosts_, part);
        if (keywords.contains(keyword) || list.find_first_not_of(',') != std::string::npos) keywords[keyword] = list;
    };
    set("host", &Host::name);
    set("hostaddr", &Host::address);
    set("port", &Host::port);
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : keywords) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    PGconn* connection = PQconnectStartParams(names.data(), values.data(), 0);
    if (connection == nullptr) throw std::bad_alloc();
    return connection;
}

bool ConnectTarget::leave_out(const PGconn* silent) {
    if (hosts_.size() < 2) return false;
    const std::string name = PQhost(silent);
    const std::string port = PQport(silent);
    const std::string address = PQhostaddr(silent);
    const auto found = std::ranges::find_if(hosts_, [&](const Host& host) {
        // libpq names a host without a name by its address, or by the folder of the default socket.
        const bool is_named =
            host.name.empty() ? host.address.empty() ? name.front() == '/' : host.address == name : host.name == name;
        return is_named && (host.address.empty() || host.address == address || host.name.empty()) &&
               (host.port.empty() || host.port == port);
    });
    if (found == hosts_.end()) return false;
    hosts_.erase(found);
    return true;
}

}  // namespace db
