#include "worker/direct_connection.hpp"

#include "db/budget.hpp"
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

int own_connections(const DatabaseConfig& database) {
    if (database.connection.pooler == db::Pooler::none) return db::own_connections(database.pool);
    return database.direct_url.empty() ? 0 : 1;
}

}  // namespace worker
