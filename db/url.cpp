#include "db/url.hpp"

#include "db/url_options.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>

namespace db {

namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

constexpr bool is_secret(std::string_view key) {
    return key == "password" || key == "sslpassword";
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t to = std::min(text.find(separator, from), text.size());
        parts.emplace_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

std::string encode(std::string_view text, std::string_view plain_too = {}) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view("-._~").find(c) != std::string_view::npos ||
                           plain_too.find(c) != std::string_view::npos;
        if (plain) {
            encoded += c;
        } else {
            encoded += {'%', digits[byte >> 4U], digits[byte & 15U]};
        }
    }
    return encoded;
}

// libpq's words for a broken conninfo string quote it, perhaps the password; these do not.
UrlError conninfo_error(std::string_view text, std::string_view message) {
    constexpr std::string_view invalid = "invalid connection option \"";
    const std::size_t password = text.find("password");
    if (message.starts_with(invalid)) {
        const std::string name(message.substr(invalid.size(), message.find('"', invalid.size()) - invalid.size()));
        if (text.find(name) < password) return {"the conninfo string has an unknown option " + name};
    }
    if (password != std::string_view::npos) {
        return {
            "the conninfo string cannot be read; write key=value pairs, and the password in single quotes "
            "with a backslash before each ' and \\ in it"
        };
    }
    if (message.find("missing \"=\"") != std::string_view::npos) {
        return {"neither a URL nor a conninfo string; write postgresql://user@host:5432/database, or key=value pairs"};
    }
    return {"the conninfo string cannot be read; write key=value pairs, values with blanks in single quotes"};
}

boost::system::result<UrlOptions, UrlError> parse_conninfo(std::string_view text) {
    char* message = nullptr;
    const Options parsed(PQconninfoParse(std::string(text).c_str(), &message), PQconninfoFree);
    const std::unique_ptr<char, decltype(&PQfreemem)> owner(message, PQfreemem);
    if (!parsed) return conninfo_error(text, message == nullptr ? "" : message);
    UrlOptions options;
    for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) options.set(option->keyword, option->val);
    }
    return options;
}

// What libpq takes for a key that a URL omits: its environment variable, else what is compiled in.
std::string default_of(std::string_view key) {
    const Options defaults(PQconndefaults(), PQconninfoFree);
    for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option) {
        if (option->keyword == key) return option->val == nullptr ? "" : option->val;
    }
    return {};
}

std::string value_of(const UrlOptions& options, std::string_view key) {
    const std::string* value = options.find(key);
    return value != nullptr && !value->empty() ? *value : default_of(key);
}

boost::system::result<std::vector<UrlHost>, UrlError> read_hosts(const UrlOptions& options) {
    const bool by_address = options.find("hostaddr") != nullptr;
    const auto names = split(by_address ? *options.find("hostaddr") : value_of(options, "host"), ',');
    const std::string* given_ports = options.find("port");
    const auto ports = split(given_ports == nullptr ? default_of("port") : *given_ports, ',');
    if (ports.size() > 1 && ports.size() != names.size()) {
        return UrlError{
            "there are " + std::to_string(names.size()) + " hosts but " + std::to_string(ports.size()) +
            " ports; give each host its own, host:port, or one port for all"
        };
    }
    std::vector<UrlHost> hosts;
    for (std::size_t i = 0; i < names.size(); ++i) {
        UrlHost host{names[i]};
        const std::string& port = ports[ports.size() == 1 ? 0 : i];
        const auto read = std::from_chars(port.data(), port.data() + port.size(), host.port);
        const bool whole = read.ec == std::errc{} && read.ptr == port.data() + port.size();
        if (!port.empty() && (!whole || host.port < 1 || host.port > 65'535)) {
            return UrlError{
                "a port is not a number from 1 to 65535; if the password has a / : or @ in it, "
                "write that as %2F, %3A or %40"
            };
        }
        hosts.push_back(std::move(host));
    }
    return hosts;
}

// Host and port stand before the path where a URI can say them; the rest are query keys.
std::string render(const UrlOptions& options, const std::vector<UrlHost>& hosts, bool hidden) {
    const auto shown = [&](std::string_view key, const std::string& value) {
        return hidden && is_secret(key) ? std::string("***") : encode(value);
    };
    std::string uri = "postgresql://";
    if (const std::string* user = options.find("user")) uri += encode(*user);
    if (const std::string* password = options.find("password")) uri += ":" + shown("password", *password);
    if (options.find("user") != nullptr || options.find("password") != nullptr) uri += '@';
    const bool authority = options.find("hostaddr") == nullptr && options.find("host") != nullptr;
    for (std::size_t i = 0; authority && i < hosts.size(); ++i) {
        const std::string& name = hosts[i].name;
        if (i != 0) uri += ',';
        uri += name.find(':') != std::string::npos && !hosts[i].is_unix_socket() ? "[" + encode(name, ":") + "]"
                                                                                 : encode(name);
        if (options.find("port") != nullptr) uri += ":" + std::to_string(hosts[i].port);
    }
    if (const std::string* dbname = options.find("dbname")) uri += "/" + encode(*dbname);
    char separator = '?';
    for (const auto& [key, value] : options.all()) {
        if (key == "user" || key == "password" || key == "dbname") continue;
        if (authority && (key == "host" || key == "port")) continue;
        uri += separator + key + "=" + shown(key, value);
        separator = '&';
    }
    return uri;
}

UrlResult finish(const UrlOptions& options) {
    static constexpr std::array<std::string_view, 6> modes{
        "disable", "allow", "prefer", "require", "verify-ca", "verify-full"
    };
    auto hosts = read_hosts(options);
    if (!hosts) return hosts.error();
    Url url;
    url.hosts = std::move(*hosts);
    url.ignored = options.ignored;
    url.sslmode = value_of(options, "sslmode");
    if (std::ranges::find(modes, url.sslmode) == modes.end()) {
        return UrlError{
            "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full; not " + url.sslmode
        };
    }
    if (const std::string* text = options.find("connect_timeout")) {
        int seconds = 0;
        const auto read = std::from_chars(text->data(), text->data() + text->size(), seconds);
        if (read.ec != std::errc{} || read.ptr != text->data() + text->size() || seconds < 0) {
            return UrlError{"connect_timeout is not a whole number of seconds"};
        }
        url.connect_timeout = std::chrono::seconds(seconds);
    }
    url.user = value_of(options, "user");
    url.dbname = value_of(options, "dbname");
    if (url.dbname.empty()) url.dbname = url.user;
    url.has_password = options.find("password") != nullptr && !options.find("password")->empty();
    url.text = render(options, url.hosts, false);
    url.shown = render(options, url.hosts, true);
    return url;
}

boost::system::result<UrlOptions, UrlError> read_options(std::string_view text) {
    return text.find("://") != std::string_view::npos && text.find('=') > text.find("://") ? parse_uri(text)
                                                                                           : parse_conninfo(text);
}

}  // namespace

bool Url::uses_tcp() const {
    return !std::ranges::all_of(hosts, [](const UrlHost& host) { return host.is_unix_socket(); });
}

UrlResult parse_url(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return UrlError{"the database URL is empty"};
    if (text.find('\0') != std::string_view::npos) return UrlError{"there is a NUL in the database URL"};
    auto options = read_options(text);
    if (!options) return options.error();
    return finish(*options);
}

UrlResult with_password(const Url& url, std::string_view password) {
    auto options = read_options(url.text);
    if (!options) return options.error();
    options->set("password", std::string(password));
    auto changed = finish(*options);
    if (changed) changed->ignored = url.ignored;
    return changed;
}

}  // namespace db
