#include "worker/args.hpp"

#include "jobs/args.hpp"
#include "tests/support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <random>

using namespace worker;

namespace {

std::vector<std::string> elements(const std::string& array) {
    const ArgsText text(array);
    std::vector<std::string> elements;
    for (std::size_t i = 0; i < text.size(); ++i) elements.emplace_back(text.element(i));
    return elements;
}

boost::json::value random_json(std::mt19937& random, int depth) {
    const std::string_view letters = "a\"\\,[]{}: \n";
    const auto text = [&] {
        std::string text;
        for (auto left = random() % 6; left > 0; --left) text += letters[random() % letters.size()];
        return text;
    };
    switch (random() % (depth > 0 ? 5 : 3)) {
        case 0:
            return text().c_str();
        case 1:
            return random() % 100;
        case 2:
            return nullptr;
        case 3: {
            boost::json::array array;
            for (auto left = random() % 4; left > 0; --left) array.push_back(random_json(random, depth - 1));
            return array;
        }
        default: {
            boost::json::object object;
            for (auto left = random() % 4; left > 0; --left) object[text()] = random_json(random, depth - 1);
            return object;
        }
    }
}

}  // namespace

TEST_CASE("ArgsText cuts an array into the texts of its elements", "[worker][args]") {
    CHECK(
        elements(R"([{"a": 1}, [2, 3],"x,]", null])") ==
        std::vector<std::string>{R"({"a": 1})", " [2, 3]", R"("x,]")", " null"}
    );
    CHECK(
        elements(R"( [{"a": [1, "]"]},"lone \ud800","quo\"te, ok\\",{"b": {}}] )") ==
        std::vector<std::string>{R"({"a": [1, "]"]})", R"("lone \ud800")", R"("quo\"te, ok\\")", R"({"b": {}})"}
    );
    CHECK(ArgsText("[1]").element(1).empty());
    CHECK(ArgsText().element(0).empty());
}

TEST_CASE("ArgsText finds again what any array was made of", "[worker][args]") {
    std::mt19937 random(7);
    for (int round = 0; round < 3'000; ++round) {
        boost::json::array array;
        for (auto left = 1 + random() % 5; left > 0; --left) array.push_back(random_json(random, 3));
        const ArgsText text(boost::json::serialize(array));
        REQUIRE(text.size() == array.size());
        for (std::size_t i = 0; i < array.size(); ++i) {
            const std::string_view element = text.element(i);
            REQUIRE(boost::json::parse({element.data(), element.size()}) == array[i]);
        }
    }
}

TEST_CASE("Args are read when they are asked for, and tell of what cannot be read", "[jobs][args]") {
    const auto owner = std::make_shared<const std::string>(R"({"a": [1, 2]})");
    jobs::Args args(owner, *owner);
    CHECK(args.value().at("a").as_array().size() == 2);
    // Read once: the same array.
    CHECK(args.value().at("a").as_array().data() == args.value().at("a").as_array().data());
    const jobs::Args copy = args;
    CHECK(copy.value() == args.value());
    CHECK(jobs::Args().value().is_null());
    const std::string deep = std::string(400, '[') + std::string(400, ']');
    CHECK_NOTHROW(jobs::Args(nullptr, deep).value());
    CHECK(jobs::Args(nullptr, "[1e300]").value().at(0) == 1e300);
    const std::string deeper = std::string(700, '[') + std::string(700, ']');
    const std::string long_number(400, '9');
    for (const std::string_view bad :
         {std::string_view(deeper),
          std::string_view(R"("\ud800")"),
          std::string_view(),
          std::string_view(R"({"x": [1, -1e400]})"),
          std::string_view(long_number)}) {
        const jobs::Args unreadable(nullptr, bad);
        CHECK_THROWS_AS(unreadable.value(), jobs::ArgsError);
        CHECK_THROWS_AS(unreadable.value(), jobs::ArgsError);
    }
}
