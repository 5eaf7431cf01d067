#include "db/catalogue_schema.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

namespace asio = boost::asio;

namespace db {

namespace {

// The plain name in task_queue.name(arguments.
std::string plain_name(std::string_view word) {
    word = word.substr(0, word.find_first_of("(;,"));
    constexpr std::string_view schema = "task_queue.";
    if (word.starts_with(schema)) word.remove_prefix(schema.size());
    return std::string(word);
}

// The first words of a line.
std::vector<std::string> words_of(std::string_view line) {
    std::istringstream stream{std::string(line)};
    std::vector<std::string> words;
    for (std::string word; words.size() < 8 && stream >> word;) words.push_back(word);
    return words;
}

// What a line that begins with these words creates or drops; an empty kind: nothing.
SchemaObject object_of(const std::vector<std::string>& words) {
    constexpr std::array<std::string_view, 5> kinds{"table", "index", "function", "view", "sequence"};
    constexpr std::array<std::string_view, 9> between{
        "create", "drop", "or", "replace", "unique", "concurrently", "if", "not", "exists"
    };
    SchemaObject object;
    for (const std::string& word : words) {
        if (!object.kind.empty() && std::ranges::find(between, word) == between.end()) {
            object.name = plain_name(word);
            return object;
        }
        if (std::ranges::find(between, word) != between.end()) continue;
        if (std::ranges::find(kinds, word) == kinds.end()) break;
        object.kind = word;
    }
    return {};
}

// Primary keys and unique constraints are indexes.
SchemaObject constraint_index(const std::vector<std::string>& words) {
    const bool unique = words.size() > 2 && words[0] == "constraint" && (words[2] == "primary" || words[2] == "unique");
    return unique ? SchemaObject{"index", words[1], {}} : SchemaObject{};
}

std::string statement_at(std::string_view text, std::size_t begin) {
    return std::string(text.substr(begin, text.find(';', begin) - begin));
}

void read_line(std::string_view text, std::size_t begin, std::vector<SchemaObject>& objects) {
    const std::vector<std::string> words = words_of(text.substr(begin, text.find('\n', begin) - begin));
    if (words.empty()) return;
    const bool create = words[0] == "create";
    SchemaObject object = create || words[0] == "drop" ? object_of(words) : constraint_index(words);
    if (object.kind.empty()) return;
    std::erase_if(objects, [&](const SchemaObject& one) { return one.kind == object.kind && one.name == object.name; });
    if (words[0] == "drop") return;
    if (create && object.kind == "index") object.statement = statement_at(text, begin);
    objects.push_back(std::move(object));
}

const Statement find_missing_sql{"find_missing", R"sql(
    select o.place::integer
    from unnest($1::text[], $2::text[]) with ordinality o (kind, name, place)
    where not case
        when o.kind = 'function' then exists (
            select from pg_proc p where p.pronamespace = to_regnamespace('task_queue') and p.proname = o.name
        )
        else exists (
            select
            from pg_class c
            left join pg_index i on i.indexrelid = c.oid
            where c.relnamespace = to_regnamespace('task_queue') and c.relname = o.name and coalesce(i.indisvalid, true)
        )
    end
    order by o.place
)sql"};

}  // namespace

std::vector<SchemaObject> created_objects(std::span<const Migration> migrations) {
    std::vector<SchemaObject> objects;
    for (const Migration& migration : migrations) {
        for (std::size_t begin = 0; begin < migration.up.size();) {
            read_line(migration.up, begin, objects);
            begin = std::min(migration.up.find('\n', begin), migration.up.size() - 1) + 1;
        }
    }
    return objects;
}

asio::awaitable<std::vector<SchemaObject>> find_missing(Session& session, std::vector<SchemaObject> objects) {
    std::vector<std::string> kinds;
    std::vector<std::string> names;
    for (const SchemaObject& object : objects) {
        kinds.push_back(object.kind);
        names.push_back(object.name);
    }
    const Rows rows = co_await session.execute(find_missing_sql, kinds, names);
    co_return map_rows(rows, [&](const Row& row) { return objects.at(static_cast<std::size_t>(row.get<int>(0)) - 1); });
}

}  // namespace db
