#include "db/url_options.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <tuple>

namespace db {

namespace {

template <class T>
using Result = boost::system::result<T, UrlError>;
using Done = std::optional<UrlError>;

constexpr std::array<std::string_view, 5> drivers{"asyncpg", "psycopg", "psycopg2", "psycopg_async", "pg8000"};
// Settings of the Python drivers' own caches and event loops: without meaning here, so a shared URL may keep them.
constexpr std::array<std::string_view, 9> driver_keys{
    "async_fallback",
    "command_timeout",
    "max_cacheable_statement_size",
    "max_cached_statement_lifetime",
    "prepare_threshold",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
    "statement_cache_size",
    "timeout",
};

constexpr std::string_view encode_hint =
    "; if the password has a / : @ # or % in it, write that as %2F, %3A, %40, %23 or %25";

bool contains(const auto& list, std::string_view text) {
    return std::ranges::find(list, text) != list.end();
}

// The two halves around the first `at`; the second is empty when there is none.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char at) {
    const std::size_t position = text.find(at);
    if (position == std::string_view::npos) return {text, {}};
    return {text.substr(0, position), text.substr(position + 1)};
}

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

struct Decoded {  // not a bare string: a result cannot tell that from an error's text
    std::string text;
};

class UriParser {
public:
    explicit UriParser(std::string_view driver) : of_driver_(!driver.empty()), driver_(driver) {}

    Done parse(std::string_view rest) {
        if (Done failed = parse_login(rest)) return failed;
        const auto [before_query, query] = cut(rest, '?');
        const auto [authority, path] = cut(before_query, '/');
        if (path.find_first_of("/@#") != std::string_view::npos) {
            return UrlError{"a / @ or # stands where the database's name should end" + std::string(encode_hint)};
        }
        if (Done failed = parse_hosts(authority)) return failed;
        if (Done failed = set("dbname", path, "the database's name")) return failed;
        return parse_query(query);
    }

    UrlOptions options;

private:
    // Takes user and password off the front of `rest`.
    Done parse_login(std::string_view& rest) {
        // libpq ends the login at the first @ or /; SQLAlchemy lets the password run up to the first @.
        std::size_t end = rest.find_first_of("@/");
        if (of_driver_ && rest.find_first_of(":/") < rest.size() && rest[rest.find_first_of(":/")] == ':') {
            end = rest.find('@');
        }
        if (end == std::string_view::npos || rest[end] != '@') return {};
        const std::string_view login = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        const auto [user, password] = cut(login, ':');
        if (Done failed = set("user", user, "the user's name")) return failed;
        return set("password", password, "the password");
    }

    Done parse_hosts(std::string_view authority) {
        std::string names;
        std::string ports;
        bool any_name = false;
        bool any_port = false;
        std::string_view rest = authority;
        for (bool more = !rest.empty(); more;) {
            more = rest.find(',') != std::string_view::npos;
            std::string_view one;
            std::tie(one, rest) = cut(rest, ',');
            std::string_view name = one;
            std::string_view port;
            if (one.find('@') != std::string_view::npos) {
                return UrlError{"there is an @ too many before the host" + std::string(encode_hint)};
            }
            if (one.starts_with('[')) {
                const std::size_t end = one.find(']');
                if (end == std::string_view::npos || (end + 1 < one.size() && one[end + 1] != ':')) {
                    return UrlError{"an IPv6 address is written as [address]:port" + std::string(encode_hint)};
                }
                name = one.substr(1, end - 1);
                port = one.substr(std::min(end + 2, one.size()));
            } else {
                std::tie(name, port) = cut(one, ':');
            }
            const Result<Decoded> decoded = decode(name, "the host's name");
            if (!decoded) return decoded.error();
            names += decoded->text + ',';
            ports += std::string(port) + ',';
            any_name = any_name || !decoded->text.empty();
            any_port = any_port || !port.empty();
        }
        if (!names.empty()) {
            names.pop_back();
            ports.pop_back();
        }
        if (any_name || names.find(',') != std::string::npos) options.set("host", names);  // each empty: the default
        if (any_port) options.set("port", ports);
        return {};
    }

