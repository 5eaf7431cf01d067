#include "worker/args.hpp"

#include "tests/support/catch.hpp"

using namespace worker;

TEST_CASE("read_args blames only the jobs whose own args cannot be read", "[worker][args]") {
    queue::Bundle bundle;
    bundle.id = queue::RowId{128};
    bundle.pending = 0b1111;
    queue::Mask broken = 0;

    bundle.args = R"([{"a": 1}, [2, 3], "x,]", null])";
    CHECK(read_args(bundle, broken).size() == 4);
    CHECK(broken == 0);

    bundle.args = R"([{"a": [1, "]"]}, "lone \ud800 surrogate", "quo\"te, ok", {"b": {}}])";
    const boost::json::array args = read_args(bundle, broken);
    REQUIRE(args.size() == 4);
    CHECK(broken == 0b0010);
    CHECK(args[2] == "quo\"te, ok");
    CHECK(args[3].is_object());

    broken = 0;
    bundle.args = "[1, 2]";  // too short
    read_args(bundle, broken);
    CHECK(broken == 0b1100);

    broken = 0;
    bundle.args = "[" + std::string(400, '[') + std::string(400, ']') + ", 1, 2, 3]";
    read_args(bundle, broken);
    CHECK(broken == 0);
}
