// What is asked of an embeddings endpoint, and what it answers.
#include "jobs/documents/embeddings.hpp"
#include "jobs/documents/hash.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <string_view>
#include <vector>

using namespace jobs::documents;

TEST_CASE("an embeddings request names the model and holds the texts", "[jobs][documents][embed]") {
    const std::vector<std::string_view> texts{"one", "a \"two\"\n"};
    CHECK(embeddings_request("m", texts) == R"({"model":"m","input":["one","a \"two\"\n"]})");
}

TEST_CASE("embeddings are read in the shapes of OpenAI and Ollama", "[jobs][documents][embed]") {
    const std::vector<std::string> expected{"{0.5,-1}", "{0.25,1e-07}"};
    const std::vector<std::string> bodies{
        R"({"data": [{"index": 0, "embedding": [0.5, -1]}, {"index": 1, "embedding": [0.25, 1e-7]}]})",
        R"({"data": [{"index": 1, "embedding": [0.25, 1e-7]}, {"index": 0, "embedding": [0.5, -1]}]})",
        R"({"data": [{"embedding": [0.5, -1]}, {"embedding": [0.25, 1e-7]}]})",
        R"({"model": "m", "embeddings": [[0.5, -1], [0.25, 1e-7]]})",
    };
    for (const std::string& body : bodies) {
        INFO(body);
        const auto embeddings = read_embeddings(body, 2);
        REQUIRE(embeddings.has_value());
        CHECK(embeddings->dimensions == 2);
        CHECK(embeddings->arrays == expected);
    }
}

TEST_CASE("an answer that holds no embeddings is told what is wrong with it", "[jobs][documents][embed]") {
    struct Row {
        std::string body;
        std::string what;
    };
    const std::vector<Row> rows{
        {"", "it is no JSON object"},
        {"[]", "it is no JSON object"},
        {R"({"error": "x"})", R"(it has neither "data" nor "embeddings")"},
        {R"({"embeddings": [[1]]})", "it has 1 embeddings for 2 texts"},
        {R"({"embeddings": [[1], [1, 2]]})", "its embeddings have 1 and 2 dimensions"},
        {R"({"embeddings": [[1], []]})", "embedding 1 is no list of numbers"},
        {R"({"embeddings": [[1], ["1"]]})", "embedding 1 holds what is no number of 32 bits"},
        {R"({"embeddings": [[1e39], [1]]})", "embedding 0 holds what is no number of 32 bits"},
        {R"({"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]})",
         "the index 0 is none, or there twice"},
        {R"({"data": [{"index": 2, "embedding": [1]}, {"index": 0, "embedding": [1]}]})",
         "the index 2 is none, or there twice"},
        {R"({"data": [1, 2]})", R"(element 0 of "data" has no embedding)"},
    };
    for (const Row& row : rows) {
        INFO(row.body);
        const auto embeddings = read_embeddings(row.body, 2);
        REQUIRE(embeddings.has_error());
        CHECK(embeddings.error().what == row.what);
    }
}

TEST_CASE("sha256 is in hexadecimal", "[jobs][documents]") {
    CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
