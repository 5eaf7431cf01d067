// deploy/compose: it agrees with itself and the rest, and does as a whole what it promises, without containers.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/dashboards.hpp"
#include "tests/support/example_shop.hpp"
#include "tests/support/http_ask.hpp"
#include "tests/support/prometheus.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/stop_seconds.hpp"
#include "worker/version.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

using namespace tests;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string folder = TASK_WORKER_SOURCE_DIR "/deploy/compose/";

// What a service sees where: path of its container, path here.
std::map<std::string, std::string> mounts_of(const YAML::Node& service) {
    std::map<std::string, std::string> mounts;
    for (const auto& volume : service["volumes"]) {
        const auto text = volume.as<std::string>();
        const auto first = text.find(':');
        const auto second = text.find(':', first + 1);
        mounts[text.substr(first + 1, second - first - 1)] = text.substr(0, first);
    }
    return mounts;
}

}  // namespace

TEST_CASE("the compose file mounts what there is, and gives workers the time to stop", "[deploy][compose]") {
    if (const std::string why = why_no_compose(); !why.empty()) return skip(why);
    const Compose compose;
    const std::string image = fmt::format("task-worker:{}", worker::version);
    for (const auto& entry : compose.services()) {
        const auto name = entry.first.as<std::string>();
        const YAML::Node& service = entry.second;
        INFO(name);
        for (const auto& [there, here] : mounts_of(service)) {
            if (here.starts_with("/")) CHECK(fs::exists(here));
        }
        for (const auto& port : service["ports"]) CHECK_THAT(port.as<std::string>(), Catch::StartsWith("127.0.0.1:"));
        if (name.starts_with("worker")) {
            CHECK(service["image"].as<std::string>() == image);
            CHECK(service["read_only"].as<bool>());
            const int grace = std::stoi(service["stop_grace_period"].as<std::string>());
            CHECK(grace >= stop_seconds(folder + "config.yml") + 5);
        }
    }
    CHECK(compose.services()["migrate"]["image"].as<std::string>() == image);
}

TEST_CASE("the example's Prometheus and Grafana find each other and what they show", "[deploy][compose]") {
    if (const std::string why = why_no_compose(); !why.empty()) return skip(why);
    const Compose compose;
    const YAML::Node services = compose.services();

    // Beside its configuration, where that looks for the rules.
    const auto prometheus = mounts_of(services["prometheus"]);
    CHECK(prometheus.at("/etc/prometheus/alerts.yml") == TASK_WORKER_SOURCE_DIR "/deploy/prometheus/alerts.yml");
    const TemporaryFolder copy;
    for (const auto& [there, here] : prometheus) fs::copy(here, copy.path() / fs::path(there).filename());
    const Finished checked = run_command({.words = {promtool, "check", "config", copy.path() + "/prometheus.yml"}});
    INFO(checked.output << checked.errors);
    CHECK(checked.code == 0);
    CHECK_THAT(checked.output, Contains("rule files found"));

    const auto grafana = mounts_of(services["grafana"]);
    const std::string provisioning = "/etc/grafana/provisioning/";
    const YAML::Node source =
        YAML::LoadFile(grafana.at(provisioning + "datasources/task-worker.yml"))["datasources"][0];
    CHECK(source["type"].as<std::string>() == "prometheus");
    const auto url = source["url"].as<std::string>();
    REQUIRE(url == "http://prometheus:9090");
    CHECK(services["prometheus"]["ports"][0].as<std::string>() == "127.0.0.1:9090:9090/tcp");
    const YAML::Node provider = YAML::LoadFile(grafana.at(provisioning + "dashboards/task-worker.yml"))["providers"][0];
    const fs::path dashboards = grafana.at(provider["options"]["path"].as<std::string>());
    for (const Dashboard& dashboard : read_dashboards()) CHECK(fs::exists(dashboards / dashboard.file));
    const fs::path home =
        services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as<std::string>();
    CHECK(fs::exists(grafana.at(home.parent_path()) / home.filename()));
}

TEST_CASE(
    "an order of the example's API is worked off by one of two workers, which Prometheus sees", "[deploy][compose]"
) {
    if (const std::string why = why_no_compose(); !why.empty()) return skip(why);
    ExampleShop shop;
    shop.open([&](const std::string& name) {
        const Compose& compose = shop.compose();
        if (name == "api") return compose.start(name, {"/usr/bin/python3"}, 1);  // Debian's, which has the driver
        if (name == "pgbouncer") {
            std::vector<std::string> words{"/usr/sbin/pgbouncer"};
            if (geteuid() == 0) {  // which it refuses
                words.insert(
                    words.begin(),
                    {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL"}
                );
            }
            return compose.start(name, words, 1);
        }
        std::vector<std::string> words{"/usr/bin/env", "ENVIRONMENT=production", "TASK_WORKER_LOG_FORMAT=json"};
        if (name != "migrate") {
            words.push_back(fmt::format("TASK_WORKER_HTTP_LISTEN=127.0.0.1:{}", shop.worker_port(name)));
        }
        words.emplace_back(TASK_WORKER_BINARY);
        return compose.start(name, words);
    });
    for (const char* const worker : {"worker-1", "worker-2"}) {
        CHECK_THAT(http_ask(shop.worker_port(worker), "/readyz"), Contains(" 200 "));
    }
    CHECK(shop.value("select count(*) from task_queue.workers") == "2");
    shop.order();
    CHECK_THAT(http_ask(shop.api_port(), "/jobs/send-receipt", "POST", R"({"args": {"order": 1}})"), Contains(" 401 "));

    std::string configuration;
    for (const Compose::File& file : shop.compose().files("prometheus")) {
        std::ifstream text(file.here);
        if (file.there.ends_with("/prometheus.yml")) configuration = {std::istreambuf_iterator<char>(text), {}};
    }
    const Prometheus prometheus(configuration);
    prometheus.await("count(up{job=\"task-worker\"} == 1) == 2");
    prometheus.await("count(task_worker_build_info) == 2");
    prometheus.await("sum(task_worker_jobs_finished_total{kind=\"send-receipt\",outcome=\"completed\"}) == 1");
    for (const char* const worker : {"worker-1", "worker-2"}) {
        shop.service(worker).signal(SIGTERM);
        CHECK(shop.service(worker).wait_exit() == 0);
    }
}
