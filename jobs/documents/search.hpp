#pragma once

// Full-text search over what was ingested.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace jobs::documents {

struct Found {
    double rank = 0;
    std::string headline;  // the words around those asked for, which stand between **
    std::string path;
};

// The best `limit` documents, the best first. `words` as search engines take them: or, "a phrase", -without.
boost::asio::awaitable<std::vector<Found>> search(db::Session& session, std::string words, int limit);

}  // namespace jobs::documents
