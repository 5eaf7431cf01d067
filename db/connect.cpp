#include "db/connect.hpp"

#include "db/error.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <libpq-fe.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace db {

namespace {

using Keywords = std::map<std::string, std::string>;

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

using Clock = std::chrono::steady_clock;
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

// Gives every named host an address, so that libpq does not look names up on our thread. A name with several
// addresses becomes several hosts, tried in order, as libpq would.
asio::awaitable<void> resolve(asio::any_io_executor executor, Keywords& keywords, Clock::time_point deadline) {
    if (keywords.contains("hostaddr") || !keywords.contains("host")) co_return;
    const std::vector<std::string> hosts = split(keywords["host"]);
    const std::vector<std::string> ports = split(keywords.contains("port") ? keywords["port"] : std::string());
    std::string names;
    std::string addresses;
    std::string port_list;
    bool any_name = false;
    bool first = true;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        const std::string& port = ports.size() == 1 ? ports.front() : i < ports.size() ? ports[i] : ports.back();
        const auto add = [&](const std::string& address) {
            if (!first) {
                names += ',';
                addresses += ',';
                port_list += ',';
            }
            first = false;
            names += hosts[i];
            addresses += address;
            port_list += port;
        };
        boost::system::error_code error;
        asio::ip::make_address(hosts[i], error);
        if (hosts[i].empty() || hosts[i].front() == '/' || hosts[i].front() == '@' || !error) {
            add(!error && !hosts[i].empty() ? hosts[i] : std::string());
            continue;
        }
        any_name = true;
        const Endpoints found = co_await look_up(executor, hosts[i], deadline);
        for (const auto& entry : found) add(entry.endpoint().address().to_string());
    }
    if (!any_name) co_return;
    keywords["host"] = names;
    keywords["hostaddr"] = addresses;
    if (keywords.contains("port")) keywords["port"] = port_list;
}

}  // namespace

asio::awaitable<PGconn*> start_connect(asio::any_io_executor executor, const ConnectionSettings& settings) {
    Keywords keywords = parse(settings.url);
    co_await resolve(executor, keywords, Clock::now() + settings.connect_timeout);
    // What the URL says wins over these.
    keywords.try_emplace("application_name", settings.application_name);
    keywords.try_emplace("client_encoding", "UTF8");
    // A vanished server is noticed in seconds instead of two hours.
    keywords.try_emplace("keepalives_idle", "10");
    keywords.try_emplace("keepalives_interval", "5");
    keywords.try_emplace("keepalives_count", "3");
    keywords.try_emplace("tcp_user_timeout", "15000");
    if (settings.pooler == Pooler::none && settings.statement_timeout.count() > 0) {
        std::string& options = keywords["options"];
        if (!options.empty()) options += ' ';
        options += "-c statement_timeout=" + std::to_string(settings.statement_timeout.count());
    }
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
    co_return connection;
}

}  // namespace db
