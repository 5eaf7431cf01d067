#include "jobs/documents/embeddings.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <utility>

namespace jobs::documents {

namespace {

namespace json = boost::json;

// Thrown and caught in here.
struct Wrong {
    std::string what;
};

// As an array of SQL.
std::string array_of(const json::value& embedding, std::size_t place) {
    const json::array* const numbers = embedding.if_array();
    if (numbers == nullptr || numbers->empty()) throw Wrong{fmt::format("embedding {} is no list of numbers", place)};
    std::string text = "{";
    for (const json::value& number : *numbers) {
        const bool is_number = number.is_number();
        const auto value = is_number ? static_cast<float>(number.to_number<double>()) : 0.0F;
        if (!is_number || !std::isfinite(value)) {
            throw Wrong{fmt::format("embedding {} holds what is no number of 32 bits", place)};
        }
        fmt::format_to(std::back_inserter(text), "{}{}", text.size() == 1 ? "" : ",", value);
    }
    return text + "}";
}

// OpenAI's elements say their place, and need not come in order.
std::vector<const json::value*> find_embeddings(const json::object& answer) {
    std::vector<const json::value*> found;
    const json::value* const plain = answer.if_contains("embeddings");
    if (plain != nullptr && plain->is_array()) {
        for (const json::value& embedding : plain->get_array()) found.push_back(&embedding);
        return found;
    }
    const json::value* const data = answer.if_contains("data");
    if (data == nullptr || !data->is_array()) throw Wrong{R"(it has neither "data" nor "embeddings")"};
    found.resize(data->get_array().size());
    std::size_t place = 0;
    for (const json::value& element : data->get_array()) {
        const json::object* const object = element.if_object();
        const json::value* const embedding = object == nullptr ? nullptr : object->if_contains("embedding");
        if (embedding == nullptr) throw Wrong{fmt::format("element {} of \"data\" has no embedding", place)};
        const json::value* const index = object->if_contains("index");
        const std::int64_t at = index != nullptr && index->is_int64() ? index->get_int64() : std::int64_t(place);
        if (at < 0 || at >= std::ssize(found) || found[static_cast<std::size_t>(at)] != nullptr) {
            throw Wrong{fmt::format("the index {} is none, or there twice", at)};
        }
        found[static_cast<std::size_t>(at)] = embedding;
        ++place;
    }
    return found;
}

Embeddings read(std::string_view body, std::size_t texts) {
    boost::system::error_code error;
    const json::value answer = json::parse(body, error);
    if (error || !answer.is_object()) throw Wrong{"it is no JSON object"};
    const std::vector<const json::value*> found = find_embeddings(answer.get_object());
    if (found.size() != texts) throw Wrong{fmt::format("it has {} embeddings for {} texts", found.size(), texts)};
    Embeddings embeddings;
    for (const json::value* embedding : found) {
        embeddings.arrays.push_back(array_of(*embedding, embeddings.arrays.size()));
        const auto dimensions = static_cast<int>(embedding->get_array().size());
        if (embeddings.dimensions == 0) embeddings.dimensions = dimensions;
        if (embeddings.dimensions != dimensions) {
            throw Wrong{fmt::format("its embeddings have {} and {} dimensions", embeddings.dimensions, dimensions)};
        }
    }
    return embeddings;
}

}  // namespace

std::string embeddings_request(std::string_view model, std::span<const std::string_view> texts) {
    json::array input;
    for (const std::string_view text : texts) input.emplace_back(text);
    return json::serialize(json::object{{"model", model}, {"input", std::move(input)}});
}

boost::system::result<Embeddings, Misfit> read_embeddings(std::string_view body, std::size_t texts) {
    try {
        return read(body, texts);
    } catch (Wrong& wrong) {
        return Misfit{std::move(wrong.what)};
    }
}

}  // namespace jobs::documents
