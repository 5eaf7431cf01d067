#pragma once

// The inside of db/url: a URI taken apart into libpq's connection options.

#include "db/url.hpp"

#include <boost/system/result.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace db {

// Connection options by libpq's keywords, in the order given; a later one replaces an earlier of the same key.
class UrlOptions {
public:
    void set(std::string_view key, std::string value);
    const std::string* find(std::string_view key) const;  // null: not given
    const std::vector<std::pair<std::string, std::string>>& all() const { return options_; }

    std::vector<std::string> ignored;  // see Url::ignored

private:
    std::vector<std::pair<std::string, std::string>> options_;
};

// Takes a URI apart: a plain one by libpq's rules, postgresql+<driver>:// by SQLAlchemy's, which lets a password
// contain any character but @.
boost::system::result<UrlOptions, UrlError> parse_uri(std::string_view uri);

}  // namespace db
