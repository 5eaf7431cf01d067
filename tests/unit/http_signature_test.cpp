#include "jobs/http_signature.hpp"

#include "tests/support/catch.hpp"

using namespace jobs;

namespace {

const std::string documented = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";  // of Standard Webhooks' own examples

std::vector<std::string> keys_of(const std::string& text) {
    const auto keys = read_signing_keys(text);
    REQUIRE(keys.has_value());
    return *keys;
}

std::string problem_of(const std::string& text) {
    const auto keys = read_signing_keys(text);
    return keys ? "none" : keys.error().text;
}

}  // namespace

TEST_CASE("sign_webhook signs as Standard Webhooks' examples do", "[jobs][http]") {
    CHECK(
        sign_webhook(keys_of(documented), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
}

TEST_CASE("sign_webhook signs with each key, and with none not at all", "[jobs][http]") {
    const std::string one = sign_webhook({std::string(32, 'a')}, "id", 1, "body");
    const std::string other = sign_webhook({std::string(32, 'b')}, "id", 1, "body");
    CHECK(one != other);
    CHECK(sign_webhook({std::string(32, 'a'), std::string(32, 'b')}, "id", 1, "body") == one + " " + other);
    CHECK(sign_webhook({}, "id", 1, "body").empty());
    CHECK(sign_webhook({std::string(32, 'a')}, "id", 2, "body") != one);
    CHECK(sign_webhook({std::string(32, 'a')}, "di", 1, "body") != one);
    CHECK(sign_webhook({std::string(32, 'a')}, "id", 1, "bodY") != one);
}

TEST_CASE("read_signing_keys takes a secret a line, with prefix and padding or without", "[jobs][http]") {
    const std::string plain = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";  // 32 times a
    const auto expected = std::vector<std::string>{std::string(32, 'a')};
    CHECK(keys_of(plain) == expected);
    CHECK(keys_of("whsec_" + plain + "\n") == expected);
    CHECK(keys_of("  " + plain.substr(0, plain.size() - 1) + " \r\n") == expected);
    CHECK(keys_of("# of June\n" + plain + "\n\n# of May\n" + documented).size() == 2);
}

TEST_CASE("read_signing_keys says what is wrong, never what the secret is", "[jobs][http]") {
    CHECK(problem_of("").starts_with("no secret in it"));
    CHECK(problem_of("\n# nothing\n").starts_with("no secret in it"));
    CHECK(problem_of(documented + "\nhunter2 and more").starts_with("line 2 is not a secret: give base64 of 24 to 64"));
    CHECK(problem_of("c2hvcnQ=").starts_with("line 1 is not a secret"));
    CHECK(problem_of(std::string(100, 'A')).starts_with("line 1 is not a secret"));
    CHECK(problem_of("====").starts_with("line 1 is not a secret"));
    CHECK(problem_of("whsec_").starts_with("line 1 is not a secret"));
    CHECK(problem_of("hunter2").find("hunter2") == std::string::npos);
}
