#include "jobs/exec_input.hpp"

#include "tests/support/catch.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>

using namespace jobs;

namespace {

Job a_job(std::string_view args = "{}") {
    Job job;
    job.id = queue::JobId{129};
    job.kind = "say \"hi\"";
    job.args = boost::json::parse(boost::json::string_view(args.data(), args.size()));
    return job;
}

std::vector<std::string> arguments_of(std::string_view args) {
    std::vector<std::string> all = job_environment({}, a_job(args));
    std::erase_if(all, [](const std::string& entry) { return !entry.starts_with("ARG_"); });
    return all;
}

using Entries = std::vector<std::string>;

}  // namespace

TEST_CASE("job_document is one line of JSON with every field", "[jobs][exec]") {
    CHECK(
        job_document(a_job(R"({"a": "line\nend"})")) ==
        R"({"id":129,"kind":"say \"hi\"","queue":"default","attempt":1,"max_attempts":20,"batch_id":null,)"
        R"("traceparent":null,"args":{"a":"line\nend"}})"
        "\n"
    );
    Job job = a_job("[1]");
    job.batch = "0000-1";
    job.traceparent = "00-ab-cd-01";
    job.attempt = 3;
    const boost::json::value document = boost::json::parse(job_document(job));
    CHECK(document.at("batch_id") == "0000-1");
    CHECK(document.at("traceparent") == "00-ab-cd-01");
    CHECK(document.at("attempt") == 3);
    CHECK(document.at("args") == boost::json::parse("[1]"));
}

TEST_CASE("shared_environment lets through what is allowed, passed or set", "[jobs][exec]") {
    const std::array<const char*, 9> own{
        "PATH=/bin",
        "HOME=/root",
        "LC_ALL=C",
        "DATABASE_URL=secret",
        "TOKEN=abc",
        "EMPTY=",
        "LANGUAGE=de",
        "broken",
        nullptr
    };
    CHECK(
        shared_environment({}, own.data()) ==
        std::map<std::string, std::string>{{"HOME", "/root"}, {"LC_ALL", "C"}, {"PATH", "/bin"}}
    );
    ExecSpec spec;
    spec.pass_env = {"TOKEN", "EMPTY", "ABSENT"};
    spec.env = {{"PATH", "/opt/bin"}, {"MODE", "fast"}};
    CHECK(
        shared_environment(spec, own.data()) ==
        std::map<std::string, std::string>{
            {"EMPTY", ""},
            {"HOME", "/root"},
            {"LC_ALL", "C"},
            {"MODE", "fast"},
            {"PATH", "/opt/bin"},
            {"TOKEN", "abc"},
        }
    );
    CHECK(shared_environment({}, nullptr).empty());
}

TEST_CASE("job_environment describes the job, over what is shared", "[jobs][exec]") {
    Job job = a_job();
    job.kind = "mail";
    CHECK(
        job_environment({{"PATH", "/bin"}, {"JOB_ID", "7"}, {"JOB_HOME", "/x"}}, job) ==
        Entries{
            "JOB_ID=129",
            "JOB_KIND=mail",
            "JOB_QUEUE=default",
            "JOB_ATTEMPT=1",
            "JOB_MAX_ATTEMPTS=20",
            "JOB_HOME=/x",
            "PATH=/bin"
        }
    );
    job.batch = "0000-1";
    job.traceparent = "00-ab-cd-01";
    const Entries entries = job_environment({}, job);
    CHECK(std::ranges::count(entries, "JOB_BATCH_ID=0000-1") == 1);
    CHECK(std::ranges::count(entries, "TRACEPARENT=00-ab-cd-01") == 1);
}

TEST_CASE("job_environment passes scalar args as ARG_ variables", "[jobs][exec]") {
    CHECK(
        arguments_of(R"({"path": "/a b\"c", "n": -5, "big": 18446744073709551615, "x": 0.5, "on": true})") ==
        Entries{"ARG_PATH=/a b\"c", "ARG_N=-5", "ARG_BIG=18446744073709551615", "ARG_X=0.5", "ARG_ON=true"}
    );
    CHECK(arguments_of(R"({"a": null, "b": {"c": 1}, "d": [1], "e": "x\u0000y"})").empty());
    CHECK(arguments_of(R"({"user-id": 1, "user.id": 2, "ärger": 3})") == Entries{"ARG_USER_ID=1", "ARG___RGER=3"});
    CHECK(arguments_of(R"({"": 1, "a=b": 2})") == Entries{"ARG_=1", "ARG_A_B=2"});
    CHECK(arguments_of("[1]").empty());
    CHECK(arguments_of("null").empty());
}

TEST_CASE("job_environment leaves out what the system would refuse", "[jobs][exec]") {
    const std::string long_text(std::size_t{64} * 1024, 'x');
    CHECK(arguments_of(R"({"a": ")" + long_text + R"(", "b": 1})").size() == 2);
    CHECK(arguments_of(R"({"a": ")" + long_text + R"(x", "b": 1})") == Entries{"ARG_B=1"});
    boost::json::object many;
    for (int number = 0; number < 20; ++number) many["k" + std::to_string(number)] = long_text;
    Job job = a_job();
    job.args = boost::json::value(many);
    std::size_t bytes = 0;
    for (const std::string& entry : job_environment({}, job)) bytes += entry.size();
    CHECK(bytes > std::size_t{400} * 1024);
    CHECK(bytes < std::size_t{513} * 1024);
}
