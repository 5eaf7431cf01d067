#pragma once

// What is asked of an embeddings endpoint, and what it answers. Pure.

#include <boost/system/result.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jobs::documents {

// The JSON that both understand: {"model": .., "input": [..]}.
std::string embeddings_request(std::string_view model, std::span<const std::string_view> texts);

struct Embeddings {
    int dimensions = 0;
    std::vector<std::string> arrays;  // {0.1,-0.2}: as SQL writes them, in the order of the texts
};

// What is wrong with an answer.
struct Misfit {
    std::string what;
};

// Reads OpenAI's {"data": [{"index": 0, "embedding": [..]}]} and Ollama's {"embeddings": [[..]]}. There must be `texts`
// embeddings, all of the same length, of finite numbers.
boost::system::result<Embeddings, Misfit> read_embeddings(std::string_view body, std::size_t texts);

}  // namespace jobs::documents
