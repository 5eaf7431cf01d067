// A text in chunks.
#include "jobs/documents/split.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace jobs::documents;

namespace {

using Chunks = std::vector<std::string_view>;

std::string words(int count) {
    std::string text;
    for (int word = 0; word < count; ++word) text += (word == 0 ? "w" : " w") + std::to_string(word);
    return text;
}

// A text of such letters, blanks and lines, as extract_text gives them.
std::string random_text(std::mt19937& random, std::size_t length) {
    static const std::vector<std::string> pieces{
        "a",
        "bc",
        "defghijkl",
        " ",
        " ",
        "\n",
        "\n\n",
        ".",
        "\xC3\xA9",
        "\xE6\xBC\xA2",
        "\xF0\x9F\x98\x80",
        "(",
        "12345678901234567890"
    };
    std::string text = "x";
    while (text.size() < length) {
        const std::string& piece = pieces[random() % pieces.size()];
        const bool is_blank = piece[0] == ' ' || piece[0] == '\n';
        if (!is_blank || (text.back() != ' ' && text.back() != '\n')) text += piece;
    }
    while (text.back() == ' ' || text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace

TEST_CASE("split makes one chunk of a short text, none of an empty one", "[jobs][documents][split]") {
    CHECK(split("").empty());
    CHECK(split("one two") == Chunks{"one two"});
    CHECK(split(words(250)) == Chunks{words(250)});
}

TEST_CASE("split overlaps by whole words", "[jobs][documents][split]") {
    CHECK(split("a b c d e f g h i j", {.tokens = 4, .overlap = 1}) == Chunks{"a b c d", "d e f g", "g h i j"});
    const std::string text = words(1000);  // each word is one token
    const Chunks chunks = split(text);
    REQUIRE(chunks.size() == 3);
    CHECK(chunks[0] == std::string_view(words(500)));
    CHECK(chunks[1].starts_with("w450 "));
    CHECK(chunks[1].ends_with(" w949"));
    CHECK(chunks[2].starts_with("w900 "));
    CHECK(chunks[2].ends_with(" w999"));
}

TEST_CASE("split ends a chunk at a paragraph in its last fifth, else at a word", "[jobs][documents][split]") {
    CHECK(split("a b c d e f g h i\n\nj k l", {.tokens = 10, .overlap = 1}).front() == "a b c d e f g h i");
    CHECK(split("a b c d e f g\n\nh i j k l", {.tokens = 10, .overlap = 1}).front() == "a b c d e f g\n\nh i j");
    CHECK(split("a b c d longerword", {.tokens = 5, .overlap = 1}) == Chunks{"a b c d", "d longerword"});
}

TEST_CASE("split cuts a word that is longer than a chunk", "[jobs][documents][split]") {
    const std::string word(100'000, 'x');
    const Chunks chunks = split(word);
    CHECK(chunks.size() == 37);  // 16,667 tokens, 450 new ones in each
    CHECK(std::ranges::all_of(chunks, [](std::string_view chunk) { return chunk.size() <= 3000; }));
}

TEST_CASE("split counts each letter of a script without blanks, and cuts none in two", "[jobs][documents][split]") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "\xE6\xBC\xA2";
    const Chunks chunks = split(text);
    CHECK(chunks.size() == 3);
    CHECK(chunks.front().size() == 1500);
}

TEST_CASE("split counts a rule of a document as few tokens", "[jobs][documents][split]") {
    CHECK(split(std::string(4000, '=')).size() == 1);
    CHECK(split(std::string(4001, '=')).size() == 2);
}

TEST_CASE("split leaves nothing out, in order, over random texts", "[jobs][documents][split]") {
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        const std::string text = random_text(random, 1 + random() % 2000);
        const SplitSizes sizes{
            .tokens = 5 + static_cast<int>(random() % 50), .overlap = static_cast<int>(random() % 4)
        };
        const Chunks chunks = split(text, sizes);
        REQUIRE_FALSE(chunks.empty());
        CHECK(chunks.front().data() == text.data());
        CHECK(chunks.back().data() + chunks.back().size() == text.data() + text.size());
        for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
            INFO(text << "\nchunk " << i << ": " << chunks[i]);
            const char* const end = chunks[i].data() + chunks[i].size();
            const char* const next = chunks[i + 1].data();
            REQUIRE(next > chunks[i].data());
            // Between two chunks there are blanks at most.
            const bool is_whole = next <= end || std::all_of(end, next, [](char c) { return c == ' ' || c == '\n'; });
            REQUIRE(is_whole);
            REQUIRE((static_cast<unsigned char>(*next) & 0xC0U) != 0x80U);  // a whole letter
        }
    }
}
