#pragma once

// The schema as the migrations make it against the schema that is there.

#include "db/migrations.hpp"
#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace db {

struct SchemaObject {
    std::string kind;       // table, index, function, view, sequence
    std::string name;       // without its schema
    std::string statement;  // that makes it: of an index that stands alone, else empty
};

// What these migrations create, taken together, in their order. Pure.
std::vector<SchemaObject> created_objects(std::span<const Migration> migrations);

// Those of the objects that the schema task_queue does not have. An index that is not valid counts as missing.
// Throws: db::Error.
boost::asio::awaitable<std::vector<SchemaObject>> find_missing(Session& session, std::vector<SchemaObject> objects);

}  // namespace db
