// What stands below deploy/ for others to run agrees with itself and with the program.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/process.hpp"
#include "tests/support/promql.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/stop_seconds.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/version.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

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

const fs::path deploy = fs::path(TASK_WORKER_SOURCE_DIR) / "deploy";

std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, std::string> words_of(const YAML::Node& node) {
    std::map<std::string, std::string> words;
    for (const auto& pair : node) words[pair.first.as<std::string>()] = pair.second.as<std::string>();
    return words;
}

// Whether a selector finds what has these labels.
bool finds(const YAML::Node& selector, const YAML::Node& labels) {
    const auto all = words_of(labels);
    for (const auto& [name, value] : words_of(selector)) {
        const auto label = all.find(name);
        if (label == all.end() || label->second != value) return false;
    }
    return !words_of(selector).empty();
}

// The resources of deploy/kubernetes by kind.
std::map<std::string, YAML::Node> resources() {
    std::map<std::string, YAML::Node> by_kind;
    for (const auto& file : YAML::LoadFile(deploy / "kubernetes" / "kustomization.yaml")["resources"]) {
        const YAML::Node resource = YAML::LoadFile(deploy / "kubernetes" / file.as<std::string>());
        by_kind[resource["kind"].as<std::string>()] = resource;
    }
    return by_kind;
}

}  // namespace

TEST_CASE("the systemd unit is understood, and leaves a worker the time to stop", "[scenario][manifests]") {
    const fs::path unit = deploy / "systemd" / "task-worker.service";
    std::string text = read(unit);
    const std::string program = "/usr/bin/task-worker";
    REQUIRE_THAT(text, Contains("ExecStart=" + program));
    text.replace(text.find(program), program.size(), TASK_WORKER_BINARY);
    const TemporaryFolder folder;
    folder.write("task-worker.service", text);
    const int time = std::stoi(text.substr(text.find("TimeoutStopSec=") + 15));
    CHECK(time >= stop_seconds(TASK_WORKER_SOURCE_DIR "/config.yml") + 5);
    if (!fs::exists("/usr/bin/systemd-analyze")) return skip("no systemd-analyze here");
    const Finished verified = run_command(
        {.words = {"/usr/bin/systemd-analyze", "verify", "--man=no", folder.path() + "/task-worker.service"}}
    );
    CHECK(verified.errors == "");
    CHECK(verified.code == 0);
}

TEST_CASE("the Kubernetes manifests fit each other", "[scenario][manifests]") {
    std::size_t files = 0;
    for (const auto& file : fs::directory_iterator(deploy / "kubernetes")) files += file.path().extension() == ".yaml";
    auto all = resources();
    CHECK(all.size() == files - 1);  // kustomization.yaml lists all others, each of a kind of its own
    const YAML::Node deployment = all.at("Deployment")["spec"];
    const YAML::Node pod = deployment["template"];
    const YAML::Node container = pod["spec"]["containers"][0];
    for (auto& [kind, resource] : all) {
        INFO(kind);
        CHECK(resource["metadata"]["name"].as<std::string>().starts_with("task-worker"));
    }
    // Whom the selectors find.
    const YAML::Node labels = pod["metadata"]["labels"];
    CHECK(finds(deployment["selector"]["matchLabels"], labels));
    CHECK(finds(all.at("Service")["spec"]["selector"], labels));
    CHECK(finds(all.at("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels));
    CHECK_FALSE(finds(all.at("Service")["spec"]["selector"], all.at("Job")["spec"]["template"]["metadata"]["labels"]));
    CHECK(finds(all.at("ServiceMonitor")["spec"]["selector"]["matchLabels"], all.at("Service")["metadata"]["labels"]));
    CHECK(
        all.at("ScaledObject")["spec"]["scaleTargetRef"]["name"].as<std::string>() ==
        all.at("Deployment")["metadata"]["name"].as<std::string>()
    );
    // Ports, by their names.
    const auto port = container["ports"][0]["name"].as<std::string>();
    for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
        CHECK(container[probe]["httpGet"]["port"].as<std::string>() == port);
    }
    CHECK(all.at("Service")["spec"]["ports"][0]["targetPort"].as<std::string>() == port);
    CHECK(
        all.at("ServiceMonitor")["spec"]["endpoints"][0]["port"].as<std::string>() ==
        all.at("Service")["spec"]["ports"][0]["name"].as<std::string>()
    );
    // What both pods are given, and run.
    for (const YAML::Node& spec : {pod["spec"], all.at("Job")["spec"]["template"]["spec"]}) {
        CHECK(spec["containers"][0]["image"].as<std::string>() == fmt::format("task-worker:{}", worker::version));
        CHECK(spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"].as<bool>());
        CHECK(
            spec["volumes"][0]["configMap"]["name"].as<std::string>() ==
            all.at("ConfigMap")["metadata"]["name"].as<std::string>()
        );
        CHECK(
            spec["volumes"][1]["secret"]["secretName"].as<std::string>() ==
            all.at("Secret")["metadata"]["name"].as<std::string>()
        );
    }
    const auto query = all.at("ScaledObject")["spec"]["triggers"][0]["metadata"]["query"].as<std::string>();
    CHECK_THAT(query, Contains("task_worker_"));
    CHECK(foreign_names(query) == "");
}

TEST_CASE("a worker runs as the Kubernetes manifests have it", "[scenario][manifests]") {
    auto all = resources();
    const YAML::Node pod = all.at("Deployment")["spec"]["template"]["spec"];
    const YAML::Node container = pod["containers"][0];
    const TestDatabase database;
    const TemporaryFolder folder;
    // The secret where it is mounted, with this server's URL in it.
    const auto mounted = container["volumeMounts"][1]["mountPath"].as<std::string>();
    std::string config = all.at("ConfigMap")["data"]["config.yml"].as<std::string>();
    const auto secret = all.at("Secret")["stringData"].begin()->first.as<std::string>();
    const std::string path = mounted + "/" + secret;
    REQUIRE_THAT(config, Contains("url_file: " + path));
    config.replace(config.find(path), path.size(), folder.path() + "/" + secret);
    const auto listen = config.find("0.0.0.0:8090");
    REQUIRE(listen != std::string::npos);
    CHECK(container["ports"][0]["containerPort"].as<int>() == 8090);
    config.replace(listen, std::string("0.0.0.0:8090").size(), "127.0.0.1:0");
    folder.write("config.yml", config);
    folder.write(secret, database.url() + "\n");
    fs::permissions(folder.path() + "/" + secret, fs::perms::owner_read | fs::perms::owner_write);
    CHECK(pod["terminationGracePeriodSeconds"].as<int>() >= stop_seconds(folder.path() + "/config.yml") + 5);

    WorkerProcess worker(database.url(), {{"DATABASE_URL", ""}}, {"--config", folder.path() + "/config.yml"});
    for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
        CHECK_THAT(http_get(worker, container[probe]["httpGet"]["path"].as<std::string>()), Contains(" 200 "));
    }
    CHECK_THAT(
        http_get(worker, all.at("ServiceMonitor")["spec"]["endpoints"][0]["path"].as<std::string>()),
        Contains("task_worker_")
    );
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
}
