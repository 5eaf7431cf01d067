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
    std::string kind;  // table, column, constraint, index, function, body (of a function), trigger, view, sequence
    std::string name;  // without its schema; of a column or constraint: table.name
    std::string text;  // of an index that stands alone: the statement that makes it; of a body: what stands in $$
};

// What these migrations create, taken together, in their order. Functions of one name are several objects; replacing or
// dropping one takes all of that name away. A body without $$ has no text: the server keeps none of it. Pure.
std::vector<SchemaObject> created_objects(std::span<const Migration> migrations);

// Those of the objects that the schema task_queue does not have. An index that is not valid and a trigger that is
// disabled count as missing, a body when the function has another one; columns, constraints and bodies only where the
// table, or a function of that name, is there.
// Throws: db::Error.
boost::asio::awaitable<std::vector<SchemaObject>> find_missing(Session& session, std::vector<SchemaObject> objects);

}  // namespace db
