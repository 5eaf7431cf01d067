// The benchmarks run and check their own work; tiny ones, so that they cannot rot unnoticed.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <filesystem>

using namespace tests;

namespace {

// Its programs are those of this build.
Finished bench(std::vector<std::string> words) {
    words.insert(words.begin(), TASK_WORKER_SOURCE_DIR "/tests/bench/run");
    words.insert(
        words.end(), {"--repeats", "1", "--build", std::filesystem::path(TASK_WORKER_BINARY).parent_path().string()}
    );
    return run_command({.words = std::move(words), .limit = std::chrono::seconds(120)});
}

// The line's rows in the table of docs/benchmarks.md, with its head.
std::string table_of(const Finished& run) {
    const Finished table = run_command({.words = {TASK_WORKER_SOURCE_DIR "/tests/bench/table"}, .input = run.output});
    INFO(run.output << table.errors);
    REQUIRE(table.code == 0);
    return table.output;
}

}  // namespace

TEST_CASE("tests/bench/run drain prints what it measured as a line of JSON", "[scenario][bench]") {
    const Finished run = bench({"drain", "--jobs", "3000", "--set", "work_mem=5MB"});
    INFO(run.errors);
    REQUIRE(run.code == 0);
    CHECK(table_of(run).find("\n| `drain --set work_mem=5MB` | jobs/s, enqueued in bulk | ") != std::string::npos);
    const auto fields = boost::json::parse(run.output).as_object();
    CHECK(fields.at("durable").as_bool());
    for (const char* field :
         {"jobs_per_s",
          "floor_jobs_per_s",
          "ratio",
          "wal_bytes_per_job",
          "commits_per_1000_jobs",
          "history_ratio",
          "client_us_per_job",
          "server_us_per_job"}) {
        INFO(field);
        CHECK(fields.at(field).to_number<double>() > 0);
    }
}

TEST_CASE("every measure of tests/bench/run checks its work and prints its fields", "[scenario][bench]") {
    struct Measure {
        std::vector<std::string> words;
        std::vector<std::string> fields;
    };
    const std::vector<Measure> measures{
        {{"singles", "--jobs", "500", "--set", "fsync=off"},
         {"ratio", "client_us_per_job", "server_us_per_job", "commits_per_1000_jobs"}},
        {{"steady", "--jobs", "2100"}, {"ratio", "jobs_per_s", "floor_jobs_per_s", "wal_bytes_per_job"}},
        {{"enqueue", "--jobs", "3000", "--call", "1000"}, {"ratio", "file_ratio", "file_rss_mb", "copy_ratio"}},
        {{"load", "--jobs", "3000"}, {"ratio", "rss_mb", "copy_jobs_per_s"}},
        {{"batch", "--jobs", "3000"}, {"lag_s", "extra_pct", "finish_s"}},
        {{"offered", "--seconds", "1"}, {"p50_ms", "p95_ms", "p99_ms"}},
        {{"memory", "--jobs", "3000"}, {"rss_mb"}},
        {{"ingest", "--folder", TASK_WORKER_SOURCE_DIR "/docs"},
         {"documents_per_s", "unchanged_documents_per_s", "chunks", "rss_second_mb"}},
        {{"scrape", "--jobs", "30000", "--per-second", "100"}, {"p50_ms", "p99_ms", "lost_pct", "cpu_us", "series"}},
        {{"start", "--repeats", "2"}, {"p50_ms", "longest_ms", "psql_ms"}},
        {{"idle", "--seconds", "1"}, {"cpu_pct_of_a_core", "rss_mb", "threads"}},
        {{"scale", "--jobs", "3000", "--singles", "300"}, {"direct_bulk_8", "pooler_singles_1", "pooler_bulk_ratio"}},
        {{"pinned",
          "--seconds",
          "2",
          "--window",
          "1",
          "--free-seconds",
          "1",
          "--full-seconds",
          "2",
          "--full-window",
          "1"},
         {"kept", "floor_kept", "offered_per_s", "lost_pct", "claim_p99_ratio", "rate_windows"}},
        {{"settings", "--jobs", "1000", "--seconds", "1", "--only", "shipped"}, {"variants"}},
    };
    for (const Measure& measure : measures) {
        const Finished run = bench(measure.words);
        INFO(measure.words.front() << ": " << run.errors);
        REQUIRE(run.code == 0);
        CHECK(table_of(run).find("\n| `" + measure.words.front()) != std::string::npos);
        const auto fields = boost::json::parse(run.output).as_object();
        CHECK(fields.at("durable").as_bool() == (std::ranges::find(measure.words, "fsync=off") == measure.words.end()));
        for (const std::string& field : measure.fields) {
            INFO(field);
            CHECK(fields.contains(field));
        }
    }
}

TEST_CASE("a run of the benchmark fails when a job was lost or ran twice", "[scenario][bench]") {
    const Finished run = bench({"checks", "--jobs", "100"});
    INFO(run.errors);
    REQUIRE(run.code == 0);
    CHECK(boost::json::parse(run.output).as_object().at("noticed").to_number<int>() == 21);
    CHECK(bench({"checks", "--jobs", "100", "--set", "no_such_setting=1"}).code == 1);
}

// So many jobs that those of the worker's start and stop, which are counted, too, hardly matter.
TEST_CASE("a drain commits less than three times for a thousand jobs", "[scenario][bench]") {
    const Finished run = bench({"drain", "--jobs", "300000"});
    INFO(run.errors);
    REQUIRE(run.code == 0);
    CHECK(boost::json::parse(run.output).as_object().at("commits_per_1000_jobs").to_number<double>() < 3);
}

TEST_CASE("tests/bench/run latency sees the start of every handler", "[scenario][bench]") {
    const Finished run = bench({"latency", "--rate", "50", "--seconds", "1"});
    INFO(run.errors);
    REQUIRE(run.code == 0);
    const auto fields = boost::json::parse(run.output).as_object();
    CHECK(fields.at("p50_ms").to_number<double>() <= fields.at("p99_ms").to_number<double>());
    CHECK(fields.at("p50_ms").to_number<double>() < fields.at("call_p50_ms").to_number<double>());
}

TEST_CASE("tests/bench/run exec, stream and http run every job and show a ratio", "[scenario][bench]") {
    const std::string measure = GENERATE("exec", "stream", "http");
    const Finished run = bench({measure, "--jobs", "200"});
    INFO(measure << ": " << run.errors);
    REQUIRE(run.code == 0);
    const auto fields = boost::json::parse(run.output).as_object();
    CHECK(fields.at("measure").as_string() == measure);
    CHECK(table_of(run).find("\n| `" + measure) != std::string::npos);
    for (const char* field : {"jobs_per_s", "ratio"}) CHECK(fields.at(field).to_number<double>() > 0);
}

TEST_CASE("tests/bench/run pool prints every ratio of the pool", "[scenario][bench][pool]") {
    const Finished run = bench({"pool", "--seconds", "0.05"});
    INFO(run.errors);
    REQUIRE(run.code == 0);
    const auto fields = boost::json::parse(run.output).as_object();
    CHECK(fields.at("allocations_per_checkout").to_number<double>() == 0);
    CHECK(table_of(run).find("\n| `pool` | us for a checkout") != std::string::npos);
    for (const char* field :
         {"checkout_us",
          "shared_vs_bare",
          "shared_vs_bare_one_core",
          "pre_ping_ratio",
          "pipeline_speedup",
          "pipeline_speedup_socket",
          "pipeline_speedup_one_core",
          "pipeline_speedup_2ms"}) {
        INFO(field);
        CHECK(fields.at(field).to_number<double>() > 0);
    }
}
