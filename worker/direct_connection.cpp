#include "worker/direct_connection.hpp"

#include "db/url.hpp"

namespace worker {

db::ConnectionSettings direct_connection(const DatabaseConfig& database) {
    db::ConnectionSettings settings = database.connection;
    if (database.direct_url.empty()) return settings;
    settings.url = database.direct_url;
    settings.pooler = db::Pooler::none;
    const auto url = db::parse_url(database.direct_url);
    if (url && url->connect_timeout.count() > 0) settings.connect_timeout = url->connect_timeout;
    return settings;
}

}  // namespace worker
