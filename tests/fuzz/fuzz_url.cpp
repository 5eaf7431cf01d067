// Whatever is given as a database URL is understood or refused, and no message shows its password. What is understood,
// libpq takes.
#include "db/url.hpp"
#include "tests/fuzz/input.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <string>

namespace {

bool same_hosts(const db::Url& one, const db::Url& other) {
    return std::ranges::equal(one.hosts, other.hosts, [](const db::UrlHost& a, const db::UrlHost& b) {
        return a.name == b.name && a.port == b.port;
    });
}

// What parse_url makes, it reads as the same.
void check_again(const db::Url& first) {
    const db::UrlResult again = db::parse_url(first.text);
    tests::expect(again.has_value());
    tests::expect(same_hosts(*again, first));
    tests::expect(again->dbname == first.dbname && again->user == first.user && again->sslmode == first.sslmode);
    tests::expect(again->has_password == first.has_password);
}

void check_libpq(const db::Url& url) {
    PQconninfoOption* const options = PQconninfoParse(url.text.c_str(), nullptr);
    tests::expect(options != nullptr);
    PQconninfoFree(options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = tests::text_of(data, size);
    if (const db::UrlResult url = db::parse_url(text)) {
        check_again(*url);
        check_libpq(*url);
    }

    const std::string password = "Xq7ZpW9v";
    const db::UrlResult secret = db::parse_url("postgresql://user:" + password + "@" + std::string(text));
    const std::string& shown = secret ? secret->shown : secret.error().what;
    tests::expect(shown.find(password) == std::string::npos || text.find(password) != std::string_view::npos);
    return 0;
}