    Done parse_query(std::string_view query) {
        std::vector<std::string> hosts;  // SQLAlchemy's way to name several: host=a:5432&host=b:5432
        while (!query.empty()) {
            std::string_view pair;
            std::tie(pair, query) = cut(query, '&');
            if (pair.empty()) continue;
            const auto [raw_key, raw_value] = cut(pair, '=');
            const Result<Decoded> key = decode(raw_key, "a key of the query");
            if (!key) return key.error();
            std::string plus_decoded(raw_value);
            if (of_driver_) std::ranges::replace(plus_decoded, '+', ' ');
            const Result<Decoded> value = decode(plus_decoded, "the value of " + key->text);
            if (!value) return value.error();
            if (of_driver_ && key->text == "host") {
                hosts.push_back(value->text);
            } else if (Done failed = set_query(key->text, value->text)) {
                return failed;
            }
        }
        if (hosts.size() == 1 && hosts.front().starts_with('/')) {
            options.set("host", hosts.front());
        } else if (!hosts.empty()) {
            std::string joined;
            for (const std::string& host : hosts) joined += (joined.empty() ? "" : ",") + host;
            return parse_hosts(joined);
        }
        return {};
    }

    Done set_query(const std::string& key, const std::string& value) {
        if (key == "ssl") {
            const bool on = value == "true" || value == "True" || value == "1";
            const bool off = value == "false" || value == "False" || value == "0";
            options.set("sslmode", on ? "require" : off ? "disable" : value);
        } else if (key == "unix_sock" && driver_ == "pg8000") {
            options.set(
                "host", value.substr(0, value.find("/.s.PGSQL."))
            );  // pg8000 names the socket, libpq its folder
        } else if (is_libpq_key(key)) {
            options.set(key, value);
        } else if (of_driver_ && contains(driver_keys, key)) {
            options.ignored.push_back(key);
        } else if (!std::ranges::all_of(key, [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); })) {
            return UrlError{
                "the URL's query has an unknown key" + std::string(encode_hint)
            };  // perhaps of the password
        } else {
            return UrlError{
                "the URL's query has an unknown key " + key +
                "; libpq's connection parameters are known, such as sslmode, sslrootcert, options"
            };
        }
        return {};
    }

    static bool is_libpq_key(std::string_view key) {
        const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> known(PQconndefaults(), PQconninfoFree);
        for (const PQconninfoOption* option = known.get(); option != nullptr && option->keyword != nullptr; ++option) {
            if (option->keyword == key) return true;
        }
        return false;
    }

    Done set(std::string_view key, std::string_view raw, std::string_view what) {
        if (raw.empty()) return {};
        Result<Decoded> value = decode(raw, what);
        if (!value) return value.error();
        options.set(key, std::move(value->text));
        return {};
    }

    // Percent-decoding. A stray % is an error as in libpq, but itself in an SQLAlchemy URL as in Python.
    Result<Decoded> decode(std::string_view text, std::string_view what) const {
        std::string decoded;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool pair = text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
            if (pair) {
                decoded += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
                i += 2;
            } else if (text[i] == '%' && !of_driver_) {
                return UrlError{
                    "a % in " + std::string(what) + " is not followed by two hexadecimal digits; write %25"
                };
            } else {
                decoded += text[i];
            }
        }
        if (decoded.find('\0') != std::string::npos) return UrlError{"there is a %00 in " + std::string(what)};
        return Decoded{std::move(decoded)};
    }

    bool of_driver_;
    std::string_view driver_;
};

}  // namespace

void UrlOptions::set(std::string_view key, std::string value) {
    for (auto& [known, old] : options_) {
        if (known == key) {
            old = std::move(value);
            return;
        }
    }
    options_.emplace_back(key, std::move(value));
}

const std::string* UrlOptions::find(std::string_view key) const {
    for (const auto& [known, value] : options_) {
        if (known == key) return &value;
    }
    return nullptr;
}

Result<UrlOptions> parse_uri(std::string_view uri) {
    const std::size_t end = uri.find("://");
    const auto [scheme, driver] = cut(uri.substr(0, end), '+');
    if (scheme != "postgresql" && scheme != "postgres") {
        return UrlError{"the scheme " + std::string(scheme) + ":// is not PostgreSQL's; write postgresql://"};
    }
    if (!driver.empty() && !contains(drivers, driver)) {
        return UrlError{
            "the driver in postgresql+" + std::string(driver) +
            ":// is unknown; write postgresql://, or +asyncpg, +psycopg, +psycopg2, +pg8000"
        };
    }
    UriParser parser(driver);
    if (Done failed = parser.parse(uri.substr(end + 3))) return *failed;
    return std::move(parser.options);
}

}  // namespace db
