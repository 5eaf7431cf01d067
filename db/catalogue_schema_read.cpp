// What migrations create, read from their text: a line that begins a statement, or stands inside of a table's.

#include "db/catalogue_schema.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

namespace db {

namespace {

using Words = std::vector<std::string>;

// The plain name in task_queue.name(arguments.
std::string plain_name(std::string_view word) {
    word = word.substr(0, word.find_first_of("(;,"));
    constexpr std::string_view schema = "task_queue.";
    if (word.starts_with(schema)) word.remove_prefix(schema.size());
    return std::string(word);
}

// The first words of a line.
Words words_of(std::string_view line) {
    std::istringstream stream{std::string(line)};
    Words words;
    for (std::string word; words.size() < 8 && stream >> word;) words.push_back(word);
    return words;
}

// What a line that begins with these words creates or drops; an empty kind: nothing.
SchemaObject object_of(const Words& words) {
    constexpr std::array<std::string_view, 6> kinds{"table", "index", "function", "trigger", "view", "sequence"};
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

// What these words of a table's definition define. Primary keys and unique constraints are indexes.
SchemaObject part_of(const std::string& table, const Words& words) {
    if (words.size() < 2) return {};
    if (words[0] != "constraint") return {"column", table + "." + words[0], {}};
    const bool index = words.size() > 2 && (words[2] == "primary" || words[2] == "unique");
    return index ? SchemaObject{"index", words[1], {}} : SchemaObject{"constraint", table + "." + words[1], {}};
}

class Reader {
public:
    explicit Reader(std::vector<SchemaObject>& objects) : objects_(objects) {}

    void read(std::string_view text) {
        text_ = text;
        table_.clear();
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            read_line(begin, text.substr(begin, end - begin));
            begin = end + 1;
        }
    }

private:
    // Statements begin at the left edge, what a table has four blanks from it.
    void read_line(std::size_t begin, std::string_view line) {
        const std::size_t indent = line.find_first_not_of(' ');
        if (indent == 4 && !table_.empty()) return read_part(line);
        if (indent != 0) return;
        table_.clear();
        const Words words = words_of(line);
        if (words[0] == "create") read_create(begin, words);
        if (words[0] == "drop") erase(object_of(words));
        if (words[0] == "alter") read_alter(words);
    }
    void read_part(std::string_view line) {
        const Words words = words_of(line);
        const char first = words[0].front();
        if (first < 'a' || first > 'z') return;  // a comment, or the end of a constraint
        add(part_of(table_, words));
    }
    void read_create(std::size_t begin, const Words& words) {
        SchemaObject object = object_of(words);
        if (object.kind.empty()) return;
        if (object.kind == "table") table_ = object.name;
        if (object.kind == "index") object.text = text_.substr(begin, text_.find(';', begin) - begin);
        if (object.kind != "function") return add(std::move(object));
        if (words[1] == "or") erase(object);
        const std::string name = object.name;
        objects_.push_back(std::move(object));
        objects_.push_back({"body", name, body_at(begin)});
    }
    // alter table NAME add|drop column|constraint NAME ..
    void read_alter(const Words& words) {
        if (words.size() < 6 || words[1] != "table" || (words[4] != "column" && words[4] != "constraint")) return;
        const std::size_t named = words[4] == "column" ? 5 : 4;
        const std::string table = plain_name(words[2]);
        Words part(words.begin() + static_cast<std::ptrdiff_t>(named), words.end());
        part.back() = plain_name(part.back());
        if (words[3] == "add") return add(part_of(table, part));
        erase({words[4], table + "." + part[named == 5 ? 0 : 1], {}});
        if (words[4] == "constraint") erase({"index", part[1], {}});
    }
    // What stands between the $$ of the function that begins there.
    std::string body_at(std::size_t begin) const {
        constexpr std::string_view mark = "as $$";
        const std::size_t next = std::min(text_.find("\ncreate ", begin), text_.size());
        const std::size_t opening = text_.find(mark, begin);
        if (opening >= next) return {};
        const std::size_t body = opening + mark.size();
        return std::string(text_.substr(body, text_.find("$$", body) - body));
    }
    void add(SchemaObject object) {
        erase(object);
        objects_.push_back(std::move(object));
    }
    void erase(const SchemaObject& object) {
        std::erase_if(objects_, [&](const SchemaObject& one) {
            if (one.name == object.name)
                return one.kind == object.kind || (one.kind == "body" && object.kind == "function");
            return object.kind == "table" && one.name.starts_with(object.name + ".");
        });
    }

    std::vector<SchemaObject>& objects_;
    std::string_view text_;
    std::string table_;  // whose definition the line stands in
};

}  // namespace

std::vector<SchemaObject> created_objects(std::span<const Migration> migrations) {
    std::vector<SchemaObject> objects;
    Reader reader(objects);
    for (const Migration& migration : migrations) reader.read(migration.up);
    return objects;
}

}  // namespace db
